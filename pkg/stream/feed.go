package stream

import (
	"context"

	"github.com/custsync/custsync/pkg/pipeline"
)

// feed lends the events of one partition of a shard.
type feed struct {
	branch *branch
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
	messages, err := f.branch.read(ctx, maxBytes, f.hand[:0])
	f.hand = messages
	if len(messages) == 0 {
		return nil, err
	}
	if err := f.cursor.lend(ctx, f.of, messages[len(messages)-1].Seq); err != nil {
		f.branch.rewind(messages[0].Seq)
		return nil, err
	}
	for i := range messages {
		messages[i].Again = messages[i].Seq <= f.lent
	}
	return messages, nil
}

func (f *feed) Settle(seq uint64) { f.cursor.settle(f.of, seq) }
