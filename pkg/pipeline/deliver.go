package pipeline

import (
	"context"
	"time"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// batch is the rows of one Deliver.
type batch struct {
	customers []*customer
	lane      *lane
	isolated  bool // halved out of a batch that was refused as a whole
	probe     bool // tries whether a closed gate can open
	slot      int  // in the journal of calls that create; -1: none
	open      int  // rows whose doubt only the journal knows
	undone    bool // the journal holds rows on which the call had no effect
	started   time.Time
	held      func() error // why the call may not be made, or no further: a lease
}

// dispatch starts as many deliveries as may start now and returns when the next
// one may; zero: when something comes.
func (d *Destination) dispatch(now time.Time) (next time.Time) {
	for d.inflight < d.Concurrency && len(d.writes) < maxWriteBacklog {
		open, probe, at := d.gate.admits(now, d.inflight)
		if d.gate.paused {
			return time.Time{}
		}
		l, due := d.turn(now, open && d.calling.Load() < int64(d.part))
		if l == nil {
			return earliest(at, due)
		}
		if !l.Local && !d.paid {
			wait, ok := d.Rate.take(now)
			if !ok && wait == 0 {
				return time.Time{}
			}
			if !ok {
				return now.Add(wait)
			}
			d.paid, d.paidAt = true, now
		}
		b := d.nextBatch(l, d.gate.size(l.maxRows))
		if len(b.customers) == 0 {
			continue
		}
		if !d.ownsAll(b) {
			return now.Add(leaseRecheck)
		}
		if !l.Local { // which asks nothing of the provider, and tells nothing of it
			b.probe, d.gate.probing, d.paid = probe, probe, false
		}
		d.start(b)
	}
	return time.Time{}
}

const (
	maxWriteBacklog = 8_000 // ends that wait for the ledger; beyond it nothing is sent
	leaseRecheck    = 100 * time.Millisecond
)

// turn returns the lane that is to have a call now, or when the next one is: that
// of the halves of a refused batch before any other, since they tell which row is
// at fault; then those whose batches are due, taking turns, and last those that have
// nothing but a backfill's rows. While the gate is closed only lanes that need no
// call are open.
func (d *Destination) turn(now time.Time, open bool) (*lane, time.Time) {
	if n := len(d.forced); n > 0 && open {
		return d.forced[n-1].lane, time.Time{}
	}
	var next time.Time
	fill := -1
	for i, l := range d.laneOrder {
		if !open && !l.Local {
			continue
		}
		due, fills, at := d.laneDue(l, now)
		switch {
		case due && !fills:
			return d.rotate(i), time.Time{}
		case due && fill < 0 && (l.Local || d.mayFill()):
			fill = i
		case !due:
			next = earliest(next, at)
		}
	}
	if fill >= 0 {
		return d.rotate(fill), time.Time{}
	}
	return nil, next
}

// rotate puts a lane behind the others.
func (d *Destination) rotate(i int) *lane {
	l := d.laneOrder[i]
	d.laneOrder = append(append(d.laneOrder[:i:i], d.laneOrder[i+1:]...), l)
	return l
}

// mayFill reports whether a delivery of nothing but a backfill's rows may start: one
// is left for what comes, where there can be several.
func (d *Destination) mayFill() bool {
	return d.part == 1 || d.calling.Load() < int64(d.part)-1
}

// nextBatch returns the batch of a lane that is to go now, of so many rows at most.
func (d *Destination) nextBatch(l *lane, rows int) *batch {
	if n := len(d.forced); n > 0 && d.forced[n-1].lane == l {
		b := d.forced[n-1]
		d.forced[n-1] = nil
		d.forced = d.forced[:n-1]
		return b
	}
	now := time.Now()
	b := &batch{customers: d.cut(l, rows), lane: l, slot: -1}
	for _, c := range b.customers {
		d.begin(c)
		if r := c.flight; !r.first.IsZero() {
			r.idle += now.Sub(c.readyAt) // the time in line is not the row's
		}
		c.stage, c.readyAt = flying, time.Time{}
	}
	return b
}

// ownsAll reports whether the leases of all rows of a batch are held; the rows
// go back in line if not.
func (d *Destination) ownsAll(b *batch) bool {
	for _, c := range b.customers {
		if !c.shard.Lease.Held() {
			for _, c := range b.customers {
				d.back(c)
			}
			return false
		}
	}
	return true
}

// start makes the call beside the loop.
func (d *Destination) start(b *batch) {
	rows := d.takeRows(len(b.customers))
	owners := map[*shard]bool{}
	var call *OpenCall
	for i, c := range b.customers {
		rows[i] = c.asRow(c.flight)
		owners[c.shard] = true
	}
	b.held = func() error {
		for s := range owners {
			if !s.Lease.Held() {
				return &retry.Error{Code: codeLease, Unsent: true, Over: true}
			}
		}
		return nil
	}
	if b.lane.Once {
		b.slot, b.open = d.slots.take(), len(b.customers)
		call = &OpenCall{Rows: make([]CallRow, len(b.customers))}
		for i, c := range b.customers {
			call.Rows[i] = CallRow{Key: c.key, Version: c.flight.mark.Version, Seq: c.flight.mark.Seq}
		}
	}
	paidAt := d.paidAt
	d.begun(b)
	d.wg.Go(func() {
		ctx, cancel := context.WithTimeout(d.work, d.Timeout*time.Duration(max(b.lane.Calls, 1)))
		defer cancel()
		for s := range owners {
			defer context.AfterFunc(s.Lease.Context(), cancel)()
		}
		var outcomes []sinks.Outcome
		err := d.note(ctx, b, call)
		started := time.Now()
		if err == nil {
			outcomes, err = d.Sink.Deliver(sinks.While(prepaid(ctx, paidAt), b.held), rows)
		}
		took := time.Since(started)
		d.post(func() {
			b.started = started
			d.over(b)
			clear(rows)
			d.spare = append(d.spare, rows)
			d.delivered(b, outcomes, err, took)
		})
	})
}

// takeRows returns so many rows, of an earlier call where there are any.
func (d *Destination) takeRows(n int) []sinks.Row {
	if last := len(d.spare) - 1; last >= 0 {
		rows := d.spare[last]
		d.spare[last], d.spare = nil, d.spare[:last]
		if cap(rows) >= n {
			return rows[:n]
		}
	}
	return make([]sinks.Row, n)
}

// Codes of calls that were never made, for our own reasons.
const (
	codeLease   = "lease"   // a shard's lease may have run out before all was written
	codeJournal = "journal" // the call could not be noted
)

// note writes a call that can't be repeated into the journal, before it is made.
func (d *Destination) note(ctx context.Context, b *batch, call *OpenCall) error {
	if call == nil {
		return nil
	}
	call.At = time.Now().UTC()
	if deadline, ok := ctx.Deadline(); ok {
		call.Until = deadline.UTC()
	}
	if !d.insist(ctx, "note the call", func(ctx context.Context) error { return d.Calls.Open(ctx, b.slot, *call) }) {
		return &retry.Error{Code: codeJournal, Unsent: true, Over: true}
	}
	return b.held()
}
