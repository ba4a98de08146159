package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

func TestStopFinishesTheCallInFlightAndSettlesIt(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = 5 * time.Second
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Second)
		r.changed("b", 1, "")
		took := r.halt()
		if took < 3*time.Second || took > 6*time.Second {
			t.Errorf("stopping took %v, want the rest of the call", took)
		}
		r.wantSent("a:1")
		r.wantOutcome("a", "delivered 1")
		r.wantOutcome("b", "")
		if got, want := r.floor(), uint64(1); got != want {
			t.Errorf("settled up to %d, want %d", got, want)
		}
	})
}

func TestEndOfWorkLeavesTheCallInFlight(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.hold = make(chan struct{})
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Second)
		r.stop()
		r.wait(time.Second)
		r.kill()
		r.halt()
		r.wantOutcome("a", "")
		if got := r.floor(); got != 0 {
			t.Errorf("settled up to %d, want nothing", got)
		}
	})
}

// TestStopEndsInEveryStage stops a loop whose customer is in the stage named; all
// of them have to let go.
func TestStopEndsInEveryStage(t *testing.T) {
	stages := map[string]func(*rig){
		"loading":             func(r *rig) { r.delay(30 * time.Second) },
		"lingering":           func(r *rig) { r.d.Batch.Linger = time.Hour },
		"parked":              func(r *rig) { r.sink.answer = always(sinks.Outcome{Verdict: sinks.Retryable}) },
		"behind a throttle":   func(r *rig) { r.sink.answer = fails(&retry.Error{Class: retry.After, Wait: time.Hour}) },
		"behind a block":      func(r *rig) { r.sink.answer = fails(&retry.Error{Class: retry.Blocked}) },
		"behind an outage":    func(r *rig) { r.sink.answer = fails(&retry.Error{Unsent: true}) },
		"behind a pause":      func(r *rig) { r.d.SetPaused(true, time.Now(), "") },
		"in doubt":            func(r *rig) { r.sink.answer = fails(errLost) },
		"in doubt, journaled": func(r *rig) { r.sink.lane = onceUnlessHeld; r.sink.answer = fails(errLost) },
		"waiting for a token": func(r *rig) { r.d.Rate = NewRate(0.001) },
	}
	for name, bring := range stages {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				bring(r)
				r.start()
				r.many(3, "")
				r.wait(3 * time.Second)
				r.changed("c0", 2, "")
				r.wait(time.Second)
				if took := r.halt(); took > 2*time.Minute {
					t.Errorf("stopping took %v", took)
				}
			})
		})
	}
}

func always(o sinks.Outcome) func(int, []sinks.Row) ([]sinks.Outcome, error) {
	return func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) {
		outcomes := make([]sinks.Outcome, len(rows))
		for i := range outcomes {
			outcomes[i] = o
		}
		return outcomes, nil
	}
}

func fails(err error) func(int, []sinks.Row) ([]sinks.Outcome, error) {
	return func(int, []sinks.Row) ([]sinks.Outcome, error) { return nil, err }
}

func TestStopDoesNotGoOnHalvingBehindAClosedGate(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = time.Second
		r.sink.answer = fails(&retry.Error{Class: retry.Permanent, Unsent: true, Over: true})
		r.start()
		r.many(8, "")
		r.wait(500 * time.Millisecond)
		r.d.SetPaused(true, time.Now(), "")
		r.wait(100 * time.Millisecond)
		if took := r.halt(); took > 2*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if got, want := r.sink.count(), 1; got != want {
			t.Errorf("%d calls, want %d", got, want)
		}
	})
}

// slowFeed is still being read for a while after its context ended.
type slowFeed struct {
	Feed
	reading atomic.Int32
	linger  time.Duration
}

func (f *slowFeed) Fetch(ctx context.Context, maxBytes int) ([]Message, error) {
	f.reading.Add(1)
	defer f.reading.Add(-1)
	messages, err := f.Feed.Fetch(ctx, maxBytes)
	if ctx.Err() != nil {
		pass(f.linger) // virtual
	}
	return messages, err
}

func TestReleaseWaitsUntilTheFeedsAreReadNoMore(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		lease, lose := context.WithCancel(r.t.Context())
		defer lose()
		feed := &slowFeed{Feed: r.open(1, func(ledger.Key) bool { return false })[0], linger: 2 * time.Second}
		if err := r.d.Take(lease, Shard{ID: 1, Lease: testLease{lease}, Feeds: []Feed{feed}}); err != nil {
			t.Fatal(err)
		}
		r.wait(time.Second)
		if err := r.d.Release(r.t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if n := feed.reading.Load(); n != 0 {
			t.Errorf("released while %d of its feeds are being read", n)
		}
	})
}

func TestTakeSaysWhenTheLoopDoesNotWorkOnTheShard(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = 5 * time.Second
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Second)
		again := Shard{ID: 0, Lease: testLease{r.t.Context()}}
		r.lease() // lost, and its call is under way
		r.wait(time.Millisecond)
		r.delay(time.Second)
		if err := r.d.Take(r.t.Context(), Shard{ID: 7, Lease: testLease{r.t.Context()}}); err != nil {
			t.Errorf("Take of a free shard: %v", err)
		}
		if err := r.d.Take(r.t.Context(), Shard{ID: 7, Lease: testLease{r.t.Context()}}); err == nil {
			t.Error("Take of a shard that is here already gave no error")
		}
		r.halt()
		if err := r.d.Take(r.t.Context(), again); !errors.Is(err, ErrStopped) {
			t.Errorf("Take after the end: got %v, want ErrStopped", err)
		}
	})
}

func TestLostLeaseEndsTheCallAndStoresNothing(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = 5 * time.Second
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Second)
		r.lease()
		r.wait(time.Minute)
		r.wantOutcome("a", "")
		if got := r.gate(); got != Running {
			t.Errorf("the gate is %s, want running: the call was given up by us", got)
		}
		if err := r.d.Release(r.t.Context(), 0); err != nil {
			t.Error(err)
		}
	})
}

func TestNothingIsSentWhileTheLeaseIsNotHeld(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		lapsed := &lapsingLease{ctx: r.t.Context()}
		if err := r.d.Release(r.t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if err := r.d.Take(r.t.Context(), Shard{ID: 0, Lease: lapsed, Feeds: r.open(0, func(ledger.Key) bool { return true })}); err != nil {
			t.Fatal(err)
		}
		r.changed("a", 1, "")
		r.wait(time.Minute)
		r.wantSent()
		lapsed.held.Store(true)
		r.wait(time.Second)
		r.wantSent("a:1")
	})
}

type lapsingLease struct {
	ctx  context.Context
	held atomic.Bool
}

func (l *lapsingLease) Context() context.Context { return l.ctx }
func (l *lapsingLease) Held() bool               { return l.held.Load() }

func TestStopKeepsAttemptsAndLostCalls(t *testing.T) {
	t.Run("attempts", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.sink.took = time.Second
			r.sink.answer = always(sinks.Outcome{Verdict: sinks.Retryable})
			r.start()
			r.changed("a", 1, "")
			r.wait(500 * time.Millisecond)
			r.halt() // in its first call
			if p := r.entry("a").Pending; p == nil || p.Attempts != 1 {
				t.Errorf("pending %+v, want one attempt", p)
			}
		})
	})
	t.Run("a lost call", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
			r.sink.answer = loseFirst
			r.start()
			r.changed("a", 7, "")
			r.wait(100 * time.Millisecond)
			lostAt := time.Now()
			r.halt()
			r.restart()
			r.changed("a", 8, "")
			r.wait(time.Minute)
			sent, at := r.sink.sent(), r.sink.times()
			last := len(sent) - 1
			if sent[last] != "a:8!" || at[last].Sub(lostAt) < 9*time.Second {
				t.Errorf("sent %q, the last one %v after the lost call; want version 8 once its time is over", sent, at[last].Sub(lostAt))
			}
		})
	})
	t.Run("of a row that is due", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.d.SetPaused(true, time.Now(), "")
			r.changed("a", 7, "")
			r.hold("a", ledger.Entry{Pending: &ledger.Pending{Version: 7, Seq: 1, Attempts: 1}})
			r.start()
			r.wait(time.Second)
			r.halt()
			r.wantSettled()
			if got := r.waiting(); got != 1 {
				t.Errorf("%d wake-ups are set, want one", got)
			}
			r.restart()
			r.wait(time.Minute)
			r.wantOutcome("a", "delivered 7")
		})
	})
}
