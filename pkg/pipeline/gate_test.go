package pipeline

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

func TestNothingIsSentBeforeTheTimeThatTheProviderNamed(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows = 10
		var first time.Time
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				first = time.Now()
				return nil, &retry.Error{Class: retry.After, Wait: 90 * time.Second, Code: "http_429", Unsent: true, Over: true}
			}
			return allTaken(rows), nil
		}
		r.d.Concurrency = 1
		r.sink.took = time.Second
		r.start()
		r.many(30, "")
		r.wait(30 * time.Second)
		if got := r.gate(); got != Throttled {
			t.Errorf("the gate is %s, want throttled", got)
		}
		r.wait(2 * time.Minute)
		at := r.sink.times()
		if len(at) != 4 {
			t.Fatalf("%d calls, want 4", len(at))
		}
		if got := at[1].Sub(first); got < 90*time.Second || got > 92*time.Second {
			t.Errorf("the probe went after %v, want 90s", got)
		}
		if got := r.d.Snapshot().Counts; got.Delivered != 30 || got.Dead != 0 {
			t.Errorf("got %+v, want all delivered", got)
		}
	})
}

func TestOneProbeAtATime(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows = 5
		r.sink.took = 2 * time.Second
		r.sink.answer = fails(&retry.Error{Code: "http_503", Unsent: true, Over: true})
		r.start()
		r.many(5, "")
		r.wait(10 * time.Second)
		r.sink.reset()
		r.many(50, "x")
		r.wait(10 * time.Minute)
		if r.sink.atOnce() != 1 {
			t.Errorf("%d calls at once behind a closed gate, want 1", r.sink.atOnce())
		}
	})
}

func TestBlockedWaitsProbesAndRecovers(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = fails(&retry.Error{Class: retry.Blocked, Code: "http_401", Unsent: true, Over: true})
		r.start()
		r.many(20, "")
		r.wait(6 * time.Hour)
		if got := r.gate(); got != Refusing {
			t.Errorf("the gate is %s, want blocked", got)
		}
		if got, atMost := r.sink.count(), 6*60; got > atMost || got < 6*60/5 {
			t.Errorf("%d probes in six hours", got)
		}
		r.sink.say(nil)
		r.wait(5 * time.Minute)
		if got := r.d.Snapshot().Counts; got.Delivered != 20 || got.Dead != 0 || got.Retried != 0 {
			t.Errorf("got %+v, want all delivered and no letter", got)
		}
		if got := r.gate(); got != Running {
			t.Errorf("the gate is %s, want running", got)
		}
	})
}

func TestResumeProbesAtOnce(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = fails(&retry.Error{Class: retry.Blocked, Unsent: true})
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Hour)
		r.sink.say(nil)
		r.d.Resume(false)
		r.wait(time.Second)
		r.wantOutcome("a", "delivered 1")
	})
}

func TestPauseHoldsAndEndsAtOnce(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = 2 * time.Second
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				return nil, &retry.Error{Class: retry.Blocked, Unsent: true}
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Second)
		r.d.SetPaused(true, time.Now(), "works") // while the call flies that blocks it
		r.wait(time.Hour)
		if got := r.gate(); got != Paused {
			t.Errorf("the gate is %s, want paused", got)
		}
		if got := r.sink.count(); got != 1 {
			t.Errorf("%d calls, want the one from before", got)
		}
		r.d.SetPaused(false, time.Time{}, "")
		r.wait(3 * time.Second)
		r.wantOutcome("a", "delivered 1")
	})
}

// Rows that outlive an outage have not used up their time to be retried.
func TestOutageCountsNeitherAttemptsNorTime(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Retry.MaxAttempts, r.d.Retry.MaxElapsed = 3, time.Hour
		var away, again atomic.Bool
		away.Store(true)
		again.Store(true)
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			switch {
			case n == 1 || !away.Load() && again.Load():
				again.Store(n == 1)
				return always(sinks.Outcome{Verdict: sinks.Retryable})(n, rows)
			case away.Load():
				return nil, &retry.Error{Code: "http_503", Unsent: true, Over: true}
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 1, "")
		r.wait(3 * time.Hour)
		r.wantOutcome("a", "")
		away.Store(false)
		r.wait(10 * time.Minute)
		r.wantOutcome("a", "delivered 1")
	})
}

func TestAnswersWithoutAnyVerdictAreAnOutage(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows = 10
		r.sink.answer = func(int, []sinks.Row) ([]sinks.Outcome, error) { return nil, nil }
		r.start()
		r.many(50, "")
		r.wait(4 * time.Hour)
		if got := r.gate(); got != Outage {
			t.Errorf("the gate is %s, want outage", got)
		}
		r.sink.say(nil)
		r.wait(time.Hour)
		if got := r.d.Snapshot().Counts; got.Delivered != 50 || got.Dead != 0 {
			t.Errorf("got %+v, want all delivered", got)
		}
	})
}

// localDeletes makes deletions rows that need no call.
func localDeletes(row sinks.Row) sinks.Lane {
	if row.Delete {
		return sinks.Lane{Name: "none", Local: true}
	}
	return sinks.Lane{Name: "all"}
}

func TestRowsThatNeedNoCallTellNothingOfTheProvider(t *testing.T) {
	skipDeletes := func(refuse func(int, []sinks.Row) ([]sinks.Outcome, error)) func(int, []sinks.Row) ([]sinks.Outcome, error) {
		return func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if rows[0].Delete {
				return always(sinks.Outcome{Verdict: sinks.Skipped})(n, rows)
			}
			return refuse(n, rows)
		}
	}
	t.Run("they go through a closed gate and don't open it", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.sink.lane = localDeletes
			r.sink.answer = skipDeletes(fails(&retry.Error{Class: retry.After, Wait: time.Hour, Unsent: true}))
			r.start()
			r.changed("a", 1, "")
			r.wait(time.Second)
			r.deleted("b", 1)
			r.wait(time.Minute)
			r.wantOutcome("b", "skipped 1")
			r.wantSent("a:1", "b:1-")
			if got := r.gate(); got != Throttled {
				t.Errorf("the gate is %s, want throttled", got)
			}
		})
	})
	t.Run("they don't hide that everything is refused", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.sink.lane = localDeletes
			r.sink.answer = skipDeletes(always(sinks.Outcome{Verdict: sinks.Rejected, Message: "no"}))
			r.start()
			for i := range 1000 {
				r.changed(fmt.Sprintf("c%d", i), 1, "")
				r.deleted(fmt.Sprintf("d%d", i), 1)
			}
			r.wait(time.Minute)
			if got := r.gate(); got != Refusing {
				t.Errorf("the gate is %s, want blocked", got)
			}
			if got := r.d.Snapshot().Counts.Dead; got > 200 {
				t.Errorf("%d letters", got)
			}
		})
	})
	t.Run("they cost no calls per second", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.d.Rate = NewRate(1)
			r.d.Batch.MaxRows = 1
			r.sink.lane = localDeletes
			r.start()
			for i := range 20 {
				r.deleted(fmt.Sprintf("d%d", i), 1)
				r.changed(fmt.Sprintf("c%d", i), 1, "")
			}
			r.wait(10 * time.Second)
			called := 0
			for _, c := range r.sink.asked() {
				if !c.rows[0].Delete {
					called++
				}
			}
			if local := r.sink.count() - called; local != 20 || called < 9 || called > 11 {
				t.Errorf("%d local and %d real calls in 10 s at one a second", local, called)
			}
		})
	})
}

func TestRefusalOfEverythingBlocksUntilAccepted(t *testing.T) {
	refusals := map[string]func(int, []sinks.Row) ([]sinks.Outcome, error){
		"row by row":     always(sinks.Outcome{Verdict: sinks.Rejected, Message: "no customer is good enough"}),
		"batch by batch": fails(&retry.Error{Class: retry.Permanent, Code: "http_400", Unsent: true, Over: true}),
	}
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.answer = refuse
				r.start()
				r.many(1000, "")
				r.wait(time.Hour)
				if got := r.gate(); got != Refusing {
					t.Errorf("the gate is %s, want blocked", got)
				}
				if got := r.d.Snapshot().Counts.Dead; got > 200 {
					t.Errorf("%d letters, want no more than those of two batches", got)
				}
				r.d.Resume(true)
				r.wait(time.Hour)
				if got := r.d.Snapshot().Counts.Dead; got != 1000 {
					t.Errorf("%d letters after a person accepted the refusal, want 1000", got)
				}
				r.wantSettled()
			})
		})
	}
}

func TestRefusalOfEverythingEndsByItself(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = always(sinks.Outcome{Verdict: sinks.Rejected, Message: "no"})
		r.start()
		r.many(1000, "")
		r.wait(time.Hour)
		dead := r.d.Snapshot().Counts.Dead
		r.sink.say(nil)
		r.wait(10 * time.Minute)
		if got := r.d.Snapshot().Counts; got.Delivered != 1000-dead || got.Dead != dead {
			t.Errorf("got %+v, want the rest of %d delivered", got, 1000-dead)
		}
	})
}

// A person who resumes a blocked destination has to see that it is blocked still.
func TestGateThatStaysClosedAfterANudgeIsNews(t *testing.T) {
	now := time.Now()
	g := newGate(now)
	if !g.close(now, Refusing, "http_401", 0, false, blockedWaits) {
		t.Error("closing: got no news")
	}
	if g.close(now, Refusing, "http_401", 0, true, blockedWaits) {
		t.Error("a probe that failed as before: got news")
	}
	g.nudge(now)
	if !g.close(now, Refusing, "http_401", 0, true, blockedWaits) {
		t.Error("a probe after a nudge: got no news")
	}
}
