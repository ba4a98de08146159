package ledger

import "time"

// Mark is a place in a customer's order: the higher version is newer, and of
// one version the later in the stream.
type Mark struct {
	Version int64
	Seq     uint64
}

// Compare returns -1, 0 or +1 as m is older than, the same as, or newer than o.
func (m Mark) Compare(o Mark) int {
	switch {
	case m.Version != o.Version:
		if m.Version < o.Version {
			return -1
		}
		return 1
	case m.Seq != o.Seq:
		if m.Seq < o.Seq {
			return -1
		}
		return 1
	}
	return 0
}

// Top is the newest mark that the entry knows of in any way.
func (e *Entry) Top() Mark {
	var top Mark
	if e.Held != nil {
		top = newer(top, Mark{e.Held.Version, e.Held.Seq})
	}
	if e.Settled != nil {
		top = newer(top, Mark{e.Settled.Version, e.Settled.Seq})
	}
	if e.Pending != nil {
		top = newer(top, Mark{e.Pending.Version, e.Pending.Seq})
	}
	return top
}

func newer(a, b Mark) Mark {
	if a.Compare(b) >= 0 {
		return a
	}
	return b
}

// minTimeVersion is where versions made of time begin (contract: 10^14).
const minTimeVersion = 100_000_000_000_000

// Decision is the fence's word on a version.
type Decision uint8

const (
	Pass  Decision = iota // newer than everything the entry knows, or asked for again
	Stale                 // superseded: an equal or newer version is there
	Mixed                 // an explicit version after one made of time: nobody can order them
)

// Fence decides whether a version may go out. Again says that the same version
// may pass once more: a wake-up asks for it, or it is still pending.
func (e *Entry) Fence(m Mark, timeVersion, again bool) Decision {
	top := e.Top()
	if !timeVersion && m.Version < minTimeVersion && top.Version >= minTimeVersion {
		return Mixed
	}
	switch c := m.Compare(top); {
	case c > 0:
		return Pass
	case c == 0 && (again || e.pendingAt(m)):
		return Pass
	}
	return Stale
}

func (e *Entry) pendingAt(m Mark) bool {
	return e.Pending != nil && e.Pending.Version == m.Version && e.Pending.Seq == m.Seq
}

// Waits reports whether the pending version is still to go out. One without a
// sequence, or that a later end has overtaken, only tells of earlier calls.
func (e *Entry) Waits() bool {
	p, s := e.Pending, e.Settled
	return p != nil && p.Seq > 0 && (s == nil || (Mark{p.Version, p.Seq}).Compare(Mark{s.Version, s.Seq}) >= 0)
}

// Doubted returns the entry with a version marked as in doubt, for a call whose
// verdict nobody heard: it began at the time given, and nothing of it can take
// effect after until. It reports false when there is nothing to mark: the call's
// version ended after it began, a newer one has ended, or it is marked already.
func (e *Entry) Doubted(m Mark, began, until time.Time) (Entry, bool) {
	if s := e.Settled; s != nil {
		c := (Mark{s.Version, s.Seq}).Compare(m)
		if c > 0 || c == 0 && !began.After(s.At) {
			return *e, false // of an end before the call, a replay asked for the version again
		}
	}
	p := Pending{Version: m.Version, Seq: m.Seq}
	if old := e.Pending; old != nil {
		known := (Mark{old.Version, old.Seq}).Compare(m) >= 0
		if known {
			p = *old
		}
		if known && old.Doubt && !until.After(old.Next) {
			return *e, false
		}
		if old.Next.After(p.Next) {
			p.Next = old.Next
		}
	}
	p.Doubt = true
	if until.After(p.Next) {
		p.Next = until
	}
	doubted := *e
	doubted.Pending = &p
	return doubted, true
}
