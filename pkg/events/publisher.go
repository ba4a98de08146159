package events

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Publisher gives customers' changes to JetStream. An event that it returned an
// Ack for is stored, and will reach every destination. Its methods may be called
// from several goroutines at once. It must not be copied.
//
// What gets no answer is sent again, with the same id, until ctx ends; the stream
// knows the id for two minutes and stores the event once. So a ctx without an end
// waits for as long as the server is away: give it one wherever somebody waits.
type Publisher struct {
	// Conn is required. Unless it was made with nats.MaxReconnects(-1), an outage of
	// some minutes closes it for good.
	Conn *nats.Conn

	Timeout    time.Duration    // of one attempt; 0: 5 s
	Patience   time.Duration    // how long it is borne that no stream answers; 0: 10 s, since a cluster elects a leader in 4 to 9
	MaxPending int              // how many events PublishAsync keeps in flight; 0: 512
	Now        func() time.Time // nil: time.Now
	// Elsewhere, if set, is called every 2 s in which no stream answers, or every
	// fifth of a Patience below 10 s, from any goroutine: a server that is cut off
	// from its cluster knows of no stream, and Conn.ForceReconnect tries another one
	// of those that Conn was given.
	Elsewhere func()

	once  sync.Once
	js    jetstream.JetStream
	jsErr error
	slots chan struct{} // one token per event in flight
	last  atomic.Int64  // the last time given to an event, in microseconds

	mu      sync.Mutex
	flying  int           // events whose done has not returned
	landed  chan struct{} // closed when flying gets 0
	dropped error         // first error of events without a done
	moved   time.Time     // when Elsewhere was called last
}

// Ack says that an event is stored.
type Ack struct {
	Seq       uint64 // in the stream; of a duplicate, that of the one stored
	Duplicate bool   // an event with this id was stored before, perhaps by an earlier attempt of this very call
}

// Publish stores a customer's whole state and waits for the Ack until ctx ends,
// however long nothing answers: see ErrUnconfirmed. Without a version the time of
// the call is the version, so that of two calls the later one wins.
func (p *Publisher) Publish(ctx context.Context, shop string, c Customer) (Ack, error) {
	return p.PublishEvent(ctx, &Event{Shop: shop, Customer: c})
}

// Delete stores that the customer is gone and waits for the Ack. Customers with
// explicit versions need one here, too: the next.
func (p *Publisher) Delete(ctx context.Context, shop, customerID string, version Opt[int64]) (Ack, error) {
	return p.PublishEvent(ctx, &Event{Type: Deleted, Shop: shop, Customer: Customer{ID: customerID, Version: version}})
}

// PublishEvent stores an event and waits for the Ack. An empty ID, Type and Time
// are filled in as Prepare does.
func (p *Publisher) PublishEvent(ctx context.Context, ev *Event) (Ack, error) {
	raw, err := p.Prepare(ev)
	if err != nil {
		return Ack{}, err
	}
	return p.publish(ctx, &raw)
}

// PublishRaw stores an event that is encoded already, as it stands, and waits
// for the Ack. Whether it is one, and whether it agrees with shop and customer,
// is the caller's to know: Decode tells.
func (p *Publisher) PublishRaw(ctx context.Context, shop, customerID, id string, data []byte) (Ack, error) {
	return p.publish(ctx, &Raw{Shop: shop, Customer: customerID, ID: id, Data: data})
}

func (p *Publisher) publish(ctx context.Context, raw *Raw) (Ack, error) {
	msg, err := raw.message()
	if err != nil {
		return Ack{}, err
	}
	if err := p.open(); err != nil {
		return Ack{}, err
	}
	return p.send(ctx, msg, nil)
}

// open prepares the connection on first use.
func (p *Publisher) open() error {
	p.once.Do(func() {
		if p.Conn == nil {
			p.jsErr = errors.New("publish: Publisher.Conn is not set")
			return
		}
		p.slots = make(chan struct{}, or(p.MaxPending, 512))
		p.js, p.jsErr = jetstream.New(p.Conn, jetstream.WithPublishAsyncTimeout(or(p.Timeout, 5*time.Second)), jetstream.WithPublishAsyncMaxPending(cap(p.slots)))
	})
	return p.jsErr
}

func or[T int | time.Duration](v, zero T) T {
	if v <= 0 {
		return zero
	}
	return v
}

// Raw is an encoded event with what its message needs beside it.
type Raw struct {
	Shop, Customer string // unescaped
	ID             string // of the event
	Data           []byte
	TraceParent    string // W3C trace context; empty: none
}

// Prepare encodes an event after filling in, on a copy, what is missing: Type
// Changed; Time now, though never the same twice nor going back; and an ID that
// is a hash of what the event says. The ID includes the version, also one made of
// time, so that a state which comes back after another is not taken for a
// repetition.
func (p *Publisher) Prepare(ev *Event) (Raw, error) {
	filled := *ev
	if filled.Type == "" {
		filled.Type = Changed
	}
	if filled.Time.IsZero() {
		filled.Time = p.tick()
	}
	if filled.ID == "" {
		filled.ID = deriveID(&filled)
	}
	data, err := Encode(&filled)
	if err != nil {
		return Raw{}, err
	}
	return Raw{Shop: filled.Shop, Customer: filled.Customer.ID, ID: filled.ID, Data: data, TraceParent: filled.TraceParent}, nil
}

// tick returns the time, moved on where the clock stands still or steps back:
// times serve as versions, and a later change must have the higher one.
func (p *Publisher) tick() time.Time {
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	t := now().UnixMicro()
	for {
		last := p.last.Load()
		if p.last.CompareAndSwap(last, max(t, last+1)) {
			return time.UnixMicro(max(t, last+1)).UTC()
		}
	}
}

// deriveID returns the id of an event that has none. Whether the event is fit to
// be encoded shows afterwards. Every part but the last is preceded by its length, so that no two
// events share the bytes hashed.
func deriveID(ev *Event) string {
	var e encoder
	version := ev.explicitVersion(&e)
	if ev.Data != nil {
		e.b = ev.Data
	} else {
		e.customer(&ev.Customer, version, ev.Type)
	}
	if !version.Has() {
		version.V = ev.Time.UnixMicro()
	}
	h := sha256.New()
	for _, part := range []string{string(ev.Type), ev.Shop, ev.Customer.ID, strconv.FormatInt(version.V, 10)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	h.Write(e.b)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Check returns the error with which publishing would refuse r unsent.
func (r *Raw) Check() error {
	subject := len(IngestSubject("", "")) + len(EscapeToken(r.Shop)) + len(EscapeToken(r.Customer))
	switch {
	case r.Shop == "":
		return errors.New("publish: the shop is empty")
	case r.Customer == "":
		return errors.New("publish: the customer's id is empty")
	case r.ID == "":
		return errors.New("publish: the event's id is empty")
	case !printable(r.ID):
		return errors.New("publish: the event's id holds control characters, which no header can carry")
	case !printable(r.TraceParent):
		return errors.New("publish: the trace parent holds control characters, which no header can carry")
	case subject+len(r.ID) > maxSubject:
		return fmt.Errorf("publish: shop, customer and event id make more than %d bytes, which no subject can carry", maxSubject)
	case len(r.Data) > MaxSize:
		return fmt.Errorf("publish: the event has %d bytes, more than %d KiB: shorten its longest fields", len(r.Data), MaxSize>>10)
	}
	return nil
}

// message returns the message to be sent, having seen that a server can take it.
func (r *Raw) message() (*nats.Msg, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: IngestSubject(r.Shop, r.Customer), Data: r.Data}
	msg.Header = nats.Header{jetstream.MsgIDHeader: {EscapeToken(r.Shop) + "." + r.ID}}
	if r.TraceParent != "" {
		msg.Header["traceparent"] = []string{r.TraceParent}
	}
	return msg, nil
}

// maxSubject leaves room in the 4,096 bytes that a server takes for a control
// line, which also holds the reply subject; wake-ups and letters have subjects
// longer than the event's by a destination's name.
const maxSubject = 2048

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
