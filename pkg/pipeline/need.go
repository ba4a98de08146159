package pipeline

import (
	"context"
	"time"
)

// begun counts a delivery that begins.
func (d *Destination) begun(b *batch) {
	d.inflight++
	if !b.lane.Local {
		d.calling.Add(1)
	}
}

// over counts a delivery that is over, and lets the Sharer know when there are no
// more than there may be.
func (d *Destination) over(b *batch) {
	d.inflight--
	if !b.lane.Local && d.calling.Add(-1) == int64(d.part) {
		d.ask()
	}
}

// ask makes the Sharer look.
func (d *Destination) ask() {
	select {
	case d.asks <- struct{}{}:
	default:
	}
}

// allow says how many deliveries may make calls at the same time. It returns when
// no further one beyond that is begun.
func (d *Destination) allow(ctx context.Context, deliveries int) {
	d.init()
	// An error says that the loop has ended, or that nobody waits any more.
	_ = d.call(ctx, func(done chan struct{}) {
		if deliveries < d.part {
			d.paid = false
		}
		d.part, d.needy = deliveries, false
		close(done)
	})
}

// tellNeed notes how many deliveries wait or are under way. Where there is use for one
// and nothing may be used, the Sharer is told at once.
func (d *Destination) tellNeed(now time.Time) {
	if !d.Shared {
		return
	}
	n := d.calling.Load()
	if open, probe, _ := d.gate.admits(now, d.inflight); open {
		waiting := len(d.forced)
		for _, l := range d.laneOrder {
			if !l.Local && l.rows > 0 {
				waiting += (l.rows + l.maxRows - 1) / l.maxRows
			}
		}
		if probe {
			waiting = min(waiting, 1)
		}
		n += int64(waiting)
	}
	d.wants.Store(n)
	if n > d.wanted.Load() {
		d.wanted.Store(n)
	}
	if n > 0 && d.part == 0 && !d.needy {
		d.needy = true
		d.ask()
	}
}

// needs is what there is use for, or was since it was asked for last.
func (d *Destination) needs(limits Share) Share {
	n := int(max(d.wanted.Swap(0), d.wants.Load()))
	return Share{min(n, limits.Concurrency), min(float64(n), limits.CallsPerSecond)}
}
