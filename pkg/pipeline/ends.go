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
	// What the provider took is beyond doubt, whatever became of earlier calls.
	c.doubt = false
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
	entry := ledger.Entry{Held: c.entry.Held, Settled: &at.settled, Pending: c.leftover()}
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
		if until := c.overwritten(r.mark); now.Before(until) {
			// An older call may still arrive and overwrite this: send it once more then.
			entry.Pending = &ledger.Pending{Version: r.mark.Version, Seq: r.mark.Seq, Next: until.UTC(), Doubt: true, Delete: r.delete}
			c.end.wake, c.lost = until, lostCall{}
		}
	}
	if s := c.entry.Settled; s != nil && s.Outcome == ledger.Dead || r.cause == Replay || c.buried {
		c.end.closeLetter = true
	}
	c.end.kind, c.end.entry = final, entry
	d.settle(c)
}

// overwritten returns until when a call of an older version may still arrive at
// the provider: one that this worker lost, or one that the ledger knows of.
func (c *customer) overwritten(m ledger.Mark) time.Time {
	var until time.Time
	if c.lost.version < m.Version {
		until = c.lost.until
	}
	if p := c.entry.Pending; p != nil && p.Doubt && p.Version < m.Version {
		until = later(until, p.Next)
	}
	return until
}

// again lets a row wait that the provider refused for now, or ends it at its
// bound of attempts or time.
func (d *Destination) again(c *customer, b *batch, o *sinks.Outcome) {
	r, now := c.flight, time.Now()
	c.doubt = c.doubt || o.InDoubt
	r.attempt(b.started)
	r.failure = "retryable"
	if d.Retry.Exhausted(r.attempts, now.Sub(r.first)-r.idle) {
		c.end.batch = b.journalled()
		d.bury(c, &death{reason: deadletter.Exhausted, errors: o.Errors, message: o.Message})
		return
	}
	r.due = now.Add(max(d.Retry.Delay(r.attempts), o.After))
	d.counts.Retried++
	if o.InDoubt {
		d.doubt(c, b, true)
		return
	}
	d.undo(b)
	d.back(c)
}

// refused ends a row that the provider will not take, unless it takes none.
func (d *Destination) refused(c *customer, b *batch, o *sinks.Outcome) {
	why := &death{reason: deadletter.Rejected, errors: o.Errors, message: o.Message}
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
	if b.slot < 0 {
		if !over {
			c.lost.add(r.mark.Version, until)
		}
		d.back(c)
		return
	}
	if !over {
		c.quiet = until
	}
	c.end.batch = b
	c.end.kind, c.end.entry = marked, c.entry
	c.end.entry.Pending = d.pending(c, later(r.due, c.quiet))
	d.settle(c)
}

// schedule hands a row to a wake-up: pending into the ledger, the wake-up
// stored, then its messages are settled.
func (d *Destination) schedule(c *customer, until time.Time) {
	c.end.kind, c.end.entry = handed, c.entry
	c.end.entry.Pending = d.pending(c, until)
	c.end.wake = until
	d.settle(c)
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
	mark := r.mark
	if r.outside {
		// It takes no place in the order of versions, only in the stream's.
		mark.Version = c.entry.Top().Version
	}
	c.end.kind = final
	c.end.letter = d.letter(c, why, now)
	c.end.entry = ledger.Entry{
		Held: c.entry.Held,
		Settled: &ledger.Settled{
			Version: mark.Version, Seq: mark.Seq, Outcome: ledger.Dead, Reason: string(why.reason), At: now,
		},
		Pending: c.leftover(),
	}
	d.settle(c)
}

// leftover keeps the doubt of an earlier call beside an end that does not settle
// it, so that the next version is not created blindly.
func (c *customer) leftover() *ledger.Pending {
	if !c.doubt {
		return nil
	}
	until := c.quiet
	if p := c.entry.Pending; p != nil && p.Doubt {
		until = later(until, p.Next)
	}
	return &ledger.Pending{Doubt: true, Next: until.UTC()}
}
