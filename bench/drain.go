package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// drain measures a backlog, each event a customer's first, one destination, and
// a provider that answers at once.
type drain struct {
	Waiting     int // events that wait when the worker starts, of as many customers
	Rows        int // of a call
	Concurrency int // calls at once
	Shards      int
}

func newDrainCommand() *cobra.Command {
	var s suite
	var d drain
	var format string
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Measure the worker: a backlog, one destination, a provider that answers at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.progress = cmd.ErrOrStderr()
			r := &report{out: cmd.OutOrStdout(), json: format == "json"}
			return s.within(cmd.Context(), func() error {
				runs, err := d.runs(cmd.Context(), &s)
				if err != nil {
					return err
				}
				return r.tell(linesOf(fmt.Sprintf("drain of %d, sync %s", d.Waiting, s.Sync), runs))
			})
		},
	}
	usual := usual("", "")
	f := cmd.Flags()
	f.IntVar(&d.Waiting, "waiting", 300_000, "events that wait when the worker starts")
	f.IntVar(&d.Rows, "rows", usual.Rows, "rows of a call")
	f.IntVar(&d.Concurrency, "concurrency", usual.Concurrency, "calls at once")
	f.IntVar(&d.Shards, "shards", usual.Shards, "shards of the destination")
	s.flags(f)
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

// rawEvents bounds the raw pull beside each run; its rate doesn't grow with more.
const rawEvents = 300_000

func (d drain) runs(ctx context.Context, s *suite) ([][]measure, error) {
	publish := func(o *site) error { return publish(ctx, o.nc, firstEvents(d.Waiting), 4) }
	return s.onSite(ctx, fmt.Sprintf("drain of %d", d.Waiting), publish, func(ctx context.Context, t *trial, n int) ([]measure, error) {
		raw, err := t.rawPull(ctx, rawEvents)
		if err != nil {
			return nil, err
		}
		done, err := t.drain(ctx, d.destination(n), d.Waiting, d.Waiting)
		if err != nil {
			return nil, err
		}
		cost := done.cost.beside(raw, d.Waiting)
		cost[0].Want = atMost(1.2)
		return append(done.measures(raw), cost...), nil
	})
}

// destination is the n-th, which holds nobody yet.
func (d drain) destination(n int) destination {
	usual := usual(fmt.Sprintf("drain-%d", n), "")
	usual.Rows, usual.Concurrency, usual.Shards = d.Rows, d.Concurrency, d.Shards
	return usual
}

// drained is one drain.
type drained struct {
	seen    standInState
	took    time.Duration // from the start of the worker until the provider had all
	first   time.Duration // until it had the first
	settled time.Duration // until the ledger had all
	peak    int64
	cost    cost
}

func (d *drained) perSecond(events int) float64 { return float64(events) / d.took.Seconds() }

// drain has a worker bring all that waits to a destination that holds nobody yet,
// and a provider that answers at once: so many customers, their versions so much
// in sum.
func (t *trial) drain(ctx context.Context, d destination, customers, versions int) (out drained, err error) {
	provider, err := t.provider(ctx, manner{})
	if err != nil {
		return out, err
	}
	d.Provider = provider.URL
	held, err := t.entries(ctx)
	if err != nil {
		return out, err
	}
	m, err := startMeter(t.server)
	if err != nil {
		return out, err
	}
	w, err := t.work(ctx, d)
	if err != nil {
		return out, err
	}
	out.seen, err = t.await(ctx, provider, func(seen standInState) (bool, error) {
		if seen.Versions < versions {
			return false, nil
		}
		entries, err := t.entries(ctx)
		return entries >= held+customers, err
	})
	if err != nil {
		return out, err
	}
	if err := owed(out.seen, customers, versions); err != nil {
		return out, err
	}
	out.took, out.first = out.seen.Last.Sub(m.begin), out.seen.First.Sub(m.begin)
	out.settled = time.Since(m.begin)
	if out.peak, err = w.peak(); err != nil {
		return out, err
	}
	out.cost, err = t.cost(m)
	return out, err
}

// measures holds a drain in which each event is another customer's against the
// raw pull.
func (d *drained) measures(raw sample) []measure {
	rate := d.perSecond(d.seen.Customers)
	return []measure{
		{What: "drained", Unit: "/s", Value: rate, Beside: "raw pull, ack each", Raw: raw.perSecond()},
		{What: "of the raw pull", Value: rate / raw.perSecond(), Want: atLeast(0.60)},
		{What: "worker's peak memory", Unit: "MiB", Value: mebibytes(d.peak), Want: atMost(64)},
		{What: "rows of a call", Value: float64(d.seen.Rows) / float64(d.seen.Calls)},
		{What: "rows sent for each customer", Value: float64(d.seen.Rows) / float64(d.seen.Customers), Want: never(1)},
		{What: "first delivery after the start", Unit: "s", Value: d.first.Seconds()},
		{What: "settled after the last delivery", Unit: "s", Value: (d.settled - d.took).Seconds()},
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
