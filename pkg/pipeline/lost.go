package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/ledger"
)

// lostCall is a call without an answer that can be repeated: until its time is
// over it may still overwrite what was sent after it.
type lostCall struct {
	version int64
	edit    string // that it was sent with
	until   time.Time
}

// add notes one more lost call: of several the oldest version may be the one that
// arrives last.
func (l *lostCall) add(r *row, until time.Time) {
	call := lostCall{r.mark.Version, r.sentAs(), until}
	if time.Now().Before(l.until) {
		call.until = later(until, l.until)
		if l.version <= call.version {
			call.version, call.edit = l.version, l.edit
		}
	}
	*l = call
}

// overwritten returns until when a call of an older state than the row under way may
// still arrive at the provider: one that this worker lost, one that the ledger knows
// of, or one that an owner before may have had under way.
func (d *Destination) overwritten(c *customer) time.Time {
	r := c.flight
	var until time.Time
	version, edit := r.mark.Version, r.sentAs()
	if c.lost.version < version || c.lost.version == version && c.lost.edit != edit {
		until = c.lost.until
	}
	// The ledger does not say which correction a call was sent with.
	older := func(v int64) bool { return v < version || v == version && edit != "" }
	if p := c.entry.Pending; lingers(p) && older(p.Version) {
		until = later(until, p.Next)
	}
	if r.over || c.dueBefore() || c.letterBefore() && older(c.entry.Settled.Version) {
		until = later(until, d.inherited(c))
	}
	return until
}

// arriving returns until when a call of any state may still arrive, that of the
// row under way too.
func (d *Destination) arriving(c *customer) time.Time {
	until := c.lost.until
	if p := c.entry.Pending; lingers(p) {
		until = later(until, p.Next)
	}
	if c.flight.again || c.flight.over || c.dueBefore() || c.letterBefore() {
		until = later(until, d.inherited(c))
	}
	return until
}

// lingers reports whether what is pending is a call that may still arrive, or
// stands for one, rather than a row that waits for its next.
func lingers(p *ledger.Pending) bool { return p != nil && (p.Doubt || p.Seq == 0) }

// dueBefore reports whether an older version waited for a wake-up that was due when
// the shard was taken over: the owner before may have been sending it.
func (c *customer) dueBefore() bool {
	p := c.entry.Pending
	return p != nil && p.Seq > 0 && p.Version < c.flight.mark.Version && p.Next.Before(c.shard.taken)
}

// letterBefore reports whether a letter of this version or of one before was there
// when the shard was taken over: the owner before may have been sending it again,
// woken by what has since given its place to another wake-up.
func (c *customer) letterBefore() bool {
	s := c.entry.Settled
	return s != nil && (s.Outcome == ledger.Dead || s.Outcome == ledger.Discarded) && s.At.Before(c.shard.taken)
}

// inherited returns until when a call may still arrive that an owner before had
// under way when the shard was taken over from it, as a process that is killed does.
// Of calls that create the journal knows, and of those before what is held the entry;
// what is held itself may have been on its way once more.
func (d *Destination) inherited(c *customer) time.Time {
	r, h := c.flight, c.entry.Held
	created := h == nil && c.end.batch != nil && !r.overDelete
	if created || h != nil && (ledger.Mark{Version: h.Version, Seq: h.Seq}).Compare(r.mark) > 0 {
		return time.Time{}
	}
	return c.shard.taken.Add(d.Timeout)
}

// undercut reports whether a call of an owner before may still arrive of an older
// version than the one that was sent here meanwhile, as of a wake-up that came before
// the events that came again.
func (d *Destination) undercut(c *customer, r *row) bool {
	s := c.entry.Settled
	if s == nil || s.Outcome != ledger.Delivered && s.Outcome != ledger.Unchanged || c.entry.Pending != nil {
		return false
	}
	older := r.over || r.again && (ledger.Mark{Version: s.Version, Seq: s.Seq}).Compare(r.mark) > 0
	return older && s.At.After(c.shard.taken) && time.Now().Before(c.shard.taken.Add(d.Timeout))
}

// sendAgain has the version that was sent last sent once more, when no call of an
// owner before can arrive any more.
func (d *Destination) sendAgain(c *customer) {
	d.begin(c)
	s, until := c.entry.Settled, c.shard.taken.Add(d.Timeout)
	c.end.kind, c.end.entry, c.end.wake = handed, c.entry, until
	c.end.entry.Pending = &ledger.Pending{Version: s.Version, Seq: s.Seq, Next: until.UTC(), Doubt: true, Delete: c.entry.Held == nil}
	d.settle(c)
}

// leftover keeps, beside an end that does not settle it, what the next version has
// to know, whoever sends that: the doubt of an earlier call, so that it is not
// created blindly, and until when a call may still arrive that would overwrite it.
func (d *Destination) leftover(c *customer) *ledger.Pending {
	until := d.arriving(c)
	switch {
	case c.doubt:
		return &ledger.Pending{Doubt: true, Next: later(until, c.quiet).UTC()}
	case time.Now().Before(until):
		return &ledger.Pending{Next: until.UTC()}
	}
	return nil
}

// supersededBeside settles the messages of rows that a newer one has replaced. While
// a call of such a row may still arrive, they stay open until the newer one has
// ended: whoever takes the shard over before that has to be lent them, to know.
func (d *Destination) supersededBeside(c *customer, loans []loan) {
	var last *row
	for r := c.rows; r != nil; r = r.next {
		if !r.outside {
			last = r
		}
	}
	if last == nil || len(loans) == 0 || !time.Now().Before(c.lost.until) {
		d.supersede(loans)
		return
	}
	last.loans = append(last.loans, loans...)
}
