package pipeline

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

// Rate holds a worker to its share of a destination's calls per second: in no
// second are there more calls than the share, rounded up, and they are spread
// evenly over it. Below one call per second the same is true of the time in
// which the limit allows one.
//
// The loop takes the first call of a delivery before it cuts the batch, so that
// rows wait where newer ones can still replace them; further calls of the
// delivery wait in Before, and go before new deliveries.
type Rate struct {
	limit float64       // of the whole fleet; 0: none
	span  time.Duration // in which the calls are counted
	calls atomic.Uint64

	mu      sync.Mutex
	share   float64       // this worker's calls per second
	ramp    ramp          // how the share grew last
	grid    time.Time     // the last call's place in the even pace
	recent  []time.Time   // calls within the last span, the oldest first
	queue   int           // calls of deliveries under way that wait
	refused bool          // a call had to wait since the last look
	closed  time.Time     // the provider named a time: no call before
	code    string        // what it said then
	changed chan struct{} // closed, and another one made, when waiting calls have to look again
}

// NewRate allows so many calls per second; 0 means no limit. Until Set says
// otherwise all of them are this worker's.
func NewRate(callsPerSecond float64) *Rate {
	r := &Rate{limit: max(callsPerSecond, 0), span: time.Second + wayVaries, changed: make(chan struct{})}
	if r.share = r.limit; r.limit > 0 && r.limit < 1 {
		r.span = time.Duration(float64(time.Second)/r.limit) + wayVaries
	}
	return r
}

// ramp is how a share comes to count after it has grown: evenly over a second,
// since calls that another worker made with that part before count still.
type ramp struct {
	at    time.Time
	base  int     // calls that are allowed at once
	extra float64 // calls that come to them within a second
}

// Set changes this worker's share of the limit; 0 means no call at all. Where
// there is no limit it does nothing. A share that has grown by the last part that
// was free begins with a call at once, since its turn has come: from each part
// that is given up one worker may do so.
func (r *Rate) Set(callsPerSecond float64, atOnce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit == 0 || r.share == callsPerSecond {
		return
	}
	if callsPerSecond > r.share {
		now, before := time.Now(), 0
		if r.share > 0 {
			before = r.room(now)
		}
		r.ramp = ramp{now, before, callsPerSecond - float64(before)}
		if atOnce {
			r.ramp.base++
		}
	}
	r.share = max(callsPerSecond, 0)
	r.again()
}

// Calls is the number of calls made so far.
func (r *Rate) Calls() uint64 { return r.calls.Load() }

type prepaidKey struct{}

// paceSlack is up to how late a call may be without the ones after it being
// late too: timers are, and at many calls per second it would add up.
const paceSlack = 25 * time.Millisecond

// wayVaries is by how much one call's way to the provider may be longer than
// another's without more of them arriving in a second than left in one.
const wayVaries = 10 * time.Millisecond

// take takes the right to a call now, or says how long to wait for it; zero:
// until something changes.
func (r *Rate) take(now time.Time) (wait time.Duration, ok bool) {
	if r == nil {
		return 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.takeAfter(now, r.queue)
}

// takeAfter is take behind so many others.
func (r *Rate) takeAfter(now time.Time, others int) (wait time.Duration, ok bool) {
	if r.limit == 0 {
		return 0, true
	}
	if r.share == 0 {
		r.refused = true
		return 0, false
	}
	pace := r.pace()
	next := r.grid.Add(pace)
	r.age(now)
	if room := r.room(now); len(r.recent) >= room {
		at := r.ramp.next(now)
		if room > 0 {
			at = earliest(at, r.recent[len(r.recent)-room].Add(r.span))
		}
		next = later(next, at)
	}
	if at := next.Add(time.Duration(others) * pace); now.Before(at) {
		r.refused = true
		return at.Sub(now), false
	}
	if r.grid = next; now.Sub(next) > paceSlack {
		r.grid = now
	}
	r.recent = append(r.recent, now)
	return 0, true
}

func (r *Rate) pace() time.Duration { return time.Duration(float64(time.Second) / r.share) }

// room is how many calls the share allows in a span that ends now.
func (r *Rate) room(now time.Time) int {
	if r.limit < 1 {
		return 1
	}
	room := roundUp(r.share)
	if passed := now.Sub(r.ramp.at); passed < time.Second {
		room = min(room, r.ramp.base+int(r.ramp.extra*passed.Seconds()+slack))
	}
	return room
}

// next is when the ramp allows the next call; zero: it is over.
func (p ramp) next(now time.Time) time.Time {
	passed := now.Sub(p.at)
	if passed >= time.Second {
		return time.Time{}
	}
	n := float64(int(p.extra*passed.Seconds()+slack)) + 1
	return p.at.Add(min(time.Duration(math.Ceil(n/p.extra*float64(time.Second))), time.Second))
}

// roundUp passes over what adding and subtracting shares leaves behind.
func roundUp(v float64) int { return int(math.Ceil(v - 1e-9)) }

// age forgets the calls that count no more.
func (r *Rate) age(now time.Time) {
	n := 0
	for n < len(r.recent) && now.Sub(r.recent[n]) >= r.span {
		n++
	}
	if n > 0 {
		r.recent = append(r.recent[:0], r.recent[n:]...)
	}
}

// used is what has been asked of the share lately: the calls in the last span,
// and whether any had to wait since the last look.
func (r *Rate) used(now time.Time) (calls int, refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age(now)
	refused, r.refused = r.refused || r.queue > 0, false
	return len(r.recent), refused
}

// free returns from when on another worker may use what this one gave up, having
// gone down from the share given: when its own next call would have been due.
func (r *Rate) free(from float64) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit == 0 || len(r.recent) == 0 || from == 0 {
		return time.Time{}
	}
	return r.recent[len(r.recent)-1].Add(time.Duration(float64(time.Second) / from))
}

// close lets no call go before a time that the provider named; zero: there is none.
func (r *Rate) close(until time.Time, code string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed.Equal(until) {
		r.closed, r.code = until, code
		r.again()
	}
}

// again makes waiting calls look again.
func (r *Rate) again() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// prepayment is the right to a delivery's first call.
type prepayment struct {
	at   time.Time // when it was taken
	used bool      // guarded by the Rate's lock
}

// prepaid marks a delivery's context: its first call was taken then.
func prepaid(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, prepaidKey{}, &prepayment{at: at})
}

// use counts a call that was paid before as made now, when it is made: in between
// it may have waited for a store. It reports false if the call was made before.
func (r *Rate) use(p *prepayment, now time.Time) bool {
	if p == nil || p.used {
		return false
	}
	p.used = true
	if i := slices.IndexFunc(r.recent, p.at.Equal); i >= 0 {
		r.recent = append(slices.Delete(r.recent, i, i+1), now)
	}
	return true
}

// Before is called by a sink before each call of a delivery; it waits for the
// right to make it. After the provider has named a time, to whichever worker, it
// refuses.
func (r *Rate) Before(ctx context.Context) error {
	before, _ := ctx.Value(prepaidKey{}).(*prepayment)
	r.mu.Lock()
	defer r.mu.Unlock()
	paid := r.use(before, time.Now())
	r.queue++
	defer func() { r.queue-- }()
	for {
		now := time.Now()
		if now.Before(r.closed) {
			return &retry.Error{Class: retry.After, Code: r.code, Wait: r.closed.Sub(now), Unsent: true, Over: true}
		}
		wait := time.Duration(0)
		if !paid {
			wait, paid = r.takeAfter(now, 0)
		}
		if paid {
			r.calls.Add(1)
			return nil
		}
		if err := r.await(ctx, wait); err != nil {
			return err
		}
	}
}

// await waits so long, zero: without end, or until something changes. It is
// called with the lock and gives it up meanwhile.
func (r *Rate) await(ctx context.Context, wait time.Duration) error {
	changed := r.changed
	r.mu.Unlock()
	defer r.mu.Lock()
	var due <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
	case <-changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
