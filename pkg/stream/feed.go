package stream

import (
	"context"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// feed lends the events of one partition of a shard.
type feed struct {
	reader *reader
	cursor *cursor
	of     func(*Cursor) *Progress // the partition's own
	lent   uint64                  // what an earlier owner may have been lent
	hand   []pipeline.Message      // what was handed out last; used again
}

var _ pipeline.Feed = (*feed)(nil)

// ofEvents picks the i-th of the shard's partitions.
func ofEvents(i int) func(*Cursor) *Progress {
	return func(c *Cursor) *Progress { return &c.Events[i] }
}

func ofWakeups(c *Cursor) *Progress { return &c.Wakeups }

func (f *feed) Fetch(ctx context.Context, maxBytes int) ([]pipeline.Message, error) {
	clear(f.hand)
	messages := f.hand[:0]
	err := f.reader.read(ctx, maxBytes, func(m *nats.Msg, d delivery) {
		messages = append(messages, pipeline.Message{
			Seq:   d.seq,
			Key:   m.Subject[len(customersPrefix):],
			Data:  m.Data,
			At:    d.at,
			Event: d.seq,
			Again: d.seq <= f.lent,
		})
	})
	f.hand = messages
	if len(messages) == 0 {
		return nil, err
	}
	if err := f.cursor.lend(ctx, f.of, messages[len(messages)-1].Seq); err != nil {
		f.reader.rewind(messages[0].Seq)
		return nil, err
	}
	return messages, nil
}

func (f *feed) Settle(seq uint64) { f.cursor.settle(f.of, seq) }
