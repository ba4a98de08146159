package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Backlog is what waits for a destination, or for one shard of it.
type Backlog struct {
	Waiting  uint64    // events beyond the cursor, and wake-ups whose time has come
	Oldest   time.Time // of the events that wait; zero: none
	Retrying uint64    // wake-ups whose time has not come; of a destination only
	Dead     uint64    // stored dead letters; of a destination only
}

// Backlog counts what waits for a destination in this layout.
func (s *Streams) Backlog(ctx context.Context, destination string, l Layout) (Backlog, error) {
	var all Backlog
	for id := range l.Shards {
		b, err := s.ShardBacklog(ctx, Place{destination, l.Generation, l.Shards, id})
		if err != nil {
			return all, err
		}
		all.Waiting += b.Waiting
		if !b.Oldest.IsZero() && (all.Oldest.IsZero() || b.Oldest.Before(all.Oldest)) {
			all.Oldest = b.Oldest
		}
	}
	var err error
	if all.Retrying, err = s.count(ctx, Wakeups, schedulePrefix+destination+".>"); err != nil {
		return all, err
	}
	all.Dead, err = s.count(ctx, DeadLetters, lettersPrefix+destination+".*.*")
	return all, err
}

// ShardBacklog counts what lies beyond a shard's cursor.
func (s *Streams) ShardBacklog(ctx context.Context, place Place) (Backlog, error) {
	c, err := s.Cursor(ctx, place)
	if err != nil {
		return Backlog{}, err
	}
	events := s.newReader(Customers, customersPrefix, place, "count", c.Events.Settled+1)
	waiting, oldest, err := events.peek(ctx)
	if err != nil {
		return Backlog{}, fmt.Errorf("count what waits for shard %s: %w", place, err)
	}
	wakes := s.newReader(Wakeups, wakePrefix+place.Destination+".", place, "count", c.Wakeups.Settled+1)
	due, _, err := wakes.peek(ctx)
	if err != nil {
		return Backlog{}, fmt.Errorf("count what waits for shard %s: %w", place, err)
	}
	return Backlog{Waiting: waiting + due, Oldest: oldest}, nil
}

// Retrying counts the wake-ups of a destination whose time has not come.
func (s *Streams) Retrying(ctx context.Context, destination string) (uint64, error) {
	return s.count(ctx, Wakeups, schedulePrefix+destination+".>")
}

// count tells how many messages of a filter a stream holds: a consumer is asked
// for what it would deliver, since the stream itself would list every subject.
func (s *Streams) count(ctx context.Context, stream, filter string) (uint64, error) {
	r := &reader{nc: s.nc, js: s.js, stream: stream, filters: []string{filter}, name: "count", headers: true}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return 0, fmt.Errorf("count %s: %w", filter, err)
	}
	return r.pending, nil
}

// peek counts what there is to read, and tells the time of the first of it.
func (r *reader) peek(ctx context.Context) (n uint64, first time.Time, err error) {
	r.headers, r.drain, r.most = true, true, 1
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return 0, first, err
	}
	if n = r.pending; n == 0 {
		return 0, first, nil
	}
	err = r.read(ctx, 1, func(_ *nats.Msg, d delivery) {
		if first.IsZero() {
			first = d.at
		}
	})
	return n, first, err
}
