package events_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/pkg/events"
)

func newPublisher(t *testing.T) (*events.Publisher, jetstream.Stream) {
	t.Helper()
	nc := connect(t, startServer(t, t.TempDir(), -1).ClientURL())
	return &events.Publisher{Conn: nc}, createStream(t, nc)
}

// What is published is stored where readers look for it, and reads back.
func TestPublisherStores(t *testing.T) {
	p, stream := newPublisher(t)
	for i := range 100 {
		shop, customer := fmt.Sprintf("shop.%d", i%3), fmt.Sprintf("a.b@%d", i)
		ack, err := p.Publish(t.Context(), shop, events.Customer{ID: customer, Email: events.Some("x@example.com")})
		if err != nil || ack.Duplicate {
			t.Fatalf("got %+v and %v", ack, err)
		}
		msg := stored(t, stream, ack.Seq)
		shopToken, customerToken := events.EscapeToken(shop), events.EscapeToken(customer)
		if want := events.StoredSubject(events.Partition(shopToken, customerToken, 32), shopToken, customerToken); msg.Subject != want {
			t.Fatalf("stored as %s, want %s", msg.Subject, want)
		}
		var ev events.Event
		if err := events.Decode(msg.Data, shopToken, customerToken, time.Now(), &ev); err != nil {
			t.Fatal(err)
		}
		if want := shopToken + "." + ev.ID; msg.Header.Get("Nats-Msg-Id") != want {
			t.Fatalf("message id %s, want %s", msg.Header.Get("Nats-Msg-Id"), want)
		}
		if ev.Type != events.Changed || !ev.TimeVersion || len(ev.ID) != 32 || ev.Customer.Email.V != "x@example.com" {
			t.Fatalf("got %+v", ev)
		}
	}
}

func TestPublisherDuplicates(t *testing.T) {
	p, stream := newPublisher(t)
	p.Now = func() time.Time { return now } // the clock even stands still
	publish := func(shop string, c events.Customer) events.Ack {
		t.Helper()
		ack, err := p.Publish(t.Context(), shop, c)
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	a := events.Customer{ID: "1", Version: events.Some[int64](1), Note: events.Some("a")}
	first := publish("acme", a)
	if again := publish("acme", a); !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("the same again: got %+v, want a duplicate of %+v", again, first)
	}
	other := a
	other.Note = events.Some("b")
	if got := publish("acme", other); got.Duplicate {
		t.Error("other data at the same version was taken for a repetition")
	}
	if got := publish("bcme", a); got.Duplicate {
		t.Error("another shop's customer was taken for a repetition")
	}
	if got, err := p.Delete(t.Context(), "acme", "1", events.Some[int64](1)); got.Duplicate || err != nil {
		t.Errorf("deletion: got %+v and %v", got, err)
	}
	// A state that comes back is a change, and must not be lost as a repetition.
	for i, note := range []string{"a", "b", "a"} {
		if got := publish("acme", events.Customer{ID: "2", Note: events.Some(note)}); got.Duplicate {
			t.Errorf("change %d was taken for a repetition", i+1)
		}
	}
	var before int64
	for seq := count(t, stream) - 2; seq <= count(t, stream); seq++ {
		var ev events.Event
		if err := events.Decode(stored(t, stream, seq).Data, "acme", "2", now, &ev); err != nil || ev.Version <= before {
			t.Errorf("version %d (%v) after %d, want a higher one", ev.Version, err, before)
		}
		before = ev.Version
	}
}

func TestPublisherRawAndTrace(t *testing.T) {
	p, stream := newPublisher(t)
	doc := []byte(document(`{"id":"347771386"}`, `traceparent="x"`))
	ack, err := p.PublishRaw(t.Context(), "acme", "347771386", "e1", doc)
	if err != nil {
		t.Fatal(err)
	}
	if got := stored(t, stream, ack.Seq); string(got.Data) != string(doc) || got.Header.Get("Nats-Msg-Id") != "acme.e1" {
		t.Errorf("got %s with %v, want it as it stood", got.Data, got.Header)
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ev := &events.Event{ID: "e2", Shop: "acme", TraceParent: trace, Data: []byte(`{"id":"5","version":1,"tier":{"n":1}}`)}
	if err := events.DecodeCustomer(ev.Data, &ev.Customer); err != nil {
		t.Fatal(err)
	}
	if ack, err = p.PublishEvent(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	got := stored(t, stream, ack.Seq)
	if got.Header.Get("traceparent") != trace || !strings.Contains(string(got.Data), `"tier":{"n":1}`) {
		t.Errorf("got %s with %v", got.Data, got.Header)
	}
}

func TestPublisherRefuses(t *testing.T) {
	p, stream := newPublisher(t)
	for _, tc := range []struct {
		name, shop, customer, id, want string
		data                           []byte
	}{
		{"shop", "", "1", "e", "publish: the shop is empty", nil},
		{"customer", "s", "", "e", "publish: the customer's id is empty", nil},
		{"id", "s", "1", "", "publish: the event's id is empty", nil},
		{"line break", "s", "1", "e\r\nX: y", "publish: the event's id holds control characters, which no header can carry", nil},
		{"long", "s", strings.Repeat(".", 1000), "e", "publish: shop, customer and event id make more than 2048 bytes, which no subject can carry", nil},
		{"large", "s", "1", "e", "publish: the event has 524289 bytes, more than 512 KiB: shorten its longest fields", make([]byte, events.MaxSize+1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := p.PublishRaw(t.Context(), tc.shop, tc.customer, tc.id, tc.data); fmt.Sprint(err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if err := p.PublishRawAsync(t.Context(), events.Raw{Shop: tc.shop, Customer: tc.customer, ID: tc.id, Data: tc.data}, nil); fmt.Sprint(err) != tc.want {
				t.Errorf("async: got %v, want %s", err, tc.want)
			}
		})
	}
	if _, err := p.Publish(t.Context(), "acme", events.Customer{}); fmt.Sprint(err) != "encode event: subject: empty" {
		t.Errorf("got %v", err)
	}
	if got := count(t, stream); got != 0 {
		t.Errorf("%d messages were stored", got)
	}
	if _, err := (&events.Publisher{}).Publish(t.Context(), "acme", events.Customer{ID: "1"}); err == nil || !strings.Contains(err.Error(), "Conn is not set") {
		t.Errorf("got %v, want what is missing", err)
	}
	p.Conn.Close()
	if _, err := p.Publish(t.Context(), "acme", events.Customer{ID: "1"}); err == nil || !strings.Contains(err.Error(), "the connection is closed") {
		t.Errorf("got %v, want that the connection is closed", err)
	}
}

func TestPublisherWithoutStream(t *testing.T) {
	p := &events.Publisher{Conn: connect(t, startServer(t, t.TempDir(), -1).ClientURL()), Patience: 150 * time.Millisecond}
	if _, err := p.Publish(t.Context(), "acme", events.Customer{ID: "1"}); !errors.Is(err, events.ErrNoStream) {
		t.Errorf("got %v, want %v", err, events.ErrNoStream)
	}
	p.Patience = 0
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Publish(ctx, "acme", events.Customer{ID: "1"}); !errors.Is(err, events.ErrNoStream) {
		t.Errorf("ctx ended: got %v, want %v", err, events.ErrNoStream)
	}
	// A stream that is there a moment later is waited for.
	done := make(chan error, 1)
	if err := p.PublishAsync(t.Context(), &events.Event{Shop: "acme", Customer: events.Customer{ID: "1"}}, func(_ events.Ack, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	createStream(t, p.Conn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An answer that gets lost leads to one more attempt and not to one more event.
func TestPublisherLostAnswer(t *testing.T) {
	s := startServer(t, t.TempDir(), -1)
	stream := createStream(t, connect(t, s.ClientURL()))
	m := startMute(t, s.Addr().String())
	p := &events.Publisher{Conn: connect(t, "nats://"+m.listener.Addr().String()), Timeout: 100 * time.Millisecond}
	c := events.Customer{ID: "1", Version: events.Some[int64](1)}

	m.lose.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := p.Publish(ctx, "acme", c); !errors.Is(err, events.ErrUnconfirmed) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, events.ErrUnconfirmed)
	}
	if got := count(t, stream); got != 1 {
		t.Fatalf("%d messages stored, want one whose answer got lost", got)
	}
	result := make(chan events.Ack, 1)
	if err := p.PublishAsync(t.Context(), &events.Event{Shop: "acme", Customer: c}, func(ack events.Ack, err error) {
		if err != nil {
			t.Error(err)
		}
		result <- ack
	}); err != nil {
		t.Fatal(err)
	}
	m.lose.Store(false)
	if ack := <-result; !ack.Duplicate || ack.Seq != 1 {
		t.Errorf("got %+v, want the first one's", ack)
	}
	if got := count(t, stream); got != 1 {
		t.Errorf("%d messages stored, want 1", got)
	}
}

func TestPublisherOutage(t *testing.T) {
	folder := t.TempDir()
	s := startServer(t, folder, -1)
	port := s.Addr().(*net.TCPAddr).Port
	p := &events.Publisher{Conn: connect(t, s.ClientURL()), Timeout: 200 * time.Millisecond, MaxPending: 8}
	createStream(t, p.Conn)
	stopServer(s)
	const n = 20
	published := make(chan error, 1)
	go func() {
		for i := range n {
			if err := p.PublishAsync(t.Context(), &events.Event{Shop: "acme", Customer: events.Customer{ID: fmt.Sprint(i)}}, nil); err != nil {
				published <- err
				return
			}
		}
		published <- p.Wait(t.Context())
	}()
	startServer(t, folder, port)
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(p.Conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "CUSTOMERS")
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, stream); got != n {
		t.Errorf("%d stored, want %d", got, n)
	}
}
