package stream

import (
	"context"
	"fmt"
	"strconv"

	"github.com/custsync/custsync/pkg/pipeline"
)

// Shard is a shard that this worker owns: its feeds, ready to be read.
//
// Each partition's events come from the destination's trunk, or have a consumer
// of their own, with one filter. A consumer with several filters makes the server walk through all customers
// again and again: it costs three times as much with 300,000 of them, and seven
// times with 900,000 (measured on 2.15.2). Wake-ups are few, and have one
// consumer with all filters.
type Shard struct {
	Feeds []pipeline.Feed // of the events of each partition, and last of the wake-ups

	cursor   *cursor
	branches []*branch
	wakeups  *reader
}

// OpenShard opens a shard for its owner. The lease has to be held already. From
// now on a former owner can't move the shard's cursor any more, and what it had
// read beyond the cursor is lent again. The trunk is the destination's in this
// worker; nil: each partition is read alone.
func (s *Streams) OpenShard(ctx context.Context, place Place, trunk *Trunk) (*Shard, error) {
	if err := place.check(s.config.Partitions); err != nil {
		return nil, err
	}
	c, err := s.openCursor(ctx, place)
	if err != nil {
		return nil, err
	}
	shard := &Shard{cursor: c}
	first, _ := place.partitions(s.config.Partitions)
	for i, at := range c.stored.Events {
		p := strconv.Itoa(first + i)
		r := &reader{
			nc: s.nc, stream: Customers, filters: []string{customersPrefix + p + ".>"},
			name: place.String() + "-" + p, next: at.Settled + 1,
		}
		b := trunk.join(first+i, r, s.newAhead(r.name, r.filters, aheadReach/s.config.Partitions))
		shard.branches = append(shard.branches, b)
		shard.Feeds = append(shard.Feeds, &feed{branch: b, cursor: c, of: ofEvents(i), lent: at.Lent})
	}
	at := c.stored.Wakeups
	shard.wakeups = &reader{
		nc: s.nc, stream: Wakeups, filters: place.filters(wakePrefix+place.Destination+".", s.config.Partitions),
		name: place.String() + "-wake", next: at.Settled + 1,
	}
	shard.Feeds = append(shard.Feeds, newWakeFeed(s, shard.wakeups, c, place.Destination, at.Lent))
	return shard, nil
}

// Close stores how far the shard is and ends its feeds, which must not be in
// use any more.
func (s *Shard) Close(ctx context.Context) error {
	for _, b := range s.branches {
		b.leave()
	}
	s.wakeups.close()
	if err := s.cursor.close(ctx); err != nil {
		return fmt.Errorf("close shard: %w", err)
	}
	return nil
}

// Ends are the last sequences of the customers and the wake-ups: where a
// destination begins that wants only what is new.
func (s *Streams) Ends(ctx context.Context) (Position, error) {
	var ends Position
	for name, seq := range map[string]*uint64{Customers: &ends.Events, Wakeups: &ends.Wakeups} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return Position{}, fmt.Errorf("stream %s: %w", name, err)
		}
		*seq = stream.CachedInfo().State.LastSeq
	}
	return ends, nil
}
