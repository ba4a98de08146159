package pipeline

import (
	"container/heap"
	"time"
)

// shortWait is the longest wait that is spent in memory; longer ones become
// wake-ups, since whoever takes the shard over meanwhile begins at what waits.
const shortWait = 20 * time.Second

// parkedHeap holds customers that wait for a time, the earliest first.
type parkedHeap []*customer

func (h parkedHeap) Len() int           { return len(h) }
func (h parkedHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h parkedHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *parkedHeap) Push(x any) {
	c := x.(*customer)
	c.place = len(*h)
	*h = append(*h, c)
}
func (h *parkedHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}

// park lets a customer wait until a time: in memory when that is near and there
// is room, by a wake-up otherwise.
func (d *Destination) park(c *customer, until time.Time) {
	c.readyAt = time.Time{}
	if c.rows != nil && (time.Until(until) > shortWait || d.crowded(c)) {
		d.begin(c)
		d.schedule(c, until)
		return
	}
	c.stage, c.due = parked, until
	d.parkedSize += c.size()
	heap.Push(&d.parked, c)
}

// crowded reports whether waiting in memory would keep others from coming: half
// the window is parked, or the customer's message holds up its feed.
func (d *Destination) crowded(c *customer) bool {
	if d.parkedSize > d.Window/2 {
		return true
	}
	for _, l := range c.rows.loans {
		if l.feed.window.outstanding() > maxOutstanding/2 {
			return true
		}
	}
	return false
}

// dropParked takes a customer out of the heap; its stage is the caller's to set.
func (d *Destination) dropParked(c *customer) {
	heap.Remove(&d.parked, c.place)
	d.parkedSize = max(d.parkedSize-c.size(), 0)
	if len(d.parked) == 0 {
		d.parkedSize = 0
	}
	c.stage = idle
}

// unpark judges the customers whose time has come, and those that hold up a
// feed whose window fills.
func (d *Destination) unpark(now time.Time) {
	for len(d.parked) > 0 && !d.parked[0].due.After(now) {
		c := d.parked[0]
		d.dropParked(c)
		d.judge(c)
	}
	for _, s := range d.shards {
		for _, f := range s.feeds {
			if f.window.outstanding() > maxOutstanding/2 && len(d.parked) > 0 && !s.leaving {
				d.makeRoom(s)
			}
		}
	}
}

// makeRoom hands the parked customers of a shard to wake-ups.
func (d *Destination) makeRoom(s *shard) {
	var moved []*customer
	for _, c := range d.parked {
		if c.shard == s && c.rows != nil {
			moved = append(moved, c)
		}
	}
	for _, c := range moved {
		d.dropParked(c)
		d.begin(c)
		d.schedule(c, c.due)
	}
}
