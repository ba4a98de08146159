package ops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
)

// Bulk says how something is done with many customers.
type Bulk struct {
	DryRun bool    // only count
	Rate   float64 // customers a second; 0: as fast as it goes
	Note   string  // why, for ACTIONS
	// Progress is told how many are done; nil: nobody looks.
	Progress func(done int)
}

func (b *Bulk) tell(done int) {
	if b.Progress != nil {
		b.Progress(done)
	}
}

// ReplayResult is what became of a replay.
type ReplayResult struct {
	Selected int  `json:"selected"`
	Queued   int  `json:"queued"`
	DryRun   bool `json:"dry_run"`
}

// replayWindow is how many wake-ups are stored at once.
const replayWindow = 500

// Replay queues the customers of open dead letters for their destinations: each
// is woken, and its newest state is delivered whatever the letter holds. No
// other destination is touched. The error says why letters were not queued.
func (d *Desk) Replay(ctx context.Context, f Filter, b Bulk) (ReplayResult, error) {
	done := ReplayResult{DryRun: b.DryRun}
	if !b.DryRun {
		what := struct {
			action
			Filter Filter `json:"filter"`
		}{d.action(b.Note), f}
		if err := d.note(ctx, "replay", f.Destination, what); err != nil {
			return done, err
		}
	}
	queue := &queue{desk: d, cause: pipeline.Replay, pace: pace{rate: b.Rate}}
	var wrong []error
	for l, err := range d.stored(ctx, f) {
		if err != nil {
			done.Selected++
			wrong = keep(wrong, err)
			continue
		}
		done.Selected++
		if b.DryRun {
			continue
		}
		if _, err := d.configured(l.Destination); err != nil {
			wrong = keep(wrong, fmt.Errorf("replay: %w", err))
			continue
		}
		if err := queue.add(ctx, l.Destination, l.Key()); err != nil {
			wrong = keep(wrong, err)
		}
		b.tell(queue.queued)
		if ctx.Err() != nil {
			break
		}
	}
	if err := queue.flush(ctx); err != nil {
		wrong = keep(wrong, err)
	}
	b.tell(queue.queued)
	done.Queued = queue.queued
	return done, errors.Join(wrong...)
}

// keep adds an error to those that are told: the first few of what may be many.
func keep(errs []error, err error) []error {
	if len(errs) < 5 {
		return append(errs, err)
	}
	return errs
}

// queue stores wake-ups window by window, at a pace.
type queue struct {
	desk   *Desk
	cause  pipeline.Cause
	force  bool
	pace   pace
	of     string // the destination of the window
	window []pipeline.Wakeup
	queued int
}

// add puts a customer into the window and stores a window that is full. An error
// means that the customers of the window were not queued.
func (q *queue) add(ctx context.Context, destination, key string) error {
	var err error
	if q.of != destination {
		err = q.flush(ctx)
		q.of = destination
	}
	q.window = append(q.window, pipeline.Wakeup{Key: key, Cause: q.cause, Force: q.force})
	if len(q.window) >= q.pace.window(replayWindow) {
		err = errors.Join(err, q.flush(ctx))
	}
	return err
}

func (q *queue) flush(ctx context.Context) error {
	n := len(q.window)
	if n == 0 {
		return nil
	}
	defer func() { q.window = q.window[:0] }()
	if err := q.pace.wait(ctx, n); err != nil {
		return err
	}
	now := time.Now()
	for i := range q.window {
		q.window[i].At = now
	}
	if err := q.desk.Streams.Alarm(q.of).Set(ctx, q.window); err != nil {
		return fmt.Errorf("queue %d customers for %s: %w", n, q.of, err)
	}
	q.queued += n
	return nil
}

// pace lets so many a second pass. The zero pace lets all pass.
type pace struct {
	rate float64
	next time.Time
}

// window is how many may pass at once: what a quarter of a second allows, so that
// a low rate is no burst now and then.
func (p *pace) window(most int) int {
	if p.rate <= 0 {
		return most
	}
	return min(max(int(p.rate/4), 1), most)
}

// wait returns when the next n may pass.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	from := later(p.next, now)
	p.next = from.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	t := time.NewTimer(from.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
