package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// reader reads a stream's messages from a sequence on, in order and without
// gaps. It reads with a consumer of its own that counts what it delivers: a
// number that is missing, or that a heartbeat knows and the reader doesn't, means
// that a delivered message never arrived. The reader then begins again, with
// another consumer, behind the last message that it handed out.
//
// nats.go's own ways to read are not used: Consume and Messages lose pull
// requests under load (nats.go 1.55), and Fetch hides the heartbeats.
//
// It is used from one goroutine.
type reader struct {
	nc      *nats.Conn
	stream  string
	filters []string
	name    string // the consumers' names begin with it
	headers bool   // headers only, without bodies
	drain   bool   // only what is there now: read nothing once all was read
	next    uint64 // where to go on in the stream

	consumer  string // empty: none is there
	inbox     string
	pulls     int
	reply     string // where the server tells of the pull that is open
	sub       *nats.Subscription
	arrived   chan *nats.Msg
	status    chan nats.Status
	wait      *time.Timer
	dseq      uint64 // of the last message that arrived
	size      int    // of a message, about; 0: none has come yet
	open      int    // messages that the pull may still bring; 0: no pull is open
	heard     time.Time
	fruitless int // consumers given up in a row before they brought anything
}

const (
	pullBatch   = 1000
	pullExpires = 20 * time.Second
	pullBeat    = 5 * time.Second
	// silence is how long nothing may come of an open pull before it is given up. On
	// a loaded machine a single beat may come seconds late.
	silence = 2*pullBeat + time.Second
	// idleFor is how long the server keeps a consumer that nobody reads with.
	idleFor = time.Minute
	// usual is the size that messages are taken for until some have come.
	usual = 1 << 10
	// largest is what a pull has to allow for the largest event to pass.
	largest = 640 << 10
)

// read waits until there is something to hand out and hands out all that is
// there, at most about maxBytes. Nothing and no error means that nothing came
// for a while.
func (r *reader) read(ctx context.Context, maxBytes int, each func(*nats.Msg, delivery)) error {
	if err := r.ask(ctx, maxBytes); err != nil {
		r.drop()
		return fmt.Errorf("read %s: %w", r.stream, err)
	}
	size := 0
	for ctx.Err() == nil && r.consumer != "" && r.open > 0 {
		m := r.ready()
		if m == nil && size > 0 {
			return nil
		}
		if m == nil {
			var err error
			if m, err = r.await(ctx); err != nil {
				return err
			}
			if m == nil {
				continue // given up
			}
		}
		d, ok := readReply(m.Reply)
		if !ok {
			r.note(m)
			continue
		}
		if d.dseq != r.dseq+1 {
			r.drop()
			continue
		}
		r.heard, r.fruitless = time.Now(), 0
		r.dseq, r.next = d.dseq, d.seq+1
		r.open--
		r.weigh(len(m.Data) + len(m.Subject))
		size += len(m.Data) + len(m.Subject) + 1
		each(m, d)
		if size >= maxBytes {
			return nil
		}
	}
	return ctx.Err()
}

// ask sees that there is a consumer and an open pull.
func (r *reader) ask(ctx context.Context, maxBytes int) error {
	if r.fruitless > 1 {
		r.fruitless = 0
		return errFruitless
	}
	if r.consumer == "" {
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	if r.consumer == "" || r.open > 0 {
		return nil
	}
	return r.pull(maxBytes)
}

// pull asks for messages. Once the answer has begun it comes on its own.
func (r *reader) pull(maxBytes int) error {
	batch := r.batch(maxBytes)
	ask := fmt.Appendf(nil, `{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`,
		batch, max(maxBytes, largest), pullExpires, pullBeat)
	if r.drain {
		ask = fmt.Appendf(nil, `{"batch":%d,"max_bytes":%d,"no_wait":true}`, batch, max(maxBytes, largest))
	}
	r.pulls++
	r.reply = r.inbox + "." + strconv.Itoa(r.pulls)
	if err := r.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+r.stream+"."+r.consumer, r.reply, ask); err != nil {
		return err
	}
	r.open, r.heard = batch, time.Now()
	return nil
}

// batch is how many messages a pull asks for. What the server has sent waits in
// memory, so that it must not be much more than the reader is asked for.
func (r *reader) batch(maxBytes int) int {
	return min(max(maxBytes/cmp.Or(r.size, usual), 1), pullBatch)
}

// weigh counts in the size of a message. A large one counts at once, and is
// forgotten slowly.
func (r *reader) weigh(size int) {
	r.size = max(size, r.size+(size-r.size)/16)
}

func (r *reader) ready() *nats.Msg {
	select {
	case m := <-r.arrived:
		return m
	default:
		return nil
	}
}

var (
	errSilent    = errors.New("the server is silent")
	errFruitless = errors.New("consumers go away as soon as they are made")
)

// await waits for the next message, or returns none when the connection is new.
func (r *reader) await(ctx context.Context) (*nats.Msg, error) {
	r.wait.Reset(silence - time.Since(r.heard))
	select {
	case m := <-r.arrived:
		return m, nil
	case <-r.status:
		// The pull was made on the connection before, and what it brought may be lost.
		r.drop()
		return nil, nil
	case <-r.wait.C:
		r.drop()
		return nil, fmt.Errorf("read %s: %w", r.stream, errSilent)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// note reads what the server says about the pull.
func (r *reader) note(m *nats.Msg) {
	if m.Subject != r.reply {
		return // of a pull before, which had brought all it could
	}
	r.heard = time.Now()
	switch m.Header.Get("Status") {
	case "100":
		if number(m, "Nats-Last-Consumer") != r.dseq {
			r.drop() // a message was delivered, and did not arrive
			return
		}
		r.fruitless = 0
	case "404", "408":
		r.open = 0 // nothing is there, or its time is over
	case "409":
		switch m.Header.Get("Description") {
		case "Batch Completed", "Message Size Exceeds MaxBytes":
			r.open = 0
		default: // the consumer was deleted, the server leaves, another one leads
			r.drop()
		}
	default:
		r.drop() // 503: nobody knows the consumer
	}
}
