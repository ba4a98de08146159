package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// delivered takes in the provider's verdicts.
func (d *Destination) delivered(b *batch, outcomes []sinks.Outcome, err error, took time.Duration) {
	now := time.Now()
	if b.probe {
		d.gate.probing = false
	}
	report := Call{Destination: d.Name, Lane: b.lane.Name, Rows: len(b.customers), Took: took, Probe: b.probe}
	var unheard []*customer
	for i, c := range b.customers {
		var o sinks.Outcome
		if i < len(outcomes) {
			o = outcomes[i]
		}
		report.Verdicts[o.Verdict]++
		switch o.Verdict {
		case sinks.Unknown:
			unheard = append(unheard, c)
		case sinks.Delivered, sinks.Unchanged, sinks.Skipped:
			if !b.lane.Local {
				d.refuse.went()
			}
			d.took(c, b, &o)
		case sinks.Retryable:
			d.again(c, b, &o)
		case sinks.Rejected:
			d.refused(c, b, &o)
		}
	}
	report.Unheard = len(unheard)
	var e *retry.Error
	if err != nil {
		e = retry.Of(err)
		report.Class, report.Code, report.Err = e.Class.String(), e.Code, err
	}
	d.counts.Calls++
	d.Observer.Call(&report)
	d.heed(b, e, len(unheard) < len(b.customers), now)
	if len(unheard) > 0 {
		d.unheard(b, unheard, e, now)
	}
}

// heed lets the gate follow from how a call went.
func (d *Destination) heed(b *batch, e *retry.Error, anyVerdict bool, now time.Time) {
	changed := false
	switch {
	case b.lane.Local && e == nil: // it was no call
	case d.refuse.active:
		changed = d.gate.close(now, Refusing, "refuses everything", 0, b.probe, blockedWaits)
	case e == nil && anyVerdict, e != nil && e.Class == retry.Permanent:
		d.oks++
		changed = d.gate.open(now, b.probe)
	case e == nil && !b.probe && b.suspect(d.oks):
	case e == nil:
		changed = d.gate.close(now, Outage, codeUnheard, 0, b.probe, d.Retry)
	case e.Code == codeLease || e.Code == codeJournal || b.orphaned():
		// The call was given up by us, which says nothing of the provider.
		if b.probe {
			d.gate.nudge(now)
		}
	case e.Class == retry.After:
		changed = d.gate.close(now, Throttled, e.Code, e.Wait, b.probe, d.Retry)
	case e.Class == retry.Blocked:
		changed = d.gate.close(now, Refusing, e.Code, 0, b.probe, blockedWaits)
	case anyVerdict:
		changed = d.gate.open(now, b.probe)
	case !b.probe && b.suspect(d.oks):
		// The provider answers others: this is not an outage.
	default:
		changed = d.gate.close(now, Outage, e.Code, 0, b.probe, d.Retry)
	}
	if changed {
		d.Observer.Gate(d.gate.shown())
	}
}

// codeUnheard stands for an answer without a verdict on any of its rows.
const codeUnheard = "no_verdict"

// orphaned reports whether a lease of the batch ended, and its call with it.
func (b *batch) orphaned() bool {
	for _, c := range b.customers {
		if c.shard.Lease.Context().Err() != nil {
			return true
		}
	}
	return false
}

// suspect reports whether a batch's one row has failed before while calls
// without it went through.
func (b *batch) suspect(oks uint64) bool {
	if len(b.customers) != 1 {
		return false
	}
	c := b.customers[0]
	return c.flight != nil && c.flight.seen > 0 && oks >= c.flight.seen
}

// unheard deals with the rows of a call that have no verdict.
func (d *Destination) unheard(b *batch, rows []*customer, e *retry.Error, now time.Time) {
	if e != nil && e.Class == retry.Permanent {
		if len(b.customers) == 1 {
			d.refused(rows[0], b, &sinks.Outcome{Verdict: sinks.Rejected, Message: e.Error(), Reason: e.Code})
			return
		}
		d.halve(b, rows)
		return
	}
	ours := b.orphaned()
	for _, c := range rows {
		if r := c.flight; !r.first.IsZero() {
			r.idle += now.Sub(b.started)
		}
		if !ours {
			d.blame(c, len(b.customers), e, now)
		}
		unsent := e != nil && e.Unsent
		if d.wornOut(c.flight) {
			d.wearOut(c, b, unsent)
			continue
		}
		if !unsent {
			d.doubt(c, b, e == nil || e.Over)
			continue
		}
		d.undo(b)
		d.back(c)
	}
}

// halve sends a batch that was refused as a whole again in two halves, the
// first one first, so that a single bad row is found in 2·log2(n) calls.
func (d *Destination) halve(b *batch, rows []*customer) {
	stay := rows[:0]
	for _, c := range rows {
		d.undo(b)
		if c.shard.leaving {
			d.back(c)
		} else {
			stay = append(stay, c)
		}
	}
	half := (len(stay) + 1) / 2
	for _, part := range [][]*customer{stay[half:], stay[:half]} {
		if len(part) == 0 {
			continue
		}
		d.forced = append(d.forced, &batch{customers: part, lane: b.lane, isolated: true, slot: -1})
	}
}

// blame notes that a call with this row failed without a verdict. It counts
// against the row only when other calls went through since it failed the last
// time: then its batches shrink until it stands alone, and only alone it wears
// out its attempts, threefold, since chance may have been at work.
func (d *Destination) blame(c *customer, rows int, e *retry.Error, now time.Time) {
	r := c.flight
	r.failure = codeUnheard
	if e != nil {
		r.failure = e.Code
	}
	if e != nil && (e.Class != retry.Transient || e.Code == codeLease || e.Code == codeJournal) {
		return
	}
	suspected := r.seen > 0 && d.oks >= r.seen
	r.seen = d.oks + 1
	switch {
	case suspected && rows == 1:
		if r.blamed++; r.first.IsZero() {
			r.first = now
		}
		r.due = now.Add(d.Retry.Delay(r.blamed))
	case suspected:
		r.cap = max(1, rows/2)
		r.due = now.Add(d.Retry.Delay(1))
	case e == nil:
		r.due = now.Add(d.Retry.Delay(1))
	}
}

// blameless is how many calls without a verdict weigh as much as an attempt.
const blameless = 3

// wornOut reports whether a row without verdicts has had its share of attempts.
func (d *Destination) wornOut(r *row) bool {
	return r.blamed > 0 && r.blamed+blameless*r.attempts >= blameless*d.Retry.MaxAttempts
}

// wearOut ends a row that gets no verdict even alone, while others do.
func (d *Destination) wearOut(c *customer, b *batch, unsent bool) {
	why := &death{reason: deadletter.Exhausted, message: "calls for this customer alone get no verdict: " + c.flight.failure}
	c.doubt = c.doubt || !unsent
	if c.doubt && b.slot >= 0 {
		why.reason = deadletter.InDoubt
	}
	c.end.batch = b.journalled()
	d.bury(c, why)
}
