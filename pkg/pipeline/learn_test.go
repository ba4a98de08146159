package pipeline

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

func throttled(wait time.Duration) Gate {
	return Gate{State: Throttled, Since: time.Now(), Reason: "http_429", Until: time.Now().Add(wait)}
}

// What another worker was told by the provider holds here too, until its time.
func TestNothingIsSentBeforeTheTimeThatAnotherWorkerLearnt(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.wait(time.Second)
		r.d.Learn(throttled(5 * time.Second))
		learnt := time.Now()
		r.many(300, "")
		r.wait(time.Minute)
		if at := r.sink.times(); len(at) == 0 || at[0].Sub(learnt) < 5*time.Second || at[0].Sub(learnt) > 6*time.Second {
			t.Errorf("calls at %v, want the first five seconds after %v", at, learnt)
		}
		if got := r.d.Snapshot().Counts.Delivered; got != 300 {
			t.Errorf("%d rows delivered, want 300", got)
		}
	})
}

// A delivery of several calls that is under way makes no further one either.
func TestDeliveryUnderWayStopsAtANamedTime(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Rate = NewRate(0)
		calls := &rowByRow{script: r.sink, rate: r.d.Rate}
		r.d.Sink = calls
		r.start()
		r.many(10, "")
		r.wait(2500 * time.Millisecond) // of a second each
		before := calls.count()
		r.d.Learn(throttled(30 * time.Second))
		r.wait(29 * time.Second)
		if got := calls.count(); got != before {
			t.Errorf("%d calls before the time that was named, and %d went out after it was known", before, got-before)
		}
		r.wait(time.Minute)
		if got := r.d.Snapshot().Counts; got.Delivered != 10 || got.Retried != 0 {
			t.Errorf("got %+v, want all delivered and none blamed", got)
		}
	})
}

// rowByRow is a sink that makes a call a row.
type rowByRow struct {
	*script
	rate *Rate
	made atomic.Int64
}

func (c *rowByRow) count() int { return int(c.made.Load()) }

func (c *rowByRow) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	for i := range rows {
		if err := c.rate.Before(ctx); err != nil {
			return allTaken(rows[:i]), err
		}
		c.made.Add(1)
		sleep(ctx, time.Second)
	}
	return allTaken(rows), ctx.Err()
}

// A time that the provider names is news to the others each time, also while the
// gate is closed already and when a probe brings it.
func TestNamedTimesAreNews(t *testing.T) {
	now := time.Now()
	waits := retry.Policy{Initial: time.Second, Max: time.Minute, Jitter: -1}
	g := newGate(now)
	for i, step := range []struct {
		state GateState
		wait  time.Duration
		probe bool
		news  bool
	}{
		{Throttled, 5 * time.Second, false, true},
		{Throttled, 5 * time.Second, false, false},
		{Throttled, 5*time.Second + time.Millisecond, false, false}, // a call beside it
		{Throttled, 30 * time.Second, false, true},
		{Throttled, 20 * time.Second, true, true},
		{Outage, 0, true, true},
		{Outage, 0, true, false},
		{Throttled, time.Hour, false, true},
	} {
		if news := g.close(now, step.state, "code", step.wait, step.probe, waits); news != step.news {
			t.Errorf("step %d: news %v, want %v", i, news, step.news)
		}
	}
	if until, _ := g.closedUntil(); !until.Equal(now.Add(time.Hour)) {
		t.Errorf("closed until %v, want in an hour", until.Sub(now))
	}
}

// A person's resume is heard although the provider named a time.
func TestResumeEndsANamedTime(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Rate = NewRate(0)
		r.start()
		r.d.Learn(throttled(time.Hour))
		r.changed("a", 1, "")
		r.wait(time.Minute)
		r.wantSent()
		r.d.Resume(false)
		r.wait(time.Second)
		r.wantOutcome("a", "delivered 1")
	})
}
