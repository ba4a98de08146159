package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

// GateState is a destination's state as people see it.
type GateState string

const (
	Running   GateState = "running"
	Throttled GateState = "throttled" // the provider named a time to wait
	Outage    GateState = "outage"    // the provider or the way to it fails
	Refusing  GateState = "blocked"   // nothing will work until a person acts
	Paused    GateState = "paused"    // a person stopped it
)

// Gate is a destination's gate as it is told to others.
type Gate struct {
	State  GateState `json:"state"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"` // the next probe is not before; zero: none is due
}

// gate closes a destination while calls are no use. Closed by an outage, a
// throttle or a block it opens by a probe, one batch at a time, ever more
// seldom; closed by a person it opens by a person.
type gate struct {
	Gate
	attempt int  // probes that failed since it closed
	probing bool // a probe is under way
	nudged  bool // somebody said to try: what comes of it is news, even if it is as before
	paused  bool
	note    string // of who paused
	pausedS time.Time
	unfit   Gate // why nothing may be begun here; zero: nothing is in the way
}

// blockedWaits is how seldom a blocked destination is probed: soon at first,
// since a mistyped password is often mended at once, then every few minutes.
var blockedWaits = retry.Policy{Initial: 5 * time.Second, Max: 3 * time.Minute, Jitter: 0.2}

func newGate(now time.Time) gate { return gate{Gate: Gate{State: Running, Since: now}} }

// shown is the gate as people see it: a pause hides what is behind it.
func (g *gate) shown() Gate {
	switch {
	case g.unfit.Reason != "":
		return g.unfit
	case g.paused:
		return Gate{State: Paused, Since: g.pausedS, Reason: g.note}
	}
	return g.Gate
}

// admits reports whether a call may start, given how many are under way, and
// otherwise when to ask again; zero: when something changes.
func (g *gate) admits(now time.Time, inflight int) (ok, probe bool, at time.Time) {
	switch {
	case g.paused:
		return false, false, time.Time{}
	case g.State == Running:
		return true, false, time.Time{}
	case g.probing || inflight > 0:
		return false, false, time.Time{}
	case now.Before(g.Until):
		return false, false, g.Until
	}
	return true, true, time.Time{}
}

// size is how many rows the next batch may have. During an outage ever smaller
// ones probe: where one row breaks every call that it is in, the others have to
// get by without it some time.
func (g *gate) size(rows int) int {
	if g.State != Outage {
		return rows
	}
	return max(rows>>min(max(g.attempt-1, 0), 30), 1)
}

// close notes that a call failed for the provider's fault, and reports whether
// that is news. Calls that were under way when it closed change nothing but the
// time that a throttle names.
func (g *gate) close(now time.Time, state GateState, reason string, wait time.Duration, probe bool, waits retry.Policy) (changed bool) {
	if g.State != Running && !probe {
		return state == Throttled && g.named(now.Add(wait), reason, now)
	}
	changed = g.State != state || g.Reason != reason || g.nudged || state == Throttled
	g.nudged = false
	if g.State != state {
		// Another fault has waits of its own.
		g.Since, g.attempt = now, 0
	}
	g.attempt++
	if wait <= 0 {
		wait = waits.Delay(g.attempt)
	}
	g.State, g.Reason, g.Until = state, reason, now.Add(wait)
	return changed
}

// named puts the next probe off to a time that the provider named, if that is
// later, and reports whether it is by so much that others have to know.
func (g *gate) named(until time.Time, reason string, now time.Time) bool {
	if !until.After(g.Until) {
		return false
	}
	news := until.Sub(g.Until) >= time.Second
	g.Until = until
	if g.State == Outage { // which is over: the provider answers
		g.State, g.Since, g.Reason, g.attempt = Throttled, now, reason, 0
		news = true
	}
	return news
}

// closedUntil is the time that the provider named, and what it said; zero: none.
func (g *gate) closedUntil() (time.Time, string) {
	if g.State != Throttled {
		return time.Time{}, ""
	}
	return g.Until, g.Reason
}

// open notes that a call went through. Only a probe opens a closed gate.
func (g *gate) open(now time.Time, probe bool) (changed bool) {
	if g.State == Running || !probe {
		return false
	}
	g.Gate, g.attempt = Gate{State: Running, Since: now}, 0
	return true
}

// nudge makes the next probe due at once.
func (g *gate) nudge(now time.Time) {
	if g.State != Running {
		g.Until, g.nudged = now, true
	}
}

// SetPaused stops or starts the destination on this worker for a person.
//
// Whoever resumes a destination wants it to try at once, so a resume also makes
// the next probe due.
func (d *Destination) SetPaused(paused bool, since time.Time, note string) {
	d.init()
	d.post(func() {
		if d.gate.paused == paused {
			return
		}
		d.gate.paused, d.gate.pausedS, d.gate.note = paused, since, note
		if !paused && d.gate.State != Throttled { // a time that the provider named is kept
			d.gate.nudge(time.Now())
		}
		d.Observer.Gate(d.gate.shown())
	})
}

// SetUnfit shows the destination as blocked for a reason that is not the
// provider's, until it is called with an empty one. Whoever calls it gives the
// destination no shards meanwhile.
func (d *Destination) SetUnfit(reason string) {
	d.init()
	d.post(func() {
		if d.gate.unfit.Reason == reason {
			return
		}
		d.gate.unfit = Gate{State: Refusing, Since: time.Now(), Reason: reason}
		d.Observer.Gate(d.gate.shown())
	})
}

// Resume makes a closed gate probe at once. With accept a refusal of everything
// is taken as the provider's word: its rows become dead letters.
func (d *Destination) Resume(accept bool) {
	d.init()
	d.post(func() {
		if accept {
			d.refuse.accept()
		}
		d.gate.nudge(time.Now())
	})
}

// Learn adopts a gate that another worker has just closed: nothing is sent before
// its time. What was learnt is told to nobody, since all hear of it. It is to be
// called once for a closing: this worker may find out meanwhile that it is over.
func (d *Destination) Learn(g Gate) {
	d.init()
	d.post(func() {
		now := time.Now()
		if g.State == Paused || g.State == Running || !g.Until.After(now) {
			return
		}
		switch {
		case d.gate.State == Running:
			d.gate.Gate = g
		case g.State == Throttled:
			d.gate.named(g.Until, g.Reason, now)
		case g.Until.After(d.gate.Until):
			d.gate.Until = g.Until
		}
	})
}
