package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// took ends a row that the provider took, or had, or has no operation for.
func (d *Destination) took(c *customer, b *batch, o *sinks.Outcome) {
	c.end.batch, c.end.taken = b.journalled(), true
	r := c.flight
	// What the provider took is beyond doubt, whatever became of earlier calls. That
	// it has no such operation tells nothing of them.
	c.doubt = c.doubt && o.Verdict == sinks.Skipped
	word := ledger.Delivered
	switch o.Verdict {
	case sinks.Unchanged:
		word = ledger.Unchanged
	case sinks.Skipped:
		word = ledger.Skipped
	case sinks.Unknown, sinks.Delivered, sinks.Retryable, sinks.Rejected:
	}
	if !r.at.IsZero() {
		d.Observer.Latency(time.Since(r.at))
	}
	d.conclude(c, word, o)
}

// end ends a row without a call.
func (d *Destination) end(c *customer, word, reason string) {
	d.conclude(c, word, &sinks.Outcome{Reason: reason})
}

// ended holds what a ledger entry points to, in one piece.
type ended struct {
	held    ledger.Held
	settled ledger.Settled
}

func (d *Destination) conclude(c *customer, word string, o *sinks.Outcome) {
	r, now := c.flight, time.Now().UTC()
	at := &ended{settled: ledger.Settled{Version: r.mark.Version, Seq: r.mark.Seq, Outcome: word, Reason: o.Reason, At: now}}
	entry := ledger.Entry{Held: c.entry.Held, Settled: &at.settled, Pending: d.leftover(c)}
	switch word {
	case ledger.Delivered, ledger.Unchanged:
		if r.delete {
			entry.Held = nil
			if at.settled.Reason == "" {
				at.settled.Reason = "deleted"
			}
		} else {
			at.held = ledger.Held{Version: r.mark.Version, Seq: r.mark.Seq, Hash: r.hash, ProviderID: o.ProviderID, At: now}
			if at.held.ProviderID == "" && c.entry.Held != nil {
				at.held.ProviderID = c.entry.Held.ProviderID
			}
			entry.Held = &at.held
		}
		if now.Before(d.overwritten(c)) {
			// An older call may still arrive and overwrite this: send it once more then.
			until := d.arriving(c)
			entry.Pending = &ledger.Pending{Version: r.mark.Version, Seq: r.mark.Seq, Next: until.UTC(), Doubt: true, Delete: r.delete}
			c.end.wake = until
		}
	}
	at.settled.Edit = r.sentAs()
	switch s := c.entry.Settled; {
	case r.cause == Replay || c.buried:
		c.end.closeUpTo = r.mark.Seq
		if s != nil {
			c.end.closeUpTo = max(r.mark.Seq, s.Seq)
		}
	case s == nil:
	case s.Outcome == ledger.Dead && s.Seq > r.mark.Seq:
		entry.Settled = lastInStream(&entry, s)
	case s.Outcome == ledger.Dead || s.Edit != at.settled.Edit: // what was corrected is over
		c.end.closeUpTo = r.mark.Seq
	}
	c.end.outcome = word
	c.end.kind, c.end.entry, c.end.erase = final, entry, r.delete && word != ledger.Dead
	d.settle(c)
}

// again lets a row wait that the provider refused for now, or ends it at its
// bound of attempts or time.
func (d *Destination) again(c *customer, b *batch, o *sinks.Outcome) {
	r, now := c.flight, time.Now()
	c.doubt = c.doubt || o.InDoubt || o.Partly
	r.attempt(b.started)
	r.failure = "retryable"
	if d.Retry.Exhausted(r.attempts, now.Sub(r.first)-r.idle) {
		c.end.batch = b.journalled()
		d.bury(c, &death{reason: deadletter.Exhausted, errors: o.Errors, message: o.Message})
		return
	}
	r.due = now.Add(max(d.Retry.Delay(r.attempts), o.After))
	d.counts.Retried++
	if o.InDoubt || o.Partly {
		d.doubt(c, b, true)
		return
	}
	d.undo(b)
	d.back(c)
}

// refused ends a row that the provider will not take, unless it takes none.
func (d *Destination) refused(c *customer, b *batch, o *sinks.Outcome) {
	why := &death{reason: deadletter.Rejected, errors: o.Errors, message: o.Message}
	c.doubt = c.doubt || o.Partly // the provider no longer has what the ledger says
	if o.InDoubt {
		why.reason = deadletter.InDoubt
	} else if !d.refuse.note(d.fingerprint(why), b.isolated, d.Batch.MaxRows) {
		d.undo(b)
		d.back(c)
		return
	}
	c.flight.attempt(b.started)
	c.end.batch = b.journalled()
	d.bury(c, why)
}

// doubt stores that a call of the row may have been applied, before its journal
// slot is used again. Calls that can be repeated need no mark: they are.
func (d *Destination) doubt(c *customer, b *batch, over bool) {
	r := c.flight
	c.doubt = true
	until := b.started.Add(d.Timeout)
	if b.lane.Calls > 1 {
		until = time.Now().Add(d.Timeout) // its last call may just have begun
	}
	if b.slot < 0 {
		if !over {
			c.lost.add(r, until)
		}
		d.back(c)
		return
	}
	if !over {
		c.quiet = until
	}
	c.end.batch = b
	c.end.kind, c.end.entry = marked, c.entry
	c.end.entry.Pending = d.pending(c, later(later(r.due, c.quiet), d.arriving(c)))
	d.settle(c)
}

// schedule hands a row to a wake-up: pending into the ledger, the wake-up
// stored, then its messages are settled.
func (d *Destination) schedule(c *customer, until time.Time) {
	if c.flight.delete {
		d.takeAlong(c)
	}
	c.end.kind, c.end.entry = handed, c.entry
	// Never the zero time, of which no wake-up would come.
	until = later(later(until, time.Now()), d.arriving(c))
	c.end.entry.Pending = d.pending(c, until)
	c.end.wake = until
	d.settle(c)
}

// takeAlong hands what follows a deletion to its wake-up too, which reads the newest
// state: alone it would only bring the deletion back.
func (d *Destination) takeAlong(c *customer) {
	r := c.flight
	for p := &c.rows; *p != nil; {
		q := *p
		if q.outside {
			p = &q.next
			continue
		}
		r.loans, r.force = append(r.loans, q.loans...), r.force || q.force
		d.used -= q.size()
		*p, q.next = q.next, nil
	}
}

func (d *Destination) pending(c *customer, next time.Time) *ledger.Pending {
	r := c.flight
	first := r.first
	if !first.IsZero() {
		first = first.Add(r.idle)
	}
	p := &ledger.Pending{
		Version: r.mark.Version, Seq: r.mark.Seq, Attempts: r.attempts + (r.blamed+blameless-1)/blameless, First: first,
		Doubt: c.doubt, Delete: r.delete, Error: r.failure,
	}
	if next.After(time.Now()) {
		p.Next = next.UTC()
	}
	return p
}

// bury writes a dead letter.
func (d *Destination) bury(c *customer, why *death) {
	r, now := c.flight, time.Now().UTC()
	mark, left := r.mark, d.leftover(c)
	if r.outside {
		mark.Version, left = c.outOfOrder(left)
	}
	c.end.kind, c.end.outcome = final, ledger.Dead
	c.end.letter = d.letter(c, why, now)
	if s := c.entry.Settled; s != nil && s.Outcome == ledger.Dead && s.Seq == r.mark.Seq {
		c.end.letter.FirstAt = time.Time{} // it was there before, and comes back
	}
	c.end.entry = ledger.Entry{
		Held: c.entry.Held,
		Settled: &ledger.Settled{
			Version: mark.Version, Seq: mark.Seq, Outcome: ledger.Dead, Reason: string(why.reason), At: now, Edit: r.sentAs(),
		},
		Pending: left,
	}
	d.settle(c)
}
