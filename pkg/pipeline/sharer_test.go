package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// board is the record that all workers of a fleet see, some milliseconds late.
type board struct {
	mu       sync.Mutex
	limits   Share
	claims   Claims
	revision uint64
	last     uint64 // revision that there was
	writes   int
	over     map[string]time.Time // when a membership is over for certain
	unseen   string               // a member of whom a server knows nothing yet, for one question
	watching []*watch
	most     Share // that was claimed in sum
	flaky    float64
	before   struct {
		claims   Claims
		revision uint64
	}
	rng *rand.Rand
}

// watch is one worker's view.
type watch struct {
	*board
	changed chan struct{}
}

// written is how many writes were taken.
func (b *board) written() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes
}

// failing makes this share of answers get lost or be old.
func (b *board) failing(share float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flaky, b.rng = share, rand.New(rand.NewPCG(1, 1))
}

const boardDelay = 3 * time.Millisecond

func (b *board) watch() *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := &watch{b, make(chan struct{}, 1)}
	b.watching = append(b.watching, w)
	return w
}

func (w *watch) Changed() <-chan struct{} { return w.changed }

func (w *watch) Read(ctx context.Context) (Claims, uint64, error) {
	sleep(ctx, boardDelay)
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.before; w.flaky > 0 && w.rng.Float64() < w.flaky && old.revision > 0 {
		return slices.Clone(old.claims), old.revision, ctx.Err() // a server that leads no more
	}
	return slices.Clone(w.claims), w.revision, ctx.Err()
}

func (w *watch) Write(ctx context.Context, claims Claims, revision uint64) (uint64, error) {
	sleep(ctx, boardDelay)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil || revision != w.revision {
		return 0, ctx.Err()
	}
	lost := w.flaky > 0 && w.rng.Float64() < w.flaky
	if lost && w.rng.IntN(2) == 0 {
		return 0, errStore
	}
	w.before.claims, w.before.revision = w.claims, w.revision
	w.last++
	w.revision = w.last
	w.writes++
	w.claims = slices.Clone(claims)
	sum := Share{}
	for _, c := range claims {
		if over, ok := w.over[c.Member]; !ok || time.Now().Before(over) {
			sum.Concurrency += c.Has.Concurrency
			sum.CallsPerSecond += c.Has.CallsPerSecond
		}
	}
	w.most = w.most.most(sum)
	for _, other := range w.watching {
		time.AfterFunc(boardDelay, func() {
			select {
			case other.changed <- struct{}{}:
			default:
			}
		})
	}
	if lost {
		return 0, errStore
	}
	return w.revision, nil
}

func (w *watch) Over(_ context.Context, member string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if member == w.unseen {
		w.unseen = ""
		return true, nil
	}
	over, ok := w.over[member]
	return ok && !time.Now().Before(over), nil
}

// callee is what all workers call.
type callee struct {
	mu    sync.Mutex
	took  time.Duration // of a delivery's last call
	calls int           // of one delivery; 1
	times []time.Time
	by    map[string]int
	now   int
	most  int
}

// way is one worker's way to the provider.
type way struct {
	*callee
	name string
	rate *Rate
}

func (l way) Limits() sinks.Limits { return sinks.Limits{} }

func (l way) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	l.count(1)
	defer l.count(-1)
	for range max(l.calls, 1) {
		if err := l.rate.Before(ctx); err != nil {
			return nil, &retry.Error{Code: "no_turn", Unsent: true, Over: true}
		}
		l.mu.Lock()
		l.times = append(l.times, time.Now())
		l.by[l.name]++
		l.mu.Unlock()
		sleep(ctx, l.took)
	}
	return allTaken(rows), ctx.Err()
}

func (p *callee) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now += n
	p.most = max(p.most, p.now)
}

// since forgets the calls so far and returns how many each worker made.
func (p *callee) since() (by map[string]int, times []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	by, times = p.by, p.times
	p.by, p.times = map[string]int{}, nil
	return by, times
}

// fleet is workers that share a provider's limits.
type fleet struct {
	*board
	*callee
	t   *testing.T
	ill *illness // not nil: what the record suffers from
}

// hand is one worker of a fleet, with a world of its own: its shards'.
type hand struct {
	*rig
	fleet  *fleet
	name   string
	sharer *Sharer
	end    context.CancelFunc // of the membership
	ended  chan struct{}
}

func inFleet(t *testing.T, limits Share, test func(f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&fleet{&board{limits: limits, over: map[string]time.Time{}}, &callee{by: map[string]int{}, took: 20 * time.Millisecond}, t, nil})
	})
}

// join starts a worker to whom so many customers fall.
func (f *fleet) join(name string, customers int) *hand {
	r := &rig{world: newWorld(1), t: f.t, sink: &script{}}
	h := &hand{rig: r, fleet: f, name: name, ended: make(chan struct{})}
	rate := NewRate(f.limits.CallsPerSecond)
	rate.Set(0, false)
	r.d = r.destination()
	r.d.Sink, r.d.Rate, r.d.Shared, r.d.Concurrency = way{f.callee, name, rate}, rate, true, f.limits.Concurrency
	r.d.Batch = Batch{MaxRows: 1}
	h.sharer = &Sharer{Destination: r.d, Rate: rate, Limits: f.limits, Shares: f.view(), Member: name}
	membership, end := context.WithCancel(context.Background())
	h.end = end
	h.many(customers, "")
	h.start()
	go func() {
		defer close(h.ended)
		h.sharer.Run(membership)
	}()
	return h
}

// leave ends a worker in order.
func (h *hand) leave() {
	h.halt()
	h.end()
	<-h.ended
	if err := h.sharer.Leave(context.Background()); err != nil {
		h.t.Error(err)
	}
}

// die ends a worker as SIGKILL would. Its membership is over for the others two
// seconds later.
func (h *hand) die() {
	h.fleet.board.mu.Lock()
	h.fleet.over[h.name] = time.Now().Add(2 * time.Second)
	h.fleet.board.mu.Unlock()
	h.rig.end()
	h.end()
	<-h.ended
}

// during lets time pass and holds the calls in it against the limit: in no second
// more, and in all of it nearly as many.
func (f *fleet) during(what string, long time.Duration, atLeast float64) map[string]int {
	f.t.Helper()
	f.since()
	sleep(context.Background(), long)
	by, times := f.since()
	limit := f.limits.CallsPerSecond
	if got := most(times, time.Second); got > roundUp(limit) {
		f.t.Errorf("%s: %d calls in a second, the limit is %v", what, got, limit)
	}
	if got, want := float64(len(times)), atLeast*limit*long.Seconds(); got < want {
		f.t.Errorf("%s: %v calls in %v (%v), want %v of %v a second", what, got, long, by, atLeast, limit)
	}
	return by
}

func (f *fleet) check() {
	f.t.Helper()
	if f.board.most.Concurrency > f.limits.Concurrency || f.board.most.CallsPerSecond > f.limits.CallsPerSecond+slack {
		f.t.Errorf("claims of %v, the limits are %v", f.board.most, f.limits)
	}
	if f.callee.most > f.limits.Concurrency {
		f.t.Errorf("%d deliveries at once, the limits are %v", f.callee.most, f.limits)
	}
}

func TestALoneWorkerHasAllAtOnce(t *testing.T) {
	inFleet(t, Share{4, 20}, func(f *fleet) {
		a := f.join("a", 1000)
		f.during("its first two seconds", 2*time.Second, 0.95)
		a.leave()
		f.check()
		if len(f.claims) != 0 {
			t.Errorf("claims %v are left", f.claims)
		}
	})
}

func TestLimitsAreKeptWhileWorkersComeAndGo(t *testing.T) {
	for _, limits := range []Share{{4, 10}, {8, 5}, {3, 2.5}, {16, 100}} {
		t.Run(fmt.Sprint(limits), func(t *testing.T) {
			inFleet(t, limits, func(f *fleet) {
				const plenty = 20_000
				hands := []*hand{f.join("a", plenty)}
				f.during("alone", 10*time.Second, 0.95)
				for _, name := range []string{"b", "c", "d"} {
					hands = append(hands, f.join(name, plenty))
				}
				f.during("three join", 5*time.Second, 0.7)
				for name, n := range f.during("four", 40*time.Second, 0.95) {
					if fair := limits.CallsPerSecond * 40 / 4; float64(n) < fair/2 {
						t.Errorf("%s made %d calls of %v", name, n, 4*fair)
					}
				}
				hands[0].die()
				f.during("one dies", 4*time.Second, 0.5)
				f.during("three", 20*time.Second, 0.95)
				hands[1].leave()
				f.during("one leaves", 3*time.Second, 0.6)
				f.during("two", 20*time.Second, 0.95)
				f.check()
				for _, h := range hands[2:] {
					h.die()
				}
			})
		})
	}
}

// Where there are fewer parts than workers they take turns, and nobody starves.
func TestWorkersTakeTurns(t *testing.T) {
	for _, limits := range []Share{{1, 10}, {4, 1}, {2, 20}, {4, 0.5}} {
		t.Run(fmt.Sprint(limits), func(t *testing.T) {
			inFleet(t, limits, func(f *fleet) {
				var hands []*hand
				for i := range 4 {
					hands = append(hands, f.join(fmt.Sprint("w", i), 20_000))
				}
				sleep(context.Background(), 10*time.Second)
				by := f.during("turns", 2*time.Minute, 0.95)
				for _, h := range hands {
					if fair := limits.CallsPerSecond * 120 / 4; float64(by[h.name]) < fair*0.6 {
						t.Errorf("%s made %d calls, evenly shared are %v: %v", h.name, by[h.name], fair, by)
					}
				}
				f.check()
				for _, h := range hands {
					h.leave()
				}
			})
		})
	}
}

// A worker that has little to do leaves the rest to those that have much.
func TestLimitsAreSharedByDemand(t *testing.T) {
	inFleet(t, Share{4, 20}, func(f *fleet) {
		busy := f.join("busy", 20_000)
		var others []*hand
		for i := range 3 {
			others = append(others, f.join(fmt.Sprint("calm", i), 0))
		}
		sleep(context.Background(), 5*time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 30 { // a change every two seconds
				h := others[i%len(others)]
				h.changed(fmt.Sprint("x", i), 1, "")
				came := time.Now()
				for h.outcome(fmt.Sprint("x", i)) == "" {
					pass(10 * time.Millisecond)
				}
				if took := time.Since(came); took > 1500*time.Millisecond {
					t.Errorf("a change waited %v for a share", took)
				}
				pass(2*time.Second - time.Since(came))
			}
		}()
		f.during("one is busy", time.Minute, 0.95)
		<-done
		f.check()
		for _, h := range append(others, busy) {
			h.leave()
		}
	})
}

// Deliveries that make several calls come to their end while their worker's turn
// is over.
func TestTurnEndsAfterWhatIsUnderWay(t *testing.T) {
	inFleet(t, Share{1, 4}, func(f *fleet) {
		f.callee.calls = 5
		a, b := f.join("a", 20_000), f.join("b", 20_000)
		by := f.during("long deliveries", 2*time.Minute, 0.9)
		if by["a"] < 150 || by["b"] < 150 {
			t.Errorf("got %v, want about as many of each", by)
		}
		f.check()
		a.leave()
		b.leave()
	})
}

// Answers that get lost and old ones never make the parts in use more than the
// limits: what the provider sees is kept, and everybody gets his part.
func TestLimitsAreKeptWhateverTheRecordAnswers(t *testing.T) {
	inFleet(t, Share{4, 20}, func(f *fleet) {
		f.failing(0.3)
		var hands []*hand
		for i := range 6 {
			hands = append(hands, f.join(fmt.Sprint("w", i), 20_000))
			f.during("they join", 5*time.Second, 0.4)
		}
		by := f.during("all", time.Minute, 0.85)
		for _, h := range hands {
			if by[h.name] < 50 {
				t.Errorf("%s made %d calls of %v", h.name, by[h.name], by)
			}
		}
		f.check()
		f.failing(0)
		for _, h := range hands {
			h.leave()
		}
	})
}

// An idle fleet writes nothing.
func TestIdleWorkersAreQuiet(t *testing.T) {
	inFleet(t, Share{4, 20}, func(f *fleet) {
		hands := []*hand{f.join("a", 10), f.join("b", 10), f.join("c", 10)}
		sleep(context.Background(), 10*time.Second)
		before := f.written()
		sleep(context.Background(), time.Hour)
		if got := f.written() - before; got != 0 {
			t.Errorf("%d writes in an hour", got)
		}
		for _, h := range hands {
			h.leave()
		}
	})
}

// All being busy for a while costs few writes.
func TestBusyWorkersAreQuiet(t *testing.T) {
	inFleet(t, Share{8, 20}, func(f *fleet) {
		hands := []*hand{f.join("a", 20_000), f.join("b", 20_000), f.join("c", 20_000)}
		sleep(context.Background(), 10*time.Second)
		before := f.written()
		sleep(context.Background(), time.Minute)
		if got := f.written() - before; got > 60 {
			t.Errorf("%d writes in a minute", got)
		}
		for _, h := range hands {
			h.leave()
		}
	})
}
