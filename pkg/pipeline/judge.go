package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// judge decides what comes next for a customer of whom nothing is under way:
// its first row is settled without a call, or waits for a call, or for a time.
// A customer without rows is let go.
func (d *Destination) judge(c *customer) {
	c.stage, c.changed = idle, false
	if c.reread {
		d.load(c)
		return
	}
	for c.rows != nil {
		verdict := d.decide(c)
		r := c.rows
		switch verdict {
		case drop:
			if until := c.lost.until; r.next == nil && !r.outside && time.Now().Before(until) {
				d.park(c, until) // whoever has the shard before that has to know of the call
				return
			}
			if r.cause == Live && !r.outside && d.undercut(c, r) {
				d.sendAgain(c)
				return
			}
			d.used -= r.size()
			d.supersede(c.pop().loans)
		case filter:
			d.begin(c)
			d.end(c, ledger.Filtered, "")
			return
		case same:
			d.begin(c)
			d.end(c, ledger.Unchanged, "")
			return
		case bury:
			d.begin(c)
			d.bury(c, r.why())
			return
		case mend:
			d.mend(c)
			return
		case send:
			if until := later(r.due, c.quiet); time.Now().Before(until) {
				d.park(c, until)
			} else {
				d.queue(c)
			}
			return
		}
	}
	d.let(c)
}

// let forgets a customer of whom nothing waits, keeping its entry for a while.
func (d *Destination) let(c *customer) {
	if !c.lost.until.IsZero() && time.Now().Before(c.lost.until) && !c.shard.leaving {
		// Its last call may still arrive; what comes until then has to know.
		d.park(c, c.lost.until)
		return
	}
	delete(d.customers, c.key)
	if !c.shard.leaving {
		d.recent.Add(c.key, known{c.entry, c.revision, c.shard})
	}
}

type decision uint8

const (
	send   decision = iota // to the provider
	drop                   // superseded
	filter                 // not for this destination
	same                   // the provider has just this
	bury                   // a dead letter without a call
	mend                   // a person corrected it: make the row anew
)

// decide says what is to become of the customer's first row.
func (d *Destination) decide(c *customer) decision {
	r, e := c.rows, &c.entry
	if r.mixed { // by an entry that may have been forgotten since
		r.mixed, r.outside = false, false
	}
	if r.outside {
		if settledAfter(e, r) {
			return drop
		}
		return bury
	}
	if r.cause == Retry && !r.force && !e.Waits() && r.mark.Compare(e.Top()) <= 0 {
		return drop // the wake-up is moot: the version has ended otherwise
	}
	if st := e.Settled; r.cause == Backfill && !r.force && st != nil && st.Outcome == ledger.Discarded && r.mark == (ledger.Mark{Version: st.Version, Seq: st.Seq}) {
		return drop // a person has decided about this version
	}
	switch e.Fence(r.mark, r.timeVersion, r.cause != Live || c.doubt) {
	case ledger.Stale:
		d.ended(c, r)
		return drop
	case ledger.Mixed:
		r.mixed, r.outside = true, true
		if settledAfter(e, r) {
			return drop
		}
		return bury
	case ledger.Pass:
	}
	if p := e.Pending; p != nil {
		if p.Doubt && !c.cleared(r) {
			c.doubt = true
			if e.Held == nil {
				// A call that creates may still arrive: look only when it can't any more.
				c.quiet = later(c.quiet, p.Next)
			}
		}
		pending := ledger.Mark{Version: p.Version, Seq: p.Seq}
		switch pending.Compare(r.mark) {
		case 0:
			// An owner before may have been sending it, whichever wake-up brings it now:
			// that owner's may have given its place to this one.
			r.again = r.again || p.Next.Before(c.shard.taken)
			if p.Doubt {
				// It is to go when nothing older can arrive any more, whoever asks for it.
				r.due = later(r.due, p.Next)
			}
			if r.attempts == 0 && r.cause != Replay {
				r.attempts, r.first = p.Attempts, p.First
				if r.cause == Live || r.cause == Retry {
					// Its wake-up may not have been stored, or another one took its place.
					r.due = later(r.due, p.Next)
				}
			}
		case -1:
			if p.Delete && e.Waits() && e.Held != nil && !r.delete {
				// The delete that waits for its wake-up goes out before what follows it.
				c.rows = &row{mark: pending, delete: true, admitted: true, shop: r.shop, customer: r.customer,
					at: r.at, next: r, again: r.again || p.Next.Before(c.shard.taken)}
				d.used += c.rows.size()
				return d.decide(c)
			}
		}
	}
	if !r.delete && r.edit != editOf(e, r.mark.Version) {
		return mend
	}
	holds := e.Held != nil || c.doubt
	if r.delete && r.next != nil && !r.next.outside && !holds {
		r.next.cover(r)
		return drop // nothing to delete: what follows it supersedes it
	}
	if !r.admitted && !r.delete {
		switch {
		case !holds || d.OnLeave == LeaveKeep:
			return filter
		case d.OnLeave == LeaveDelete:
			d.used -= len(r.body)
			r.delete, r.body, r.hash, r.dead = true, nil, "", nil
		}
	}
	switch {
	case r.dead != nil:
		return bury
	case !r.delete && !r.force && !c.doubt && holdsRow(e, r):
		return same
	}
	return send
}

// holdsRow reports whether the provider has just this row. Where an earlier owner of
// the shard may have sent a newer version that nobody heard of, only the very
// version that the entry names will do.
func holdsRow(e *ledger.Entry, r *row) bool {
	h := e.Held
	if h == nil || h.Hash != r.hash || r.hash == "" {
		return false
	}
	return !r.again || r.mark == (ledger.Mark{Version: h.Version, Seq: h.Seq})
}

// settledAfter reports whether something later in the stream has ended, which is
// the only order there is for what has no place in that of versions.
func settledAfter(e *ledger.Entry, r *row) bool {
	return e.Settled != nil && e.Settled.Seq >= r.mark.Seq
}

// why says of what a row dies that is not to be sent.
func (r *row) why() *death {
	if r.mixed {
		return &death{
			reason: deadletter.VersionMixed,
			errors: []sinks.FieldError{{Field: "data.version", Message: "an explicit version after a version made of time; publish versions of one kind, or reset the fence with worker forget"}},
		}
	}
	return r.dead
}

// cleared reports whether a person has settled the doubt: replaying a letter that
// asked about it says that the provider does not have the customer. A call that was
// made since then is in doubt anew; its version stands beside the doubt.
func (c *customer) cleared(r *row) bool {
	s, p := c.entry.Settled, c.entry.Pending
	return r.cause == Replay && s != nil && s.Reason == string(deadletter.InDoubt) && p.Seq == 0
}

// begin takes the first row out for its end or its call.
func (d *Destination) begin(c *customer) {
	c.flight = c.pop()
	c.shard.busy++
}

// size returns the bytes of all rows that the customer has here.
func (c *customer) size() int {
	n := 0
	for r := c.rows; r != nil; r = r.next {
		n += r.size()
	}
	if c.flight != nil {
		n += c.flight.size()
	}
	return n
}

// supersede settles the messages of a row that another one makes needless.
func (d *Destination) supersede(loans []loan) {
	d.settleLoans(loans)
	d.counts.Superseded += eventsIn(loans)
}

// settleLoans marks messages as settled.
func (d *Destination) settleLoans(loans []loan) {
	for _, l := range loans {
		l.feed.window.settle(l.position)
	}
}
