package worker

import (
	"context"
	"sync"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// Stats is what a worker tells of one of its destinations.
type Stats struct {
	RowsPerSecond  float64 `json:"rows_per_second"`
	CallsPerSecond float64 `json:"calls_per_second"`
	Waiting        int     `json:"waiting"`   // customers in memory
	InFlight       int     `json:"in_flight"` // deliveries
	// Outcomes are rows by what became of them since the worker began; retried ones
	// come again.
	Outcomes map[string]uint64 `json:"outcomes,omitempty"`
}

// Snapshot returns the state of a destination's loop as of a moment ago; nil
// while there is none. It may be called at any time.
func (w *Worker) Snapshot(destination string) *pipeline.Snapshot {
	if !w.made.Load() {
		return nil
	}
	for _, r := range w.runners {
		if r.config.Name == destination {
			return r.loop.Snapshot()
		}
	}
	return nil
}

// backlog is what waits for a destination, at whichever worker.
type backlog struct{ stream.Backlog }

func (b *backlog) age() time.Duration {
	if b.Oldest.IsZero() {
		return 0
	}
	return max(time.Since(b.Oldest), 0)
}

const (
	// lookEvery is how often a worker asks the streams what waits: often enough for
	// a graph.
	lookEvery = 10 * time.Second
	// lookShare is how many times as long as the asking took the pause after it is:
	// the server counts through all customers.
	lookShare = 30
	// rememberEvery is how often it is noted how far the streams are.
	rememberEvery = time.Minute
)

// look keeps the backlog and the speed up to date.
func (r *runner) look(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var due, remember time.Time
	for {
		select {
		case now := <-tick.C:
			if s := r.loop.Snapshot(); s != nil {
				c := s.Counts
				r.speed.note(now, c.Delivered+c.Unchanged+c.Skipped, r.rate.Calls())
			}
			if now.Before(due) {
				continue
			}
			due = now.Add(lookEvery)
		case <-ctx.Done():
			return
		}
		layout, err := r.streams.Layout(ctx, r.config.Name)
		if err != nil || layout == nil {
			continue
		}
		began := time.Now()
		if r.vetted.Load() && began.After(remember) && r.streams.Remember(ctx, r.config.Name) == nil {
			remember = began.Add(rememberEvery)
		}
		b, err := r.streams.Backlog(ctx, r.config.Name, *layout)
		if err != nil {
			continue // the loop tells of an outage of the stream
		}
		if next := time.Now().Add(lookShare * time.Since(began)); next.After(due) {
			due = next
		}
		r.backlog.Store(&backlog{b})
	}
}

func (r *runner) stats() Stats {
	var st Stats
	st.RowsPerSecond, st.CallsPerSecond = r.speed.now()
	if s := r.loop.Snapshot(); s != nil {
		st.Waiting, st.InFlight = s.Waiting, s.InFlight
		c := &s.Counts
		st.Outcomes = map[string]uint64{
			"delivered": c.Delivered, "unchanged": c.Unchanged, "skipped": c.Skipped, "filtered": c.Filtered,
			"superseded": c.Superseded, "dead": c.Dead, "retried": c.Retried,
		}
	}
	return st
}

// speed is a rate over the last seconds.
type speed struct {
	mu    sync.Mutex
	times [speedSpan]time.Time
	rows  [speedSpan]uint64
	calls [speedSpan]uint64
	next  int
}

const speedSpan = 6 // samples, one a second

func (s *speed) note(now time.Time, rows, calls uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.next % speedSpan
	s.times[i], s.rows[i], s.calls[i] = now, rows, calls
	s.next++
}

func (s *speed) now() (rows, calls float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next < 2 {
		return 0, 0
	}
	last := (s.next - 1) % speedSpan
	first := 0
	if s.next > speedSpan {
		first = s.next % speedSpan
	}
	seconds := s.times[last].Sub(s.times[first]).Seconds()
	if seconds <= 0 {
		return 0, 0
	}
	return float64(s.rows[last]-s.rows[first]) / seconds, float64(s.calls[last]-s.calls[first]) / seconds
}
