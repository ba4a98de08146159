package pipeline

import "github.com/custsync/custsync/pkg/ledger"

// outOfOrder is the version that the ledger gives to the end of an event which takes
// no place in the order of versions, only in the stream's, and what is pending beside
// it: a version that waits for its wake-up goes on waiting.
func (c *customer) outOfOrder(left *ledger.Pending) (int64, *ledger.Pending) {
	if !c.entry.Waits() {
		return c.entry.Top().Version, left
	}
	waits := *c.entry.Pending
	waits.Doubt = waits.Doubt || c.doubt
	ended := ledger.Entry{Held: c.entry.Held, Settled: c.entry.Settled}
	return min(ended.Top().Version, waits.Version-1), &waits
}

// lastInStream is the end to note where a row ends after an event that came later in
// the stream and has no place in the order of versions: that event's letter stays
// open, as if they had ended in the stream's order.
func lastInStream(e *ledger.Entry, later *ledger.Settled) *ledger.Settled {
	last := *later
	if e.Pending == nil || e.Pending.Seq == 0 { // else it has to stay below what is pending
		last.Version = max(last.Version, e.Settled.Version)
	}
	return &last
}
