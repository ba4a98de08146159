package pipeline

import (
	"context"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
)

// settlement is an end on its way into the stores. The order is always: dead
// letter, ledger, wake-up or the letter's removal; then the messages are settled.
type settlement struct {
	kind      endKind
	entry     ledger.Entry
	letter    *deadletter.Letter // to store before the ledger is written
	outcome   string             // of the row
	closeUpTo uint64             // an open letter of an event up to this is to go, its customer having got through; 0: none
	erase     bool               // a deletion has ended
	wake      time.Time          // to be woken then; zero: not
	batch     *batch             // whose journal slot this resolves; nil: none
	taken     bool               // the provider took the row: whatever else happens, this is to be known
}

type endKind uint8

const (
	final  endKind = iota // the version has ended; its messages are settled
	handed                // a wake-up takes over; its messages are settled
	marked                // doubt is stored; the row waits on
)

// settle begins to store a customer's end.
func (d *Destination) settle(c *customer) {
	c.stage = settling
	if c.shard.abandoned {
		// The next owner settles it. The journal keeps the call for it.
		c.end = settlement{}
		d.unflown(c)
		return
	}
	if c.end.letter == nil {
		d.writes = append(d.writes, c)
		return
	}
	letter := c.end.letter
	d.effect("store the dead letter", func(ctx context.Context) error { return d.Letters.Open(ctx, letter) }, func() {
		d.writes = append(d.writes, c)
	})
}

const (
	maxWriters = 4     // ledger writes under way at once
	writeSize  = 1_000 // entries in one
	writeEarly = 500   // entries for which a further write is begun beside one under way
)

// flush writes gathered ends to the ledger. While a write is under way the next
// one gathers.
func (d *Destination) flush() {
	for len(d.writes) > 0 && d.writers < maxWriters && (d.writers == 0 || len(d.writes) >= writeEarly) {
		n := min(len(d.writes), writeSize)
		part := d.writes[:n:n]
		d.writes = d.writes[n:]
		if len(d.writes) == 0 {
			d.writes = nil
		}
		writes := make([]Write, n)
		for i, c := range part {
			writes[i] = Write{Key: c.key, Revision: c.revision, Entry: c.end.entry}
		}
		d.writers++
		d.wg.Go(func() {
			written := d.put(writes)
			d.post(func() { d.wrote(part, written) })
		})
	}
}

// put writes until all is written or lost.
func (d *Destination) put(writes []Write) []Written {
	written := make([]Written, len(writes))
	left := make([]int, len(writes))
	for i := range left {
		left[i] = i
	}
	d.insist(d.work, "write the ledger", func(ctx context.Context) error {
		part := writes
		if len(left) < len(writes) {
			part = make([]Write, len(left))
			for i, at := range left {
				part[i] = writes[at]
			}
		}
		result, err := d.Ledger.Put(ctx, part)
		var still []int
		for i, at := range left {
			if i < len(result) && (result[i].Revision > 0 || result[i].Lost) {
				written[at] = result[i]
			} else {
				still = append(still, at)
			}
		}
		if left = still; len(left) > 0 && err == nil {
			err = errUnwritten
		}
		if len(left) == 0 {
			return nil
		}
		return err
	})
	return written
}

// wrote takes in what became of ledger writes.
func (d *Destination) wrote(part []*customer, written []Written) {
	d.writers--
	for i, c := range part {
		switch {
		case written[i].Revision > 0:
			c.revision, c.entry = written[i].Revision, c.end.entry
			d.afterWrite(c)
		case written[i].Lost && !c.shard.abandoned:
			d.load(c) // somebody else wrote it: rebase goes on when it is known what
		default:
			d.unflown(c)
		}
	}
}

// rebase goes on with an end whose entry somebody else wrote in the meantime: a
// person's command, or the shard's next owner. What the provider took, or may have
// taken, stays true and is written again; what was only decided is decided anew.
func (d *Destination) rebase(c *customer) {
	theirs, ours := &c.entry, &c.end.entry
	overtaken := theirs.Settled != nil && (ledger.Mark{Version: theirs.Settled.Version, Seq: theirs.Settled.Seq}).Compare(c.flight.mark) > 0
	switch {
	case c.shard.abandoned:
		c.end = settlement{}
		d.unflown(c)
		return
	case c.end.kind == marked && !overtaken:
		ours.Held, ours.Settled = theirs.Held, theirs.Settled
	case c.end.taken && !overtaken:
		if c.end.outcome == ledger.Skipped {
			ours.Held = theirs.Held
		}
	default:
		b := c.end.batch
		c.buried = c.buried || c.end.letter != nil
		c.end = settlement{}
		d.resolve(b)
		d.back(c)
		return
	}
	c.stage = settling
	d.writes = append(d.writes, c)
}

// afterWrite does what comes after the ledger, one after the other: the wake-up,
// and the letter's removal.
func (d *Destination) afterWrite(c *customer) {
	switch {
	case !c.end.wake.IsZero():
		wakeups := []Wakeup{{Key: c.key, At: c.end.wake, Cause: Retry, Force: c.flight.force}}
		c.end.wake = time.Time{}
		d.effect("store the wake-up", func(ctx context.Context) error { return d.Alarm.Set(ctx, wakeups) }, func() { d.afterWrite(c) })
	case c.end.closeUpTo > 0:
		end := *c.entry.Settled
		end.Seq = c.end.closeUpTo
		c.end.closeUpTo, c.buried = 0, false
		d.effect("remove the dead letter", func(ctx context.Context) error { return d.Letters.Close(ctx, c.key, end) }, func() { d.afterWrite(c) })
	case c.end.erase:
		c.end.erase = false
		d.deleted(c, c.flight.mark, func() { d.afterWrite(c) })
	default:
		d.finish(c)
	}
}

// finish settles what is stored.
func (d *Destination) finish(c *customer) {
	end := c.end
	c.end = settlement{}
	d.resolve(end.batch)
	if end.kind == marked {
		d.back(c)
		return
	}
	d.settleLoans(c.flight.loans)
	d.counts.ended(&end, c.flight.loans)
	c.lost = lostCall{} // the ledger knows of it now
	if end.kind == handed {
		c.quiet, c.doubt = time.Time{}, false // as of this
	}
	d.unflown(c)
}

// unflown forgets the row that was under way and goes on with the customer.
func (d *Destination) unflown(c *customer) {
	d.used -= c.flight.size()
	c.flight = nil
	d.goOn(c)
}

// back puts the row that was under way back in front of what waits.
func (d *Destination) back(c *customer) {
	d.putBack(c)
	d.goOn(c)
}

func (d *Destination) putBack(c *customer) {
	before := c.size()
	r, waiting := c.flight, c.rows
	c.flight, c.rows, r.next = nil, r, nil
	for waiting != nil {
		next := waiting.next
		waiting.next = nil
		d.supersededBeside(c, c.fold(waiting))
		waiting = next
	}
	d.used += c.size() - before
}

// goOn judges a customer of whom nothing is under way any more.
func (d *Destination) goOn(c *customer) {
	c.stage = idle
	c.shard.busy--
	if c.shard.leaving {
		d.leave(c.key, c)
		d.finishRelease(c.shard)
		return
	}
	d.judge(c)
}
