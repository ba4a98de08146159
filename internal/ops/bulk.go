package ops

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/stream"
)

// Bulk says how something is done with many customers.
type Bulk struct {
	DryRun bool    // only tell what would be done
	Rate   float64 // customers a second; 0: as fast as it goes
	Note   string  // why, for ACTIONS
	// Began is told before the first letter is touched, unless there is none or it is
	// a dry run; nil: nobody looks.
	Began func(Began)
	// Progress is told how many are done; nil: nobody looks.
	Progress func(done int)
	// Row is told of each letter of a dry run what would be done, and of those that
	// an edit was refused for; nil: nobody looks. An error ends the matter.
	Row func(*Would) error
	// Paths has errors of an edit name the customer's fields that they come from,
	// which takes as many tries as the customer has fields.
	Paths bool
}

func (b *Bulk) tell(done int) {
	if b.Progress != nil {
		b.Progress(done)
	}
}

func (b *Bulk) row(w *Would) error {
	if b.Row == nil {
		return nil
	}
	return b.Row(w)
}

// letterWindow is how many letters are in memory at once.
const letterWindow = 200

// windows hands the letters of a query to do, at most size at once, until it fails
// or the list breaks off. Letters that can't be read are told of in wrong.
func (d *Desk) windows(ctx context.Context, q stream.Query, destination string, size int, wrong *[]error, do func([]*deadletter.Letter) error) (selected int, err error) {
	return gather(ctx, d.listed(ctx, q, destination), size, wrong, do)
}

func gather(ctx context.Context, list iter.Seq2[*deadletter.Letter, error], size int, wrong *[]error, do func([]*deadletter.Letter) error) (selected int, err error) {
	window := make([]*deadletter.Letter, 0, size)
	for l, err := range list {
		if err != nil {
			if errors.As(err, new(*UnknownDestination)) {
				return 0, err
			}
			if errors.As(err, new(*stream.Stopped)) {
				if len(window) > 0 {
					err = errors.Join(do(window), err)
				}
				return selected, err
			}
			selected++
			*wrong = keep(*wrong, err)
			continue
		}
		selected++
		if window = append(window, l); len(window) == size {
			if err := do(window); err != nil {
				return selected, err
			}
			window = window[:0]
		}
		if ctx.Err() != nil {
			return selected, ctx.Err()
		}
	}
	if len(window) == 0 {
		return selected, nil
	}
	return selected, do(window)
}

// byDestination hands the letters of a window to do, those of one destination
// at a time.
func byDestination(window []*deadletter.Letter, do func(letters []*deadletter.Letter) error) error {
	of := map[string][]*deadletter.Letter{}
	var order []string
	for _, l := range window {
		if of[l.Destination] == nil {
			order = append(order, l.Destination)
		}
		of[l.Destination] = append(of[l.Destination], l)
	}
	for _, destination := range order {
		if err := do(of[destination]); err != nil {
			return err
		}
	}
	return nil
}

// keep adds an error to those that are told: the first few of what may be many.
func keep(errs []error, err error) []error {
	if len(errs) < 5 {
		return append(errs, err)
	}
	return errs
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
