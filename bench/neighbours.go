package main

import (
	"context"
	"fmt"
	"time"
)

// neighbours measures whether a destination whose provider is down slows down the
// others of its worker. Providers take their time, as real ones do: on a machine
// with nothing left to give, everything slows down everything.
type neighbours struct {
	Waiting int
	Others  int // that are up
	Delay   time.Duration
}

func (p neighbours) runs(ctx context.Context, s *suite) ([][]measure, error) {
	publish := func(o *site) error { return publish(ctx, o.nc, firstEvents(p.Waiting), 4) }
	return s.onSite(ctx, "neighbours", publish, func(ctx context.Context, t *trial, n int) ([]measure, error) {
		rates, used := map[bool][]float64{}, map[bool]time.Duration{}
		// Whether the machine speeds up or slows down meanwhile is not to favour either.
		for _, down := range []bool{n%2 == 0, n%2 != 0} {
			var err error
			if rates[down], used[down], err = p.drain(ctx, t, n, down); err != nil {
				return nil, err
			}
		}
		sum, beside, slowest := 0.0, 0.0, 0.0
		for i, without := range rates[false] {
			sum, beside = sum+rates[true][i], beside+without
			if ratio := rates[true][i] / without; i == 0 || ratio < slowest {
				slowest = ratio
			}
		}
		of := float64(p.Others)
		return []measure{
			{What: "rate of each of the others", Unit: "/s", Value: sum / of, Beside: "without it", Raw: beside / of},
			{What: "of their rate without it", Value: sum / beside, Want: atLeast(0.95)},
			{What: "of its rate without it, the slowest of them", Value: slowest, Want: atLeast(0.95)},
			{What: workersTime, Unit: "s", Value: per100k(used[true], p.Others*p.Waiting), Beside: "without it", Raw: per100k(used[false], p.Others*p.Waiting)},
		}, nil
	})
}

// drain returns the rate of each destination that is up, and the worker's
// processor time.
func (p neighbours) drain(ctx context.Context, t *trial, n int, down bool) ([]float64, time.Duration, error) {
	providers := make([]*child, p.Others)
	destinations := make([]destination, p.Others)
	for i := range providers {
		var err error
		if providers[i], err = t.provider(ctx, manner{Delay: p.Delay}); err != nil {
			return nil, 0, err
		}
		destinations[i] = usual(fmt.Sprintf("up-%d-%d-%t", n, i, down), providers[i].URL)
	}
	if down {
		provider, err := t.provider(ctx, manner{Down: true})
		if err != nil {
			return nil, 0, err
		}
		destinations = append(destinations, usual(fmt.Sprintf("down-%d", n), provider.URL))
	}
	begin := time.Now()
	if _, err := t.work(ctx, destinations...); err != nil {
		return nil, 0, err
	}
	rates := make([]float64, p.Others)
	for i, provider := range providers {
		seen, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Customers >= p.Waiting, nil })
		if err != nil {
			return nil, 0, err
		}
		if err := owed(seen, p.Waiting, p.Waiting); err != nil {
			return nil, 0, err
		}
		rates[i] = float64(p.Waiting) / seen.Last.Sub(begin).Seconds()
	}
	used, err := t.end()
	return rates, used, err
}
