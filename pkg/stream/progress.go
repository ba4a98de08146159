package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/custsync/custsync/pkg/ledger"
)

// Cursor is how far a shard is, in the sequences of its two streams.
type Cursor struct {
	Events  []Progress `json:"events"` // by partition, from the shard's first
	Wakeups Progress   `json:"wakeups"`
}

// Of is how far the partition of a customer of this shard is.
func (c *Cursor) Of(key ledger.Key) Progress {
	// A shard begins at a multiple of its number of partitions.
	return c.Events[partitionOf(key)%len(c.Events)]
}

func (c *Cursor) clone() Cursor { return Cursor{slices.Clone(c.Events), c.Wakeups} }

func (c *Cursor) equal(o *Cursor) bool {
	return c.Wakeups == o.Wakeups && slices.Equal(c.Events, o.Events)
}

// Position is a place in the streams: what lies behind it is of no interest.
// The zero Position is before everything.
type Position struct{ Events, Wakeups uint64 }

// cursor is that of a shard which has so many partitions and begins here.
func (p Position) cursor(partitions int) Cursor {
	return Cursor{slices.Repeat([]Progress{{Settled: p.Events}}, partitions), Progress{Settled: p.Wakeups}}
}

// Progress is how far one of a shard's feeds is. Lent is at or above all that
// an owner may have been lent.
type Progress struct {
	Settled uint64 `json:"settled"`
	Lent    uint64 `json:"lent"`
}

// Cursor returns how far a shard is, as it is stored.
func (s *Streams) Cursor(ctx context.Context, place Place) (Cursor, error) {
	c, _, err := s.readCursor(ctx, place)
	return c, err
}

func (s *Streams) readCursor(ctx context.Context, place Place) (c Cursor, revision uint64, err error) {
	data, revision, err := s.post.last(ctx, workersStream, workersPrefix+place.cursor())
	switch {
	case err != nil:
	case len(data) == 0:
		err = ErrNoShard
	default:
		err = json.Unmarshal(data, &c)
	}
	first, last := place.partitions(s.config.Partitions)
	if err == nil && len(c.Events) != last-first {
		err = fmt.Errorf("it tells of %d partitions, the shard has %d", len(c.Events), last-first)
	}
	if err != nil {
		return Cursor{}, 0, fmt.Errorf("cursor of shard %s: %w", place, err)
	}
	return c, revision, nil
}
