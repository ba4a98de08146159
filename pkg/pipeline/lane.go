package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/sinks"
)

// lane holds the customers whose rows may share a call, first come first served.
type lane struct {
	sinks.Lane
	maxRows int
	line    []*customer // some may have left the lane since
	rows    int         // that are still in it
	bytes   int
}

// laneOf returns the lane of a customer's first row.
func (d *Destination) laneOf(c *customer) *lane {
	var spec sinks.Lane
	if p, ok := d.Sink.(sinks.Planner); ok {
		r := c.asRow(c.rows)
		spec = p.Lane(&r)
	}
	l := d.lanes[spec.Name]
	if l == nil {
		l = &lane{Lane: spec, maxRows: bound(spec.MaxRows, d.Batch.MaxRows, d.Batch.MaxRows)}
		d.lanes[spec.Name] = l
		d.laneOrder = append(d.laneOrder, l)
	}
	return l
}

// asRow makes what the sink sees of a row.
func (c *customer) asRow(r *row) sinks.Row {
	s := sinks.Row{
		Shop: r.shop, Customer: r.customer, Version: r.mark.Version,
		Delete: r.delete, Body: r.body, Apart: r.apart,
		Held: c.entry.Held != nil, Attempt: r.attempts + 1, Doubt: c.doubt,
	}
	if c.entry.Held != nil {
		s.ProviderID = c.entry.Held.ProviderID
	}
	return s
}

// queue puts a customer in the line of its lane.
func (d *Destination) queue(c *customer) {
	c.stage = queued
	if c.readyAt.IsZero() {
		c.readyAt = time.Now()
	}
	l := d.laneOf(c)
	c.lane = l
	l.line = append(l.line, c)
	l.rows++
	l.bytes += len(c.rows.body)
}

// forget takes a customer out of the lane; its place in the line is passed over.
func (l *lane) forget(c *customer) {
	c.lane = nil
	l.rows--
	l.bytes -= min(len(c.rows.body), l.bytes)
}

// first returns the customer whose turn it is, or nil.
func (l *lane) first() *customer {
	for len(l.line) > 0 {
		if c := l.line[0]; c.lane == l && c.stage == queued {
			return c
		}
		l.shift()
	}
	l.rows, l.bytes = 0, 0
	return nil
}

func (l *lane) shift() {
	l.line[0] = nil
	if l.line = l.line[1:]; len(l.line) == 0 {
		l.line = nil
	}
}

// due reports whether a batch is to be cut now, and otherwise when.
func (d *Destination) laneDue(l *lane, now time.Time) (bool, time.Time) {
	c := l.first()
	if c == nil {
		return false, time.Time{}
	}
	if l.rows >= l.maxRows || l.bytes >= d.Batch.MaxBytes || c.rows.cap > 0 {
		return true, time.Time{}
	}
	at := c.readyAt.Add(d.Batch.Linger)
	return !now.Before(at), at
}

// maxApart is how many rows a batch passes over that have to be apart from one in
// it: were there many, every batch would look at them all.
const maxApart = 1_000

// cut takes the next batch out of a lane: as many rows as may share a call, and no
// more than room, in the order of the line. It may come out empty, when what was there turned out
// to need no call.
func (d *Destination) cut(l *lane, room int) []*customer {
	limits := d.Sink.Limits()
	var batch, later []*customer
	var apart map[string]bool
	bytes := limits.Frame
	for len(batch) < room && len(later) < maxApart {
		c := l.first()
		if c == nil {
			break
		}
		if c.changed && !d.stillHere(c, l) {
			continue
		}
		r := c.rows
		size := len(r.body) + limits.PerRow
		if len(batch) > 0 && (bytes+size > d.Batch.MaxBytes || r.cap > 0 && len(batch) >= r.cap) {
			break
		}
		l.shift()
		if r.apart != "" {
			if apart[r.apart] {
				later = append(later, c)
				continue
			}
			if apart == nil {
				apart = make(map[string]bool, room)
			}
			apart[r.apart] = true
		}
		if r.cap > 0 {
			room = min(room, r.cap)
		}
		l.forget(c)
		bytes += size
		batch = append(batch, c)
	}
	if len(later) < maxApart {
		l.line = append(later, l.line...)
	} else {
		l.line = append(l.line, later...) // so that they don't hold up others
	}
	return batch
}

// stillHere judges a customer anew whose first row was replaced while it stood
// in line, and reports whether it keeps its place.
func (d *Destination) stillHere(c *customer, l *lane) bool {
	c.stage, c.changed = idle, false
	if d.decide(c) == send && d.laneOf(c) == l {
		c.stage = queued
		return true
	}
	l.forget(c)
	l.shift()
	d.judge(c)
	return false
}
