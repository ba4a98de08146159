package main

import (
	"context"
	"time"
)

// overload measures the memory of a worker whose provider is far too slow while
// far more comes than it can take.
type overload struct {
	Waiting int           // when the worker starts
	Burst   int           // published at once half-way
	Delay   time.Duration // of the provider's answers
	Lasts   time.Duration
}

func (p overload) runs(ctx context.Context, s *suite) ([][]measure, error) {
	return s.onSites(ctx, "overload", func(ctx context.Context, t *trial) ([]measure, error) {
		all := firstEvents(p.Waiting + p.Burst)
		if err := publish(ctx, t.nc, all[:p.Waiting], 4); err != nil {
			return nil, err
		}
		provider, err := t.provider(ctx, manner{Delay: p.Delay})
		if err != nil {
			return nil, err
		}
		m, err := startMeter(t.server)
		if err != nil {
			return nil, err
		}
		w, err := t.work(ctx, usual("overload", provider.URL))
		if err != nil {
			return nil, err
		}
		if err := t.pause(ctx, p.Lasts/2); err != nil {
			return nil, err
		}
		quiet, err := w.peak()
		if err != nil {
			return nil, err
		}
		burst := time.Now()
		if err := publish(ctx, t.nc, all[p.Waiting:], 4); err != nil {
			return nil, err
		}
		rate := float64(p.Burst) / time.Since(burst).Seconds()
		if err := t.pause(ctx, p.Lasts/2); err != nil {
			return nil, err
		}
		peak, err := w.peak()
		if err != nil {
			return nil, err
		}
		cost, err := t.cost(m)
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
		return []measure{
			{What: "worker's peak memory before more came", Unit: "MiB", Value: mebibytes(quiet)},
			{What: "worker's peak memory", Unit: "MiB", Value: mebibytes(peak), Want: atMost(64)},
			{What: "came at once", Unit: "/s", Value: rate},
			{What: "delivered", Unit: "/s", Value: float64(seen.Rows) / cost.Took.Seconds(), Beside: "four calls at once", Raw: 400 / p.Delay.Seconds()},
			{What: "worker's processor time", Unit: "s", Value: cost.Worker.Seconds()},
			{What: "broker's", Unit: "s", Value: cost.Broker.Seconds()},
		}, nil
	})
}
