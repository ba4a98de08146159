package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/custsync/custsync/pkg/pipeline"
)

// Shard is a shard that this worker owns: its feeds, ready to be read.
type Shard struct {
	Feeds []pipeline.Feed // of events and of wake-ups

	cursor  *cursor
	readers []*reader
}

// OpenShard opens a shard for its owner. The lease has to be held already. From
// now on a former owner can't move the shard's cursor any more, and what it had
// read beyond the cursor is lent again.
func (s *Streams) OpenShard(ctx context.Context, place Place) (*Shard, error) {
	if err := place.check(s.config.Partitions); err != nil {
		return nil, err
	}
	c, err := openCursor(ctx, s.post, place)
	if err != nil {
		return nil, err
	}
	at := c.stored
	of := s.newReader(Customers, customersPrefix, place, place.String(), at.Events.Settled+1)
	wakes := s.newReader(Wakeups, wakePrefix+place.Destination+".", place, place.String()+"-wake", at.Wakeups.Settled+1)
	return &Shard{
		Feeds: []pipeline.Feed{
			&feed{reader: of, cursor: c, lent: at.Events.Lent},
			newWakeFeed(s, wakes, c, place.Destination, at.Wakeups.Lent),
		},
		cursor:  c,
		readers: []*reader{of, wakes},
	}, nil
}

// Close stores how far the shard is and ends its feeds, which must not be in
// use any more.
func (s *Shard) Close(ctx context.Context) error {
	for _, r := range s.readers {
		r.close()
	}
	if err := s.cursor.close(ctx); err != nil {
		return fmt.Errorf("close shard: %w", err)
	}
	return nil
}

func (s *Streams) newReader(stream, prefix string, place Place, name string, from uint64) *reader {
	first, last := place.partitions(s.config.Partitions)
	r := &reader{nc: s.nc, js: s.js, stream: stream, name: name, next: from}
	for p := first; p < last; p++ {
		r.filters = append(r.filters, prefix+strconv.Itoa(p)+".>")
	}
	return r
}

func (p Place) check(partitions int) error {
	switch {
	case p.Destination == "":
		return errors.New("shard: it names no destination")
	case p.Shards < 1 || partitions%p.Shards != 0:
		return fmt.Errorf("destination %s: %d shards don't divide %d partitions", p.Destination, p.Shards, partitions)
	case p.ID < 0 || p.ID >= p.Shards:
		return fmt.Errorf("destination %s: there is no shard %d of %d", p.Destination, p.ID, p.Shards)
	}
	return nil
}

// Ends are the last sequences of the customers and the wake-ups: where a
// destination begins that wants only what is new.
func (s *Streams) Ends(ctx context.Context) (Cursor, error) {
	var c Cursor
	for name, p := range map[string]*Progress{Customers: &c.Events, Wakeups: &c.Wakeups} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return Cursor{}, fmt.Errorf("stream %s: %w", name, err)
		}
		p.Settled = stream.CachedInfo().State.LastSeq
	}
	return c, nil
}
