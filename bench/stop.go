package main

import (
	"context"
	"fmt"
	"time"
)

// stop measures a worker that is ended in the middle of a drain and started
// again at once. The provider takes its time, so that calls are in flight then.
type stop struct {
	Waiting int
	Delay   time.Duration // of the provider's answers
}

func (p stop) runs(ctx context.Context, s *suite) ([][]measure, error) {
	publish := func(o *site) error { return publish(ctx, o.nc, firstEvents(p.Waiting), 4) }
	return s.onSite(ctx, "stop", publish, func(ctx context.Context, t *trial, n int) ([]measure, error) {
		raw, err := t.rawPull(ctx, rawEvents)
		if err != nil {
			return nil, err
		}
		provider, err := t.provider(ctx, manner{Delay: p.Delay})
		if err != nil {
			return nil, err
		}
		held, err := t.entries(ctx)
		if err != nil {
			return nil, err
		}
		d := usual(fmt.Sprintf("stop-%d", n), provider.URL)
		if _, err := t.work(ctx, d); err != nil {
			return nil, err
		}
		half, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Customers >= p.Waiting/2, nil })
		if err != nil {
			return nil, err
		}
		told := time.Now()
		rate := float64(half.Customers) / half.Last.Sub(half.First).Seconds()
		before, err := t.end()
		if err != nil {
			return nil, err
		}
		ended := time.Now()
		var left standInState
		if err := provider.ask(&left); err != nil {
			return nil, err
		}
		if left.Customers >= p.Waiting {
			return nil, fmt.Errorf("all %d were delivered before the worker had ended: publish more", p.Waiting)
		}
		if _, err := t.work(ctx, d); err != nil {
			return nil, err
		}
		seen, err := t.await(ctx, provider, func(seen standInState) (bool, error) {
			if seen.Customers < p.Waiting {
				return false, nil
			}
			entries, err := t.entries(ctx)
			return entries >= held+p.Waiting, err
		})
		if err != nil {
			return nil, err
		}
		settled := time.Since(told).Seconds()
		after, err := t.end()
		if err != nil {
			return nil, err
		}
		if err := p.owed(seen); err != nil {
			return nil, err
		}
		rest := float64(p.Waiting-half.Customers) / rate
		return []measure{
			{What: "drained before", Unit: "/s", Value: rate, Beside: "raw pull, ack each", Raw: raw.perSecond()},
			{What: "from SIGTERM until it ended", Unit: "s", Value: ended.Sub(told).Seconds()},
			{What: "from SIGTERM until all was settled", Unit: "s", Value: settled, Beside: "what remained takes", Raw: rest},
			{What: "of it beyond what remained takes", Unit: "s", Value: settled - rest, Want: atMost(2)},
			{What: "rows sent twice", Value: float64(seen.Rows - seen.Raised), Want: never(float64(d.Rows * d.Concurrency))},
			{What: "of them customers created twice", Value: float64(seen.Twice), Want: never(0)},
			{What: workersTime, Unit: "s", Value: per100k(before+after, p.Waiting)},
		}, nil
	})
}

// owed lets rows pass that were sent twice, which are counted.
func (p stop) owed(seen standInState) error {
	seen.Twice = 0
	return owed(seen, p.Waiting, p.Waiting)
}
