package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/custsync/custsync/pkg/pipeline"
)

// Shard is a shard that this worker owns: its feeds, ready to be read.
//
// Each partition's events have a consumer of their own, with one filter. A
// consumer with several filters makes the server walk through all customers
// again and again: it costs three times as much with 300,000 of them, and seven
// times with 900,000 (measured on 2.15.2). Wake-ups are few, and have one
// consumer with all filters.
type Shard struct {
	Feeds []pipeline.Feed // of the events of each partition, and last of the wake-ups

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
		shard.readers = append(shard.readers, r)
		shard.Feeds = append(shard.Feeds, &feed{reader: r, cursor: c, of: ofEvents(i), lent: at.Lent})
	}
	at := c.stored.Wakeups
	r := &reader{
		nc: s.nc, stream: Wakeups, filters: place.filters(wakePrefix+place.Destination+".", s.config.Partitions),
		name: place.String() + "-wake", next: at.Settled + 1,
	}
	shard.readers = append(shard.readers, r)
	shard.Feeds = append(shard.Feeds, newWakeFeed(s, r, c, place.Destination, at.Lent))
	return shard, nil
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

// filters select what lies in the shard's partitions under a prefix.
func (p Place) filters(prefix string, partitions int) []string {
	var filters []string
	first, last := p.partitions(partitions)
	for n := first; n < last; n++ {
		filters = append(filters, prefix+strconv.Itoa(n)+".>")
	}
	return filters
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
