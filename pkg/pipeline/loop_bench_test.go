package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// instant is everything around the loop at no cost: it lends messages that are
// made before, and takes what the loop stores without keeping it.
type instant struct {
	messages []Message
	settled  chan struct{} // closed when all is
	row      Rendered
	outcome  []sinks.Outcome
}

func (w *instant) Fetch(ctx context.Context, _ int) ([]Message, error) {
	if len(w.messages) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n := min(256, len(w.messages))
	lent := w.messages[:n]
	w.messages = w.messages[n:]
	return lent, nil
}

func (w *instant) Limits() sinks.Limits                                    { return sinks.Limits{} }
func (w *instant) Render(*events.Event) (Rendered, error)                  { return w.row, nil }
func (w *instant) Open(context.Context, *deadletter.Letter) error          { return nil }
func (w *instant) Close(context.Context, ledger.Key, ledger.Settled) error { return nil }
func (w *instant) Edit(context.Context, ledger.Key, string) (*deadletter.Edit, error) {
	return nil, nil
}
func (w *instant) Set(context.Context, []Wakeup) error { return nil }
func (w *instant) Get(_ context.Context, keys []ledger.Key) ([]Found, error) {
	return make([]Found, len(keys)), nil
}

func (w *instant) Put(_ context.Context, writes []Write) ([]Written, error) {
	written := make([]Written, len(writes))
	for i := range written {
		written[i].Revision = 1
	}
	return written, nil
}

func (w *instant) Deliver(_ context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	return w.outcome[:len(rows)], nil
}

// counting closes settled when the last message is.
type counting struct {
	*instant
	last uint64
}

func (c *counting) Settle(seq uint64) {
	if seq == c.last {
		close(c.settled)
	}
}

// BenchmarkRow is the loop's cost of one row: from the message on loan, decoding
// of a small event included, to its being settled; stores and provider cost nothing.
func BenchmarkRow(b *testing.B) {
	const customers = 100_000
	messages := make([]Message, customers)
	for i := range messages {
		name := fmt.Sprintf("c%d", i)
		messages[i] = Message{Seq: uint64(i + 1), Event: uint64(i + 1), Key: key(name), Data: eventJSON(name, 1, false, ""), At: time.Now()}
	}
	decoding(b, messages)
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		for left := b.N; left > 0; left -= customers {
			n := min(left, customers)
			deliverAll(b, messages[:n])
		}
	})
}

// decoding tells what of it is the events package's.
func decoding(b *testing.B, messages []Message) {
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var ev events.Event
		now := time.Now()
		for i := range b.N {
			i %= len(messages)
			if err := events.Decode(messages[i].Data, "acme", messages[i].Key[len(key("")):], now, &ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func deliverAll(b *testing.B, messages []Message) {
	w := &instant{
		messages: messages, settled: make(chan struct{}), outcome: allTaken(make([]sinks.Row, 100)),
		row: Rendered{Admitted: true, Body: []byte(`{"id":1}`), Hash: "0123456789abcdef"},
	}
	d := &Destination{Name: "d", Sink: w, Renderer: w, Ledger: w, Letters: w, Alarm: w, Calls: journalOf{w}}
	work, end := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.Run(work, work); err != nil {
			b.Error(err)
		}
	}()
	feed := &counting{w, messages[len(messages)-1].Seq}
	if err := d.Take(work, Shard{Lease: testLease{work}, Feeds: []Feed{feed}}); err != nil {
		b.Fatal(err)
	}
	<-w.settled
	end()
	<-done
}

type journalOf struct{ *instant }

func (journalOf) Open(context.Context, int, OpenCall) error { return nil }
func (journalOf) Close(context.Context, []int) error        { return nil }
