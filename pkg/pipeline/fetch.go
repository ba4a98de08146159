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
		event: m.Data, at: m.At, cause: m.Cause, force: m.Force, again: m.Again,
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
		if a.row == nil {
			f.window.settle(position)
			continue
		}
		a.row.one[0] = loan{f, position, a.row.cause == Live}
		a.row.loans = a.row.one[:]
		d.admit(f.shard, a.key, a.row)
	}
}

// admit gives a row to its customer, who is looked up in the ledger if need be.
func (d *Destination) admit(s *shard, key ledger.Key, r *row) {
	c := d.customers[key]
	if c == nil {
		c = &customer{key: key, shard: s}
		d.customers[key] = c
		if k, ok := d.recent.Get(key); ok && r.cause != Replay {
			c.entry, c.revision = k.entry, k.revision
		} else {
			d.load(c)
		}
	} else if r.cause == Replay {
		c.reread = true // whoever asks may have rewritten the entry before
	}
	before := c.size()
	superseded := c.fold(r)
	d.used += c.size() - before
	d.supersede(superseded)
	switch c.stage {
	case idle:
		d.judge(c)
	case parked:
		if c.changed || c.reread {
			d.dropParked(c)
			d.judge(c)
		}
	case queued:
		if c.reread {
			c.lane.forget(c)
			d.judge(c)
		}
	case loading, flying, settling:
	}
}

// load has the customer's entry looked up.
func (d *Destination) load(c *customer) {
	c.stage, c.reread = loading, false
	d.missing = append(d.missing, c)
}

// lookUp asks the ledger for the entries of customers that came.
func (d *Destination) lookUp() {
	for len(d.missing) > 0 && d.lookups < maxLookups {
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
}

const (
	lookupSize = 1000 // keys in one multi-get
	maxLookups = 4    // at once
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
