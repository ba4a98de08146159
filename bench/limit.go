package main

import (
	"context"
	"fmt"
	"time"
)

// limit measures how much of a provider's limit a fleet uses and whether it keeps
// to it. The provider takes more too, and counts.
type limit struct {
	Workers  []int   // of the fleets, one after another
	Allowed  int     // calls in a second
	Told     float64 // what the workers are told, which is the same but in a test
	Waiting  int
	Settling time.Duration // from the first call on, while a fleet shares out; only kept to the limit, not measured
	Measured time.Duration // after it
}

func (l limit) runs(ctx context.Context, s *suite) ([][]measure, error) {
	publish := func(o *site) error { return publish(ctx, o.nc, firstEvents(l.Waiting), 4) }
	return s.onSite(ctx, "limit", publish, func(ctx context.Context, t *trial, n int) ([]measure, error) {
		var told []measure
		for _, workers := range l.Workers {
			of, err := l.fleet(ctx, t, workers, fmt.Sprintf("limit-%d-%d", n, workers))
			if err != nil {
				return nil, fmt.Errorf("%d workers: %w", workers, err)
			}
			told = append(told, of...)
		}
		return told, nil
	})
}

func (l limit) fleet(ctx context.Context, t *trial, workers int, name string) ([]measure, error) {
	provider, err := t.provider(ctx, manner{Times: true})
	if err != nil {
		return nil, err
	}
	d := usual(name, provider.URL)
	d.CallsPerSecond = l.Told
	for range workers {
		if _, err := t.work(ctx, d); err != nil {
			return nil, err
		}
	}
	begun, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Calls > 0, nil })
	if err != nil {
		return nil, err
	}
	from := begun.First.Add(l.Settling)
	to := from.Add(l.Measured)
	if err := t.pause(ctx, time.Until(to)); err != nil {
		return nil, err
	}
	used, err := t.end()
	if err != nil {
		return nil, err
	}
	var seen standInState
	if err := provider.ask(&seen); err != nil {
		return nil, err
	}
	if err := owed(seen, seen.Rows, seen.Rows); err != nil {
		return nil, err
	}
	if seen.Rows >= l.Waiting {
		return nil, fmt.Errorf("nothing waited at the end any more: %d rows were sent", seen.Rows)
	}
	calls, rows := 0, 0
	for _, c := range seen.Came {
		if c.At >= from.UnixNano() && c.At < to.UnixNano() {
			calls++
			rows += c.Rows
		}
	}
	if calls == 0 {
		return nil, fmt.Errorf("no call came from %v on after the first", l.Settling)
	}
	who := fmt.Sprintf("%d workers: ", workers)
	if workers == 1 {
		who = "one worker: "
	}
	allowed := float64(l.Allowed) * l.Measured.Seconds()
	return []measure{
		{What: who + "of the allowed calls used", Value: float64(calls) / allowed, Beside: "all", Raw: 1, Want: atLeast(0.98)},
		{What: who + "rows of a call", Value: float64(rows) / float64(calls), Beside: "a full batch", Raw: float64(d.Rows), Want: atLeast(99)},
		{What: who + "most calls within a second", Value: float64(most(seen.Came, time.Second)), Beside: "allowed", Raw: float64(l.Allowed), Want: never(float64(l.Allowed))},
		{What: who + "processor time for 100,000 rows", Unit: "s", Value: per100k(used, seen.Rows)},
		{What: who + "shortest time of one call more than allowed", Unit: "s", Value: shortest(seen.Came, l.Allowed+1).Seconds()},
	}, nil
}

// most is how many calls came within any stretch of this length, its end left
// out. The calls are in order.
func most(calls []call, within time.Duration) int {
	highest, oldest := 0, 0
	for i, c := range calls {
		for time.Duration(c.At-calls[oldest].At) >= within {
			oldest++
		}
		highest = max(highest, i-oldest+1)
	}
	return highest
}

// shortest is the shortest time within which so many calls came; 0: they never did.
func shortest(calls []call, n int) time.Duration {
	var least time.Duration
	for i := n - 1; i < len(calls); i++ {
		if took := time.Duration(calls[i].At - calls[i-n+1].At); i == n-1 || took < least {
			least = took
		}
	}
	return least
}
