package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// fleet measures how much more a fleet delivers than one worker, to a provider
// whose answers take their time and that takes as many calls at once as each
// worker can make; and for how long no call comes while one worker leaves the
// fleet and another joins it.
type fleet struct {
	Workers     int
	Waiting     int
	Delay       time.Duration // of the provider's answers
	Rows        int           // of a call
	Concurrency int           // calls at once of each worker; what the destination is told is the sum
	Shards      int
	Settling    time.Duration // from the first call on, while the shards are shared out
	Measured    time.Duration // after it
	Changing    time.Duration // after it, while a worker leaves and another joins
}

func newFleetCommand() *cobra.Command {
	var s suite
	var l fleet
	var format string
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Measure several workers against one, with a provider that takes its time",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.progress = cmd.ErrOrStderr()
			r := &report{out: cmd.OutOrStdout(), json: format == "json"}
			return s.within(cmd.Context(), func() error {
				runs, err := l.runs(cmd.Context(), &s)
				if err != nil {
					return err
				}
				return r.tell(linesOf(fmt.Sprintf("%d workers, answers after %v", l.Workers, l.Delay), runs))
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&l.Workers, "workers", 4, "workers of the fleet")
	f.IntVar(&l.Waiting, "waiting", 150_000, "events that wait at the beginning")
	f.DurationVar(&l.Delay, "delay", 100*time.Millisecond, "of the provider's answers")
	f.IntVar(&l.Rows, "rows", 10, "rows of a call")
	f.IntVar(&l.Concurrency, "concurrency", 8, "calls at once of each worker")
	f.IntVar(&l.Shards, "shards", 16, "shards of the destination")
	f.DurationVar(&l.Settling, "settling", 5*time.Second, "from the first call on, before it counts")
	f.DurationVar(&l.Measured, "measured", 10*time.Second, "how long it counts")
	f.DurationVar(&l.Changing, "changing", 10*time.Second, "how long a change of the fleet is watched")
	s.flags(f)
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

func (l fleet) runs(ctx context.Context, s *suite) ([][]measure, error) {
	publish := func(o *site) error { return publish(ctx, o.nc, firstEvents(l.Waiting), 4) }
	return s.onSite(ctx, "fleet", publish, func(ctx context.Context, t *trial, n int) ([]measure, error) {
		one, err := l.deliver(ctx, t, 1, fmt.Sprintf("fleet-%d-one", n))
		if err != nil {
			return nil, fmt.Errorf("one worker: %w", err)
		}
		all, err := l.deliver(ctx, t, l.Workers, fmt.Sprintf("fleet-%d-all", n))
		if err != nil {
			return nil, fmt.Errorf("%d workers: %w", l.Workers, err)
		}
		who := fmt.Sprintf("%d workers", l.Workers)
		return []measure{
			{What: who, Unit: "rows/s", Value: all.rate, Beside: "one worker", Raw: one.rate},
			{What: who + ": of one worker's rate", Value: all.rate / one.rate, Beside: "as many times", Raw: float64(l.Workers), Want: atLeast(0.875 * float64(l.Workers))},
			{What: "no call, while a worker leaves and another joins", Unit: "s", Value: all.gap.Seconds(), Beside: "lease", Raw: lease.Seconds(), Want: atMost(lease.Seconds())},
		}, nil
	})
}

// lease is how long a shard stays with a worker by default.
const lease = 3 * time.Second

// pace is how quickly a fleet delivers.
type pace struct {
	rate float64       // rows a second
	gap  time.Duration // the longest time between two calls while the fleet changes
}

// deliver has so many workers deliver to a destination that holds nobody.
func (l fleet) deliver(ctx context.Context, t *trial, workers int, name string) (p pace, err error) {
	provider, err := t.provider(ctx, manner{Delay: l.Delay, Times: true})
	if err != nil {
		return p, err
	}
	d := destination{
		Name: name, Provider: provider.URL, Rows: l.Rows, Linger: 20 * time.Millisecond,
		Concurrency: l.Concurrency * workers, Shards: l.Shards,
	}
	for range workers {
		if _, err := t.work(ctx, d); err != nil {
			return p, err
		}
	}
	begun, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Calls > 0, nil })
	if err != nil {
		return p, err
	}
	from := begun.First.Add(l.Settling)
	to := from.Add(l.Measured)
	if err := t.pause(ctx, time.Until(to)); err != nil {
		return p, err
	}
	until := to
	if workers > 1 {
		until = to.Add(l.Changing)
		if err := t.change(ctx, d, until); err != nil {
			return p, err
		}
	}
	if _, err := t.end(); err != nil {
		return p, err
	}
	var seen standInState
	if err := provider.ask(&seen); err != nil {
		return p, err
	}
	if err := sound(seen); err != nil {
		return p, err
	}
	if seen.Rows >= l.Waiting {
		return p, fmt.Errorf("nothing waited at the end any more: %d rows were sent", seen.Rows)
	}
	rows := 0
	for i, c := range seen.Came {
		switch at := time.Unix(0, c.At); {
		case !at.Before(from) && at.Before(to):
			rows += c.Rows
		case i > 0 && !at.Before(to) && at.Before(until):
			p.gap = max(p.gap, at.Sub(time.Unix(0, seen.Came[i-1].At)))
		}
	}
	p.rate = float64(rows) / l.Measured.Seconds()
	return p, nil
}

// change has one worker leave the fleet and another one join, and returns at the
// time given.
func (t *trial) change(ctx context.Context, d destination, until time.Time) error {
	used, err := t.workers[0].stop()
	t.spent += used
	t.workers = t.workers[1:]
	if err != nil {
		return err
	}
	if _, err := t.work(ctx, d); err != nil {
		return err
	}
	return t.pause(ctx, time.Until(until))
}
