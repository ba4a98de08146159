package pipeline

// window tells up to where a feed's messages are settled. Messages enter in the
// order of their sequences and settle in any order; the floor is the end of the
// settled prefix.
type window struct {
	seqs  []uint64 // outstanding, ascending; the top bit says settled
	base  uint64   // position of seqs[0], counted since the feed was opened
	floor uint64   // the sequence up to which all is settled
	dirty bool     // floor moved since it was last taken
}

const settledBit = 1 << 63

// enter notes a message and returns its position. A message that is already
// known is not fresh: it is either held, or settled already, and then the floor
// is told again, since the telling got lost.
func (w *window) enter(seq uint64) (position uint64, fresh bool) {
	if n := len(w.seqs); n == 0 && seq <= w.floor || n > 0 && seq <= w.seqs[n-1]&^settledBit {
		w.dirty = w.dirty || seq <= w.floor
		return 0, false
	}
	w.seqs = append(w.seqs, seq)
	return w.base + uint64(len(w.seqs)) - 1, true
}

// settle marks the message at the position and moves the floor over the prefix
// that is settled.
func (w *window) settle(position uint64) {
	w.seqs[position-w.base] |= settledBit
	n := 0
	for n < len(w.seqs) && w.seqs[n]&settledBit != 0 {
		n++
	}
	if n == 0 {
		return
	}
	w.floor, w.dirty = w.seqs[n-1]&^settledBit, true
	w.base += uint64(n)
	// The backing array is used again once the settled prefix outweighs the rest.
	if w.seqs = w.seqs[n:]; len(w.seqs) == 0 {
		w.seqs = nil
	}
}

// last is the sequence of the last message that entered.
func (w *window) last() uint64 {
	if n := len(w.seqs); n > 0 {
		return w.seqs[n-1] &^ settledBit
	}
	return w.floor
}

// outstanding is the number of messages whose loans are open.
func (w *window) outstanding() int { return len(w.seqs) }
