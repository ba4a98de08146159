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

// letterOpen is the reason of an end beside which the letter of an event is open that
// came after it in the stream and has no place in the order of versions.
const letterOpen = "letter_open"

// letterAfter reports whether the open letter is of an event that came after the row.
func letterAfter(s *ledger.Settled, r *row) bool {
	return s.Outcome == ledger.Dead && s.Seq > r.mark.Seq || s.Reason == letterOpen && s.Version == r.mark.Version && s.Seq == r.mark.Seq
}
