package pipeline

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// fetchBytes is about how much one fetch may bring: a hundred events of the usual
// size. A worker with many shards has many feeds, and each may bring as much on
// top of a window that is full.
const fetchBytes = 64 << 10

// arrival is a message made into a row, or a message of which nothing is left
// to do.
type arrival struct {
	seq uint64
	key ledger.Key
	row *row // nil: there is no such customer any more
}

// fetch brings what a feed lends, until ctx ends.
func (d *Destination) fetch(ctx context.Context, f *feed) {
	var ev events.Event
	for ctx.Err() == nil {
		if !d.post(func() { d.asking = append(d.asking, f) }) {
			return
		}
		select {
		case <-f.permit:
		case <-ctx.Done():
			return
		}
		messages, err := f.Fetch(ctx, fetchBytes)
		if err != nil && ctx.Err() == nil {
			d.post(func() { d.Observer.Trouble(Trouble{Destination: d.Name, Doing: "fetch", Shard: f.shard.ID, Err: err}) })
			sleep(ctx, fetchPause)
		}
		if len(messages) == 0 {
			if err == nil {
				d.post(func() { d.nothingCame(f) })
			}
			continue
		}
		arrivals := make([]arrival, len(messages))
		now := time.Now()
		for i := range messages {
			m := &messages[i]
			arrivals[i] = arrival{seq: m.Seq, key: m.Key}
			if m.Data != nil {
				arrivals[i].row = d.read(m, &ev, now)
			}
		}
		d.post(func() { d.arrive(f, arrivals) })
	}
}

// read makes a row of a message: what can't be sent carries the reason.
func (d *Destination) read(m *Message, ev *events.Event, now time.Time) *row {
	r := &row{
		mark:  ledger.Mark{Seq: m.Event},
		event: m.Data, at: m.At, cause: m.Cause, force: m.Force, again: m.Again, fill: m.Cause == Backfill,
		admitted: true,
	}
	_, tail, _ := strings.Cut(m.Key, ".")
	shop, customer, _ := strings.Cut(tail, ".")
	if err := events.Decode(m.Data, shop, customer, now, ev); err != nil {
		r.unreadable(err, ev)
		return r
	}
	r.shop, r.customer = ev.Shop, ev.Customer.ID
	r.mark.Version, r.timeVersion = ev.Version, ev.TimeVersion
	r.delete = ev.Type == events.Deleted
	if d.foresees(m, r) {
		r.later = m.Later
		return r
	}
	made, err := d.Renderer.Render(ev)
	if err != nil {
		r.dead = &death{reason: deadletter.Mapping, message: err.Error()}
		return r
	}
	r.admitted = made.Admitted
	if r.delete {
		return r
	}
	r.body, r.hash, r.apart = made.Body, made.Hash, made.Apart
	if len(made.Errors) > 0 {
		r.dead = &death{reason: deadletter.Invalid, errors: made.Errors}
	}
	return r
}

// unreadable makes the row of an event that can't be used a dead letter. Where
// its version is known all the same it supersedes older ones; otherwise, and
// with a version from the future, it takes no place in their order.
func (r *row) unreadable(err error, ev *events.Event) {
	r.outside = true
	r.dead = &death{reason: deadletter.Undecodable, message: err.Error()}
	e, ok := errors.AsType[*events.DecodeError](err)
	if !ok {
		return
	}
	r.dead = &death{
		reason: deadletter.Reason(e.Reason),
		errors: []sinks.FieldError{{Field: e.Field, Message: e.Message}},
	}
	if e.Versioned && e.Reason == events.Undecodable {
		r.outside = false
		r.shop, r.customer = ev.Shop, ev.Customer.ID
		r.mark.Version, r.timeVersion = ev.Version, ev.TimeVersion
	}
}

// arrive takes in what a feed brought.
func (d *Destination) arrive(f *feed, arrivals []arrival) {
	if f.shard.leaving {
		return
	}
	for i := range arrivals {
		a := &arrivals[i]
		position, fresh := f.window.enter(a.seq)
		if !fresh {
			continue
		}
		f.quiet = 0
		if a.row == nil {
			f.window.settle(position)
			continue
		}
		a.row.one[0] = loan{f, position, a.row.cause == Live}
		a.row.loans = a.row.one[:]
		d.follow(f, a.key, a.row)
	}
	d.overdue(f, false)
}

// admit gives a row to its customer, who is looked up in the ledger if need be.
func (d *Destination) admit(s *shard, key ledger.Key, r *row) {
	if r.again && r.cause != Live && r.at.After(s.taken.Add(-2*d.Timeout)) {
		r.over = true // an owner before was woken for what was the newest then
	}
	c := d.customers[key]
	if c == nil {
		c = &customer{key: key, shard: s}
		d.customers[key] = c
		if k, ok := d.recent.Get(key); ok && r.cause == Live {
			c.entry, c.revision = k.entry, k.revision
		} else {
			d.load(c)
		}
	} else if r.cause != Live {
		c.reread = true // whoever woke it may have rewritten the entry before
	}
	if newest := c.overtook(r); newest != nil {
		d.late(key, newest.event)
	}
	before := c.size()
	superseded := c.fold(r)
	d.used += c.size() - before
	d.supersededBeside(c, superseded)
	switch c.stage {
	case idle:
		d.judge(c)
	case parked:
		if c.changed || c.reread {
			d.dropParked(c)
			d.judge(c)
		}
	case queued:
		if c.reread || c.fills && !c.rows.fill {
			c.lane.forget(c)
			d.judge(c)
		}
	case loading, mending, flying, settling:
	}
}

// load has the customer's entry looked up.
func (d *Destination) load(c *customer) {
	c.stage, c.reread = loading, false
	if c.readyAt.IsZero() && c.flight == nil {
		c.readyAt = time.Now() // waiting for this is waiting for a batch
	}
	d.missing = append(d.missing, c)
}

// lookUp asks the ledger for the entries of customers that came, and returns when
// it is to be called again. Few customers wait a little for more, which is a part of
// the time that their rows would wait for a batch: a look-up costs the server about
// the same for one as for twenty.
func (d *Destination) lookUp(now time.Time) (next time.Time) {
	for len(d.missing) > 0 && d.lookups < maxLookups {
		if len(d.missing) < min(lookupEarly, d.Batch.MaxRows) {
			if d.gathered.IsZero() {
				d.gathered = now.Add(min(d.Batch.Linger/10, gatherTime))
			}
			if now.Before(d.gathered) {
				return d.gathered
			}
		}
		d.gathered = time.Time{}
		n := min(len(d.missing), lookupSize)
		asked := d.missing[:n:n]
		d.missing = d.missing[n:]
		keys := make([]ledger.Key, n)
		for i, c := range asked {
			keys[i] = c.key
		}
		d.lookups++
		d.wg.Go(func() {
			var found []Found
			d.insist(d.work, "look up the ledger", func(ctx context.Context) (err error) {
				found, err = d.Ledger.Get(ctx, keys)
				return err
			})
			d.post(func() { d.lookedUp(asked, found) })
		})
	}
	return time.Time{}
}

const (
	lookupSize  = 1000 // keys in one multi-get
	lookupEarly = 64   // keys for which it is not waited for more
	maxLookups  = 4    // at once
	gatherTime  = 5 * time.Millisecond
)

func (d *Destination) lookedUp(asked []*customer, found []Found) {
	d.lookups--
	for i, c := range asked {
		if found == nil || d.customers[c.key] != c || c.stage != loading {
			continue
		}
		c.entry, c.revision = found[i].Entry, found[i].Revision
		if c.flight != nil {
			d.rebase(c)
			continue
		}
		d.judge(c)
	}
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, wait time.Duration) {
	if wait <= 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
