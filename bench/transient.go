package main

import (
	"context"
	"fmt"
)

// transient measures a provider that refuses some rows for now, each time others,
// while customers change: all are to have their newest version in the end, and
// only what was refused is to be sent again.
type transient struct {
	Customers int     // that wait when the worker starts
	Changes   int     // of them, published when half are delivered
	Refuse    float64 // share of rows
}

func (p transient) runs(ctx context.Context, s *suite) ([][]measure, error) {
	return s.onSites(ctx, "transient", func(ctx context.Context, t *trial) ([]measure, error) {
		if err := publish(ctx, t.nc, firstEvents(p.Customers), 4); err != nil {
			return nil, err
		}
		provider, err := t.provider(ctx, manner{Refuse: p.Refuse})
		if err != nil {
			return nil, err
		}
		m, err := startMeter(t.server)
		if err != nil {
			return nil, err
		}
		if _, err := t.work(ctx, usual("transient", provider.URL)); err != nil {
			return nil, err
		}
		if _, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Customers >= p.Customers/2, nil }); err != nil {
			return nil, err
		}
		if err := publish(ctx, t.nc, p.changes(), 1); err != nil {
			return nil, err
		}
		versions := p.Customers + p.Changes
		seen, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Versions >= versions, nil })
		if err != nil {
			return nil, fmt.Errorf("%d of %d versions: %w", seen.Versions, versions, err)
		}
		took := seen.Last.Sub(m.begin).Seconds()
		cost, err := t.cost(m)
		if err != nil {
			return nil, err
		}
		// What the worker still sent while it ended counts too.
		if err := provider.ask(&seen); err != nil {
			return nil, err
		}
		if err := owed(seen, p.Customers, versions); err != nil {
			return nil, err
		}
		told := []measure{
			{What: "rows sent for each that was taken", Value: float64(seen.Rows) / float64(seen.Raised), Beside: "those refused once more",
				Raw: float64(seen.Raised+seen.Refused) / float64(seen.Raised), Want: atMost(1.02)},
			{What: "rows refused for now", Value: float64(seen.Refused)},
			{What: "versions that newer ones took the place of unsent", Value: float64(versions - seen.Raised)},
			{What: "customers left on an older version", Value: float64(versions - seen.Versions), Want: never(0)},
			{What: "all delivered after", Unit: "s", Value: took},
		}
		return append(told, cost.measures(seen.Raised)...), nil
	})
}

// changes are second versions, spread over all customers.
func (p transient) changes() []change {
	changes := make([]change, p.Changes)
	for i := range changes {
		changes[i] = change{Customer: i * p.Customers / p.Changes, Version: 2}
	}
	return changes
}
