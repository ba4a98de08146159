package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// maxEffects is how many dead letters and wake-ups are stored at once.
const maxEffects = 128

type effect struct {
	doing string
	do    func(context.Context) error
	then  func()
}

// effect stores something beside the loop, as often as it takes, and then goes
// on in the loop.
func (d *Destination) effect(doing string, do func(context.Context) error, then func()) {
	d.todo = append(d.todo, effect{doing, do, then})
	d.startEffects()
}

func (d *Destination) startEffects() {
	for len(d.todo) > 0 && d.effects < maxEffects {
		e := d.todo[0]
		if d.todo = d.todo[1:]; len(d.todo) == 0 {
			d.todo = nil
		}
		d.effects++
		d.wg.Go(func() {
			done := d.insist(d.work, e.doing, e.do)
			d.post(func() {
				d.effects--
				if done {
					e.then()
				}
				d.startEffects()
			})
		})
	}
}

// storeWaits is how the stores are asked again while they fail: an outage of
// the stream, during which rows wait where they are.
var storeWaits = retry.Policy{Initial: 100 * time.Millisecond, Max: 5 * time.Second}

// insist repeats what the stores have to take until they do. It reports false
// when ctx ended before.
func (d *Destination) insist(ctx context.Context, doing string, do func(context.Context) error) bool {
	for attempt := 1; ; attempt++ {
		err := do(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.post(func() { d.Observer.Trouble(Trouble{Destination: d.Name, Doing: doing, Err: err}) })
		sleep(ctx, storeWaits.Delay(attempt))
	}
}

var errUnwritten = errors.New("the ledger did not say what became of an entry")

// slots are the places in the journal of calls that create. A place is free
// again when the ledger knows what became of every row of its call.
type slots struct {
	free    []int
	next    int
	closing int // being emptied
}

func (s *slots) take() int {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot
	}
	s.next++
	return s.next - 1
}

// journalled returns the batch if it has a place in the journal.
func (b *batch) journalled() *batch {
	if b.slot < 0 {
		return nil
	}
	return b
}

// resolve notes that the journal is no longer needed for one row of a batch, the
// ledger knowing what became of it.
func (d *Destination) resolve(b *batch) {
	if b == nil || b.slot < 0 {
		return
	}
	if b.open--; b.open > 0 {
		return
	}
	slot := b.slot
	b.slot = -1
	if !b.undone {
		d.slots.free = append(d.slots.free, slot)
		return
	}
	d.slots.closing++
	d.effect("empty the journal", func(ctx context.Context) error { return d.Calls.Close(ctx, []int{slot}) }, func() {
		d.slots.closing--
		d.slots.free = append(d.slots.free, slot)
		for _, s := range d.shards {
			d.finishRelease(s)
		}
	})
}

// undo resolves a row on which the call certainly had no effect. The ledger says
// nothing of it, so what the journal says has to go, or the next owner would take
// the row for one in doubt.
func (d *Destination) undo(b *batch) {
	b.undone = true
	d.resolve(b)
}

// letter makes a dead letter of the row that is under way.
func (d *Destination) letter(c *customer, why *death, now time.Time) *deadletter.Letter {
	r := c.flight
	seen := c.asRow(r)
	l := &deadletter.Letter{
		Destination: d.Name, Version: r.mark.Version, Seq: r.mark.Seq,
		Reason: why.reason, Errors: why.errors,
		Message:  sinks.ScrubMessage(why.message, &seen),
		Attempts: r.attempts + r.blamed, FirstAt: r.first.UTC(), LastAt: now,
		Event: r.event, Row: r.body,
		Fingerprint: d.fingerprint(why),
	}
	if r.first.IsZero() {
		l.FirstAt = now
	}
	l.SetKey(c.key)
	return l
}

func (d *Destination) fingerprint(why *death) string {
	return deadletter.Fingerprint(d.Name, why.reason, why.errors, why.message)
}
