package bulk

import (
	"sync"

	"github.com/custsync/custsync/internal/intake"
)

type end uint8

const (
	open end = iota // none yet
	stored
	duplicate
	refused
)

// mark is a record on its way to its end.
type mark struct {
	line    int
	at      intake.Position // right behind it
	end     end
	refusal *Refusal
	key     key
	version int64
}

type key struct{ shop, customer string }

// flights are a customer's records in flight.
type flights struct {
	n       int
	version int64 // the highest
}

// window holds the records from the first without an end on, in order.
type window struct {
	settling sync.Mutex // held while what settled returned is being written

	mu     sync.Mutex
	marks  []*mark
	flying map[key]flights
	state  state
	kept   int // bytes of refused lines in marks
}

func (w *window) begin(s *state) {
	w.state = *s
	w.flying = make(map[key]flights)
}

func (w *window) setEncoding(e intake.Encoding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Encoding = e
}

func (w *window) add(rec intake.Record) *mark {
	m := &mark{line: rec.Line, at: rec.End}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks = append(w.marks, m)
	return m
}

// depart notes that the record is to be sent, unless an older or equal version
// of its customer must not overtake one in flight.
func (w *window) depart(m *mark, made intake.Made) bool {
	m.key, m.version = key{made.Shop, made.Customer}, made.Version
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.flying[m.key]
	if f.n > 0 && m.version <= f.version {
		return false
	}
	w.flying[m.key] = flights{f.n + 1, m.version}
	return true
}

func (w *window) land(m *mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.flying[m.key]; f.n > 1 {
		w.flying[m.key] = flights{f.n - 1, f.version}
	} else {
		delete(w.flying, m.key)
	}
}

func (w *window) end(m *mark, e end, r *Refusal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.end, m.refusal = e, r
	if r != nil {
		w.kept += len(r.Raw)
	}
}

// full says that enough waits behind a record without an end.
func (w *window) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept > maxKept || len(w.marks) > maxMarks
}

// settled takes the records up to the first without an end, and returns where
// that is, with the refusals before it.
func (w *window) settled() (*state, []*Refusal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*Refusal
	n := 0
	for ; n < len(w.marks) && w.marks[n].end != open; n++ {
		m := w.marks[n]
		switch m.end {
		case stored:
			w.state.Totals.Stored++
		case duplicate:
			w.state.Totals.Duplicate++
		case refused:
			w.state.Totals.Refused++
			w.kept -= len(m.refusal.Raw)
			list = append(list, m.refusal)
		case open:
		}
		w.state.At = m.at
	}
	w.marks = append([]*mark(nil), w.marks[n:]...) // not a slice of it, which would keep what is done
	now := w.state
	return &now, list
}

func (w *window) lastLine() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.At.Line
}

func (w *window) totals() Totals {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Totals
}
