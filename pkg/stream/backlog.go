package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Backlog is what waits for a destination.
type Backlog struct {
	Waiting  uint64    // events beyond the cursor, and wake-ups whose time has come
	Oldest   time.Time // of the events that wait; zero: none
	Retrying uint64    // wake-ups whose time has not come
	Dead     uint64    // stored dead letters
}

// Backlog counts what waits for a destination in this layout. It is near enough
// for people and graphs: any replica may answer, and not all are counted at the
// same moment.
func (s *Streams) Backlog(ctx context.Context, destination string, l Layout) (Backlog, error) {
	var all Backlog
	var parts []part
	for id := range l.Shards {
		of, err := s.beyond(ctx, Place{destination, l.Generation, l.Shards, id})
		if err != nil {
			return all, err
		}
		parts = append(parts, of...)
	}
	if err := s.tally(ctx, parts); err != nil {
		return all, fmt.Errorf("count what waits for %s: %w", destination, err)
	}
	for i := range parts {
		p := &parts[i]
		all.Waiting += p.n
		if p.stream == Customers && p.n > 0 && (all.Oldest.IsZero() || p.first.Before(all.Oldest)) {
			all.Oldest = p.first
		}
	}
	var err error
	if all.Retrying, err = s.count(ctx, Wakeups, schedulePrefix+destination+".>"); err != nil {
		return all, err
	}
	all.Dead, err = s.count(ctx, DeadLetters, lettersPrefix+destination+".*.*")
	return all, err
}

// Fired counts the wake-ups of a destination whose time has come and that are not
// settled.
func (s *Streams) Fired(ctx context.Context, destination string) (fired uint64, err error) {
	layout, err := s.Layout(ctx, destination)
	if err != nil {
		return 0, err
	}
	if layout == nil {
		return s.count(ctx, Wakeups, wakePrefix+destination+".>")
	}
	for id := range layout.Shards {
		place := Place{destination, layout.Generation, layout.Shards, id}
		c, err := s.Cursor(ctx, place)
		if err != nil {
			return 0, err
		}
		for _, filter := range place.filters(wakePrefix+destination+".", s.config.Partitions) {
			p := part{stream: Wakeups, filter: filter, from: c.Wakeups.Settled + 1}
			if err := s.measure(ctx, &p); err != nil {
				return 0, fmt.Errorf("count what waits for %s: %w", destination, err)
			}
			fired += p.n
		}
	}
	return fired, nil
}

// Retrying counts the wake-ups of a destination whose time has not come.
func (s *Streams) Retrying(ctx context.Context, destination string) (uint64, error) {
	return s.count(ctx, Wakeups, schedulePrefix+destination+".>")
}

// part is what a stream holds of one filter from a sequence on.
type part struct {
	stream, filter string
	from           uint64

	n     uint64
	first time.Time // when the first of them was stored
}

// beyond are the parts that lie beyond a shard's cursor.
func (s *Streams) beyond(ctx context.Context, place Place) ([]part, error) {
	c, err := s.Cursor(ctx, place)
	if err != nil {
		return nil, err
	}
	var parts []part
	for i, filter := range place.filters(customersPrefix, s.config.Partitions) {
		parts = append(parts, part{stream: Customers, filter: filter, from: c.Events[i].Settled + 1})
	}
	for _, filter := range place.filters(wakePrefix+place.Destination+".", s.config.Partitions) {
		parts = append(parts, part{stream: Wakeups, filter: filter, from: c.Wakeups.Settled + 1})
	}
	return parts, nil
}

// countAtOnce is how many counts are asked for at the same time: there may be
// many partitions, and the work goes on beside.
const countAtOnce = 2

// tally counts the parts, some at a time.
func (s *Streams) tally(ctx context.Context, parts []part) error {
	errs := make([]error, countAtOnce)
	var wg sync.WaitGroup
	for n := range countAtOnce {
		wg.Go(func() {
			for i := n; i < len(parts) && errs[n] == nil; i += countAtOnce {
				errs[n] = s.measure(ctx, &parts[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// measure counts a part. The first message is asked for, since the server tells
// with it how many follow; the stream's own state would list every subject.
func (s *Streams) measure(ctx context.Context, p *part) error {
	for {
		p.n = 0
		end, err := s.post.fetch(ctx, p.stream, get{Filter: p.filter, Seq: p.from, Batch: 1}, func(k kept) {
			p.n, p.first = 1, k.at()
		})
		if errors.Is(err, errTorn) && ctx.Err() == nil {
			continue
		}
		p.n += uint64(end.left)
		return err
	}
}

// count tells how many messages of a filter a stream holds.
func (s *Streams) count(ctx context.Context, stream, filter string) (uint64, error) {
	p := part{stream: stream, filter: filter, from: 1}
	if err := s.measure(ctx, &p); err != nil {
		return 0, fmt.Errorf("count %s: %w", filter, err)
	}
	return p.n, nil
}
