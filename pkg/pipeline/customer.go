package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// row is one version of a customer on its way to the provider.
type row struct {
	mark     ledger.Mark
	shop     string // unescaped; empty when undecodable
	customer string // unescaped; empty when undecodable
	at       time.Time
	event    []byte // as published
	body     []byte // as it would be sent
	hash     string
	apart    string
	dead     *death // why it can't be sent; nil: it can
	edit     string // the edit that was looked at for this version; empty: none
	edited   bool   // it is as that edit says
	cause    Cause
	fill     bool // a backfill alone brought it: others go first

	timeVersion bool // the version was made of time
	outside     bool // takes no place in the order of versions
	mixed       bool // only for now: its version can't be ordered against the fence
	delete      bool
	admitted    bool // shops and when let it through
	force       bool // send even what the ledger calls unchanged
	again       bool // an earlier owner may have sent it, or one folded into it
	over        bool // an earlier owner may have sent an older one, folded into it
	overDelete  bool // that was a deletion

	later uint64 // a later event of the customer is to come: it is not rendered; 0: it is

	attempts int           // with a verdict that blames the row
	blamed   int           // calls that failed for this row alone while others went through
	first    time.Time     // of the first attempt that blames the row
	idle     time.Duration // since then, in which it waited for others: in line, or in calls without a verdict
	due      time.Time     // not before
	failure  string        // the last failure's code
	cap      int           // rows that a batch with this one may have; 0: no bound of its own
	seen     uint64        // calls that had gone through when one with this row last failed, plus 1

	loans []loan
	one   [1]loan // backs loans: nearly every row has one
	next  *row
}

// attempt counts a call that blames the row.
func (r *row) attempt(began time.Time) {
	r.attempts++
	if r.first.IsZero() {
		r.first = began
	}
}

// death says why a row is a dead letter before any call.
type death struct {
	reason  deadletter.Reason
	errors  []sinks.FieldError
	message string
}

// loan is a message's place in its feed's window.
type loan struct {
	feed     *feed
	position uint64
	event    bool // it is an event, not a wake-up
}

func (r *row) size() int { return len(r.event) + len(r.body) + rowOverhead }

// rowOverhead is about what a row and its customer cost beside their bytes.
const rowOverhead = 600

// stage says what a customer is waiting for.
type stage uint8

const (
	idle     stage = iota // nothing: its first row is to be judged
	loading               // for the ledger's entry
	queued                // for a place in a batch
	mending               // for what a person corrected
	parked                // for a time
	flying                // for the provider's verdict
	settling              // for the end's being stored
)

// customer is all that the loop knows of one key while something of it is here.
type customer struct {
	key   ledger.Key
	shard *shard
	stage stage

	entry    ledger.Entry
	revision uint64

	rows   *row // waiting, oldest first: at most a delete, the newest, and one outside the order
	flight *row // in a call or settling

	doubt bool      // a call of it may have been applied
	lost  lostCall  // a call of it that may still arrive at the provider
	quiet time.Time // a call that creates may still arrive until then: nothing is sent before
	due   time.Time // parked until then
	place int       // in the parked heap

	lane    *lane
	fills   bool // it stands in the lane's line of a backfill
	readyAt time.Time
	changed bool // its first row is another one than when it was queued
	reread  bool // a person may have rewritten its entry: it is read before anything is decided
	buried  bool // a letter was stored that the ledger does not know of

	end settlement
}

// fold takes in a row that came, keeping only the newest version that waits.
// It returns the loans of rows that are superseded by it.
func (c *customer) fold(r *row) (superseded []loan) {
	c.mix(r)
	if f := c.flight; f != nil && !r.outside && !f.outside {
		switch d := r.mark.Compare(f.mark); {
		case d < 0 && (c.stage != settling || !r.again && !r.over):
			f.cover(r)
			return r.loans
		case d == 0 && !r.force && (r.cause == Live || c.stage != settling):
			// A wake-up beside an end that is being stored may have taken the place of
			// one that this very end has set.
			f.loans = append(f.loans, r.loans...)
			f.again, f.over = f.again || r.again, f.over || r.over
			return nil
		}
	}
	var last, outside *row
	for q := c.rows; q != nil; q = q.next {
		if q.outside {
			outside = q
		} else {
			last = q
		}
	}
	switch {
	case r.outside && outside != nil:
		return c.replace(outside, r, outside.mark.Seq < r.mark.Seq)
	case r.outside || last == nil:
		c.push(r)
		return nil
	}
	switch d := r.mark.Compare(last.mark); {
	case d < 0:
		last.cover(r)
		return r.loans
	case d == 0:
		last.loans = append(last.loans, r.loans...)
		last.again, last.over = last.again || r.again, last.over || r.over
		last.force = last.force || r.force
		last.fill = last.fill && r.fill
		last.cause = stronger(last.cause, r.cause)
		return nil
	}
	if last.delete && !r.delete && c.barrier() {
		c.push(r)
		return nil
	}
	if r.delete {
		superseded = c.clear(last)
	}
	return append(superseded, c.replace(last, r, true)...)
}

// clear takes out what waits in the order of versions before the row given: a
// deletion makes it all needless.
func (c *customer) clear(before *row) (superseded []loan) {
	for p := &c.rows; *p != before; {
		if q := *p; !q.outside {
			superseded = append(superseded, q.loans...)
			before.cover(q)
			*p, q.next = q.next, nil
		} else {
			p = &q.next
		}
	}
	return superseded
}

// mix sets a row apart that waits beside a version which it can't be ordered
// against; the fence would, if that version had ended already.
func (c *customer) mix(r *row) {
	if r.outside || r.timeVersion {
		return
	}
	beside := func(q *row) {
		if q != nil && !q.outside && q.timeVersion && r.mark.Compare(q.mark) < 0 {
			e := ledger.Entry{Pending: &ledger.Pending{Version: q.mark.Version, Seq: q.mark.Seq}}
			if e.Fence(r.mark, false, false) == ledger.Mixed {
				r.mixed, r.outside = true, true
			}
		}
	}
	beside(c.flight)
	for q := c.rows; q != nil; q = q.next {
		beside(q)
	}
}

// stronger returns the cause that asks for more: a wake-up after a wait may find
// itself moot, an event does not, a person is heard always.
func stronger(a, b Cause) Cause {
	for _, cause := range []Cause{Replay, Backfill, Live} {
		if a == cause || b == cause {
			return cause
		}
	}
	return Retry
}

// barrier reports whether a waiting delete has to go out before what follows
// it: the provider holds the customer, or that is not known.
func (c *customer) barrier() bool {
	return c.stage == loading || c.flight != nil || c.entry.Held != nil || c.doubt
}

// cover notes what an earlier owner may have sent of an older row that gives way to r.
func (r *row) cover(old *row) {
	r.over = r.over || old.over || old.again
	r.overDelete = r.overDelete || old.overDelete || old.again && old.delete
	r.again = r.again || old.again
}

// replace puts r in old's place, or drops r when it is not the newer one.
func (c *customer) replace(old, r *row, newer bool) (superseded []loan) {
	if !newer {
		return r.loans
	}
	superseded = append([]loan(nil), old.loans...)
	r.next = old.next
	r.cover(old)
	for p := &c.rows; *p != nil; p = &(*p).next {
		if *p == old {
			*p = r
			break
		}
	}
	c.changed = true
	return superseded
}

func (c *customer) push(r *row) {
	p := &c.rows
	for *p != nil {
		p = &(*p).next
	}
	*p = r
	c.changed = c.changed || c.rows == r
}

// pop takes the first row out.
func (c *customer) pop() *row {
	r := c.rows
	c.rows, r.next = r.next, nil
	return r
}
