package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/sinks"
)

// lane holds the customers whose rows may share a call, first come first served,
// but those of a backfill after all others.
type lane struct {
	sinks.Lane
	maxRows int
	line    line
	fill    line // of a backfill
	rows    int  // that are still in both lines
	bytes   int
}

// line is customers in their order; some may have left it since.
type line []*customer

// laneOf returns the lane of a customer's first row.
func (d *Destination) laneOf(c *customer) *lane {
	var spec sinks.Lane
	if p, ok := d.Sink.(sinks.Planner); ok {
		d.asked = c.asRow(c.rows)
		spec = p.Lane(&d.asked)
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
	c.lane, c.fills = l, c.rows.fill
	at := l.lineOf(c)
	*at = append(*at, c)
	l.rows++
	l.bytes += len(c.rows.body)
}

// forget takes a customer out of the lane; its place in the line is passed over.
func (l *lane) forget(c *customer) {
	c.lane = nil
	l.rows--
	l.bytes -= min(len(c.rows.body), l.bytes)
}

// lineOf is the line that a customer stands in.
func (l *lane) lineOf(c *customer) *line {
	if c.fills {
		return &l.fill
	}
	return &l.line
}

// first returns the customer whose turn it is, or nil.
func (l *lane) first() *customer {
	c := l.head(&l.line, false)
	if c == nil {
		c = l.head(&l.fill, true)
	}
	if c == nil {
		l.rows, l.bytes = 0, 0
	}
	return c
}

// head returns the first customer of a line that stands in it still, or nil.
func (l *lane) head(of *line, fills bool) *customer {
	for len(*of) > 0 {
		if c := (*of)[0]; c.lane == l && c.stage == queued && c.fills == fills {
			return c
		}
		of.shift()
	}
	return nil
}

func (l *line) shift() {
	(*l)[0] = nil
	if *l = (*l)[1:]; len(*l) == 0 {
		*l = nil
	}
}

// due reports whether a batch is to be cut now, and otherwise when; and whether all
// of it is of a backfill.
func (d *Destination) laneDue(l *lane, now time.Time) (due, fills bool, at time.Time) {
	live, fill := l.head(&l.line, false), l.head(&l.fill, true)
	fills = live == nil
	for _, c := range []*customer{live, fill} {
		if c == nil {
			continue
		}
		if l.rows >= l.maxRows || l.bytes >= d.Batch.MaxBytes || c.rows.cap > 0 {
			return true, fills, time.Time{}
		}
		lingers := c.readyAt.Add(d.Batch.Linger)
		due, at = due || !now.Before(lingers), earliest(at, lingers)
	}
	return due, fills, at
}

// maxApart is how many rows a batch passes over that have to be apart from one in
// it: were there many, every batch would look at them all.
const maxApart = 1_000

// cut takes the next batch out of a lane: as many rows as may share a call, and no
// more than room, in the order of the line. It may come out empty, when what was there turned out
// to need no call.
func (d *Destination) cut(l *lane, room int) []*customer {
	limits := d.Sink.Limits()
	batch := make([]*customer, 0, min(room, l.rows))
	var later []*customer
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
		l.lineOf(c).shift()
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
	l.putBack(later)
	return batch
}

// putBack puts customers who were passed over in front of their lines again, or
// behind where they are so many that they would hold up others.
func (l *lane) putBack(later []*customer) {
	var back [2]line
	for _, c := range later {
		if c.fills {
			back[1] = append(back[1], c)
		} else {
			back[0] = append(back[0], c)
		}
	}
	for i, at := range []*line{&l.line, &l.fill} {
		switch {
		case len(back[i]) == 0:
		case len(later) < maxApart:
			*at = append(back[i], *at...)
		default:
			*at = append(*at, back[i]...)
		}
	}
}

// stillHere judges a customer anew whose first row was replaced while it stood
// in line, and reports whether it keeps its place.
func (d *Destination) stillHere(c *customer, l *lane) bool {
	c.stage, c.changed = idle, false
	if d.decide(c) == send && d.laneOf(c) == l && c.rows.fill == c.fills {
		c.stage = queued
		return true
	}
	l.lineOf(c).shift()
	l.forget(c)
	d.judge(c)
	return false
}
