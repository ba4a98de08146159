package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

// most is the most of the times that lie within any span.
func most(times []time.Time, span time.Duration) int {
	slices.SortFunc(times, time.Time.Compare)
	n, first := 0, 0
	for i := range times {
		for times[i].Sub(times[first]) >= span {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// callAll makes calls in as many goroutines until the time is over, a timer being
// late by up to so much.
func callAll(t *testing.T, r *Rate, callers int, late, until time.Duration) []time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), until)
	defer cancel()
	var mu sync.Mutex
	var times []time.Time
	var all sync.WaitGroup
	for i := range callers {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		all.Go(func() {
			for r.Before(ctx) == nil {
				mu.Lock()
				times = append(times, time.Now())
				mu.Unlock()
				if late > 0 {
					sleep(ctx, time.Duration(rng.Int64N(int64(late))))
				}
			}
		})
	}
	all.Wait()
	return times
}

func TestNoSecondHasMoreCallsThanTheLimit(t *testing.T) {
	for _, tt := range []struct {
		limit float64
		most  int
		span  time.Duration
	}{{1, 1, time.Second}, {5, 5, time.Second}, {2.5, 3, time.Second}, {200, 200, time.Second}, {0.25, 1, 4 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			const long = 40 * time.Second
			times := callAll(t, NewRate(tt.limit), 3, 20*time.Millisecond, long)
			if got := most(times, tt.span); got > tt.most {
				t.Errorf("%v a second: %d calls within %v, want at most %d", tt.limit, got, tt.span, tt.most)
			}
			if got, want := float64(len(times)), tt.limit*long.Seconds(); got < want*0.95 || got > want+1 {
				t.Errorf("%v a second: %v calls in %v, want %v", tt.limit, got, long, want)
			}
		})
	}
}

func TestNoLimitNeverWaits(t *testing.T) {
	r := NewRate(0)
	for range 1000 {
		if _, ok := r.take(time.Now()); !ok || r.Before(t.Context()) != nil {
			t.Fatal("a call has to wait")
		}
	}
}

func TestWithoutAShareNothingGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(10)
		r.Set(0, false)
		if wait, ok := r.take(time.Now()); ok || wait != 0 {
			t.Errorf("got a wait of %v, and %v, want none that ends by itself", wait, ok)
		}
		went := make(chan error, 1)
		go func() { went <- r.Before(context.Background()) }()
		pass(time.Hour)
		select {
		case <-went:
			t.Fatal("a call went without a share")
		default:
		}
		r.Set(1, true)
		if err := <-went; err != nil {
			t.Error(err)
		}
	})
}

// Calls of deliveries under way go before new deliveries.
func TestDeliveriesUnderWayGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(1)
		for range 2 {
			go func() { _ = r.Before(context.Background()) }()
		}
		synctest.Wait()
		// One went at once, the other waits for its second, and a new one has the third.
		if wait, ok := r.take(time.Now()); ok || wait != 2*time.Second+wayVaries {
			t.Errorf("got a wait of %v, and %v, want 2s and a little", wait, ok)
		}
		pass(3 * time.Second)
	})
}

// A call that was taken and waits for something else counts when it is made.
func TestCallsCountWhenTheyAreMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(2)
		var made []time.Time
		for _, late := range []time.Duration{400 * time.Millisecond, 0, 0, 0} {
			for {
				now := time.Now()
				wait, ok := r.take(now)
				if ok {
					pass(late)
					if err := r.Before(prepaid(t.Context(), now)); err != nil {
						t.Fatal(err)
					}
					made = append(made, time.Now())
					break
				}
				pass(wait)
			}
		}
		if got := most(made, time.Second); got > 2 {
			t.Errorf("%d calls within a second, want 2: %v", got, made)
		}
	})
}

// A part that goes from one worker to another costs neither more calls in any
// second nor many fewer.
func TestPartsGoFromOneToAnother(t *testing.T) {
	for _, tt := range []struct{ limit, stays float64 }{{4, 0}, {4, 2}, {4, 3}, {1, 0}, {10, 7}} {
		synctest.Test(t, func(t *testing.T) {
			a, b := NewRate(tt.limit), NewRate(tt.limit)
			b.Set(0, false)
			const long = 20 * time.Second
			var times [2][]time.Time
			var both sync.WaitGroup
			for i, r := range []*Rate{a, b} {
				both.Go(func() { times[i] = callAll(t, r, 1, 0, long) })
			}
			pass(5300 * time.Millisecond)
			a.Set(tt.stays, false)
			pass(time.Until(a.free(tt.limit)))
			b.Set(tt.limit-tt.stays, true)
			both.Wait()
			all := slices.Concat(times[0], times[1])
			if got := most(all, time.Second); got > int(tt.limit) {
				t.Errorf("%v of %v stay: %d calls in a second", tt.stays, tt.limit, got)
			}
			if got, want := len(all), int(tt.limit*20); got < want-int(tt.limit) || got > want+1 {
				t.Errorf("%v of %v stay: %d calls in %v, want about %d", tt.stays, tt.limit, got, long, want)
			}
		})
	}
}

func TestCallsAreRefusedBeforeANamedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(0)
		r.close(time.Now().Add(5*time.Second), "http_429")
		for _, ctx := range []context.Context{context.Background(), prepaid(context.Background(), time.Now())} {
			e, ok := errors.AsType[*retry.Error](r.Before(ctx))
			if !ok || e.Class != retry.After || e.Wait != 5*time.Second || !e.Unsent || e.Code != "http_429" {
				t.Errorf("got %#v, want what the provider said", e)
			}
		}
		pass(5 * time.Second)
		if err := r.Before(context.Background()); err != nil {
			t.Errorf("after the time: %v", err)
		}
		if got := r.Calls(); got != 1 {
			t.Errorf("%d calls counted, want the one that was made", got)
		}
	})
}
