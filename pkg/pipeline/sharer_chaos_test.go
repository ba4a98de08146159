package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// illBoard is one worker's view of a record that is kept by a cluster which loses
// nodes: answers get lost, old ones come from servers that lead no more, for a while
// there is none at all, and it is learnt late who is gone.
type illBoard struct {
	*watch
	rng   *rand.Rand
	ill   *illness
	until time.Time // no answers to this worker until then
}

// illness is what all workers of a fleet suffer from.
type illness struct {
	share  float64 // of answers that are lost or old
	outage float64 // of requests with which one worker's outage begins
	old    []oldClaims
}

type oldClaims struct {
	claims   Claims
	revision uint64
	at       time.Time // until when they were the newest
}

// view is how one worker sees the record.
func (f *fleet) view() Shares {
	w := f.watch()
	if f.ill == nil {
		return w
	}
	return &illBoard{watch: w, ill: f.ill, rng: rand.New(rand.NewPCG(uint64(len(f.watching)), 2))}
}

// away waits as long as no server answers, and reports whether it gave up.
func (b *illBoard) away(ctx context.Context) error {
	b.mu.Lock()
	if b.rng.Float64() < b.ill.outage {
		b.until = time.Now().Add(time.Duration(b.rng.Int64N(int64(4 * time.Second))))
	}
	until, errs := b.until, b.rng.IntN(2) == 0
	b.mu.Unlock()
	if !time.Now().Before(until) {
		return nil
	}
	if errs {
		sleep(ctx, boardDelay)
		return errStore
	}
	sleep(ctx, time.Until(until))
	return ctx.Err()
}

func (b *illBoard) Read(ctx context.Context) (Claims, uint64, error) {
	if err := b.away(ctx); err != nil {
		return nil, 0, err
	}
	claims, revision, err := b.watch.Read(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rng.Float64() < b.ill.share {
		// It does not know for some seconds that it leads no more.
		old := slices.DeleteFunc(slices.Clone(b.ill.old), func(o oldClaims) bool { return time.Since(o.at) > 10*time.Second })
		if len(old) > 0 {
			o := old[b.rng.IntN(len(old))]
			return slices.Clone(o.claims), o.revision, err
		}
	}
	return claims, revision, err
}

func (b *illBoard) Write(ctx context.Context, claims Claims, revision uint64) (uint64, error) {
	if err := b.away(ctx); err != nil {
		return 0, err
	}
	b.mu.Lock()
	lost, before := b.rng.Float64() < b.ill.share, b.rng.IntN(2) == 0
	old := oldClaims{b.claims, b.revision, time.Now()}
	b.mu.Unlock()
	if lost && before {
		return 0, errStore
	}
	written, err := b.watch.Write(ctx, claims, revision)
	if written > 0 {
		b.mu.Lock()
		b.ill.old = append(b.ill.old, old)
		b.mu.Unlock()
	}
	if lost {
		return 0, errStore
	}
	return written, err
}

func (b *illBoard) Over(ctx context.Context, member string) (bool, error) {
	if err := b.away(ctx); err != nil {
		return false, err
	}
	b.mu.Lock()
	old := b.rng.Float64() < b.ill.share
	b.mu.Unlock()
	if old {
		return false, nil // it knows of no end yet
	}
	return b.watch.Over(ctx, member)
}

// TestLimitsAreKeptByAnySchedule lets workers come, go and die while the record is
// kept by a cluster in trouble. What is in use is never more than the limits, and
// once the trouble is over everybody has a part.
func TestLimitsAreKeptByAnySchedule(t *testing.T) {
	for seed := range uint64(max(*schedules/40, 1)) {
		seed += *from
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			limits := []Share{{4, 20}, {2, 5}, {1, 4}, {8, 2.5}, {3, 0.5}, {6, 12}}[seed%6]
			inFleet(t, limits, func(f *fleet) { f.anySchedule(rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func (f *fleet) anySchedule(rng *rand.Rand) {
	ill := &illness{share: []float64{0.05, 0.3, 0.6}[rng.IntN(3)], outage: []float64{0, 0.02, 0.2}[rng.IntN(3)]}
	f.ill = ill
	var hands []*hand
	for n := range 8 + rng.IntN(8) {
		switch {
		case len(hands) < 2 || rng.IntN(2) == 0 && len(hands) < 6:
			hands = append(hands, f.join(fmt.Sprint("w", n), 5_000))
		default:
			i := rng.IntN(len(hands))
			hands[i].die()
			hands = slices.Delete(hands, i, i+1)
		}
		f.during("in trouble", time.Duration(rng.Int64N(int64(10*time.Second))), 0)
	}
	f.board.mu.Lock()
	ill.share, ill.outage = 0, 0
	f.board.mu.Unlock()
	f.during("when it is over", 15*time.Second, 0)
	by := f.during("afterwards", time.Minute, 0.8)
	for _, h := range hands {
		if fair := f.limits.CallsPerSecond * 60 / float64(len(hands)); float64(by[h.name]) < fair/3 {
			f.t.Errorf("%s made %d calls, evenly shared are %.0f: %v; claims %+v", h.name, by[h.name], fair, by, f.claims)
		}
	}
	f.check()
	for _, h := range hands {
		h.leave()
	}
	synctest.Wait()
}

// A record that is lost is written anew: nobody waits for ever for one that is as new
// as what was read before.
func TestLostRecordIsWrittenAnew(t *testing.T) {
	inFleet(t, Share{4, 20}, func(f *fleet) {
		busy := f.join("busy", 50_000)
		calm := f.join("calm", 0)
		sleep(context.Background(), 10*time.Second)
		f.board.mu.Lock()
		f.claims, f.revision = nil, 0
		f.board.mu.Unlock()
		calm.many(10_000, "")
		f.during("it is missed", time.Minute, 0.3)
		by := f.during("it is there again", time.Minute, 0.9)
		if by["busy"] < 400 || by["calm"] < 400 {
			t.Errorf("got %v, want about as many of each", by)
		}
		f.check()
		busy.leave()
		calm.leave()
	})
}

// A server that has not seen a worker come says once that its membership is over: the
// worker is back among the others at once, and stays.
func TestMemberThatWasTakenForGoneIsBack(t *testing.T) {
	inFleet(t, Share{4, 20}, func(f *fleet) {
		a, b := f.join("a", 50_000), f.join("b", 50_000)
		f.during("at first", 10*time.Second, 0)
		f.board.mu.Lock()
		f.unseen = "b"
		f.board.mu.Unlock()
		f.during("while it is wrong", 2*time.Minute, 0)
		before := f.written()
		by := f.during("afterwards", time.Minute, 0.9)
		if by["a"] < 400 || by["b"] < 400 {
			t.Errorf("got %v, want about as many of each", by)
		}
		if n := f.written() - before; n > 60 {
			t.Errorf("%d writes within a minute in which nobody came or left", n)
		}
		if f.unseen != "" {
			t.Error("nobody asked")
		}
		a.leave()
		b.leave()
	})
}
