package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// drainOptions says how the product is measured.
type drainOptions struct {
	Waiting     int // events that wait when the worker starts, of as many customers
	Rows        int // of a call
	Concurrency int // calls at once
	Shards      int
	Runs        int
	Sync        string
	Worker      string // a worker that is built already; empty: build one
}

func newDrainCommand() *cobra.Command {
	var o drainOptions
	var format string
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Measure the worker: a backlog, one destination, a provider that answers at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &report{out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), json: format == "json"}
			return runDrain(cmd.Context(), o, r)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Waiting, "waiting", 300_000, "events that wait when the worker starts")
	f.IntVar(&o.Rows, "rows", 100, "rows of a call")
	f.IntVar(&o.Concurrency, "concurrency", 4, "calls at once")
	f.IntVar(&o.Shards, "shards", 8, "shards of the destination")
	f.IntVar(&o.Runs, "runs", 3, "runs; the median is shown")
	f.StringVar(&o.Sync, "sync", syncDefault, "how the broker syncs: default or always")
	f.StringVar(&o.Worker, "worker", "", "`program` to measure; built from this checkout when absent")
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

// rawEvents bounds the raw pull beside each run; its rate doesn't grow with more.
const rawEvents = 300_000

// drained is one run of the product and the raw pull beside it.
type drained struct {
	Raw     sample        // pull and ack one by one, nothing else
	Product sample        // until the provider has all; Client is the worker
	First   time.Duration // until the provider had the first
	Settled time.Duration // until the ledger had all
	StandIn time.Duration // processor time
	Peak    int64
	Calls   int
}

func runDrain(ctx context.Context, o drainOptions, r *report) (err error) {
	folder, err := os.MkdirTemp("", "custsync-bench-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if o.Worker == "" {
		if o.Worker, err = buildWorker(ctx, folder); err != nil {
			return err
		}
	}
	s, err := startServer(ctx, o.Sync)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	nc, err := s.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := publishCustomers(ctx, nc, o.Waiting); err != nil {
		return err
	}
	d := &drain{drainOptions: o, folder: folder, server: s, nc: nc}
	if d.js, err = jetstream.New(nc); err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	runs := make([]drained, o.Runs)
	for i := range runs {
		if runs[i], err = d.run(ctx, i+1); err != nil {
			return fmt.Errorf("run %d: %w", i+1, err)
		}
	}
	return tellDrained(r, o, runs)
}

// drain is a series of runs against one server.
type drain struct {
	drainOptions
	folder string
	server *server
	nc     *nats.Conn
	js     jetstream.JetStream
}

// run drains the same events once more, to a destination that is new.
func (d *drain) run(ctx context.Context, n int) (out drained, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTakes)
	defer cancel()
	raw := pull{consumers: 1, policy: jetstream.AckExplicitPolicy, window: 500}
	if out.Raw, err = raw.run(ctx, d.server, d.js, min(rawEvents, d.Waiting)); err != nil {
		return out, fmt.Errorf("raw pull: %w", err)
	}

	provider, err := startChild(ctx, "stand-in")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, provider.stop()) }()
	held, err := d.entries(ctx)
	if err != nil {
		return out, err
	}

	m, err := startMeter(d.server)
	if err != nil {
		return out, err
	}
	w, err := startWorker(ctx, d.Worker, d.folder, setting{
		NATS: d.server.URL, Provider: provider.URL, Destination: fmt.Sprintf("drain-%d", n),
		Rows: d.Rows, Concurrency: d.Concurrency, Shards: d.Shards,
	})
	if err != nil {
		return out, err
	}
	seen, failed := d.await(ctx, provider, w, held)
	var took sample
	var asked error
	if failed == nil {
		took, asked = m.stop(d.Waiting)
		out.Peak, failed = w.peak()
	}
	cpu, stopped := w.stop()
	if err := errors.Join(failed, asked, stopped); err != nil {
		return out, err
	}
	if seen.Rows != d.Waiting || seen.Strange > 0 {
		return out, fmt.Errorf("the provider was given %d rows in %d calls and %d other calls, want %d rows and no other call",
			seen.Rows, seen.Calls, seen.Strange, d.Waiting)
	}
	out.First = seen.First.Sub(m.begin)
	out.Settled, out.StandIn, out.Calls = took.Took, seen.CPU, seen.Calls
	out.Product = sample{
		Count: d.Waiting, Took: seen.Last.Sub(m.begin), Client: cpu, Server: took.Server,
		// What the worker used is among the others of the meter, which knows this process only.
		Others: max(0, took.Others-cpu-seen.CPU),
	}
	return out, nil
}

// await returns when the provider has every customer and the ledger an entry for
// each.
func (d *drain) await(ctx context.Context, provider *child, w *worker, held uint64) (standInState, error) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		var seen standInState
		if err := provider.ask(&seen); err != nil {
			return seen, err
		}
		if seen.Customers >= d.Waiting {
			entries, err := d.entries(ctx)
			if err != nil || entries >= held+uint64(d.Waiting) {
				return seen, err
			}
		}
		select {
		case <-look.C:
		case <-w.ended:
			return seen, errors.New("the worker ended on its own")
		case <-ctx.Done():
			return seen, fmt.Errorf("drain: %d of %d customers delivered: %w", seen.Customers, d.Waiting, ctx.Err())
		}
	}
}

// entries is how many entries the ledger has.
func (d *drain) entries(ctx context.Context) (uint64, error) {
	s, err := d.js.Stream(ctx, "KV_LEDGER")
	if err != nil {
		return 0, fmt.Errorf("ask ledger: %w", err)
	}
	return s.CachedInfo().State.Msgs, nil
}

// drainFigure is what the runs came to; medians.
type drainFigure struct {
	Waiting       int     `json:"waiting"`
	Sync          string  `json:"sync"`
	Runs          int     `json:"runs"`
	PerSecond     float64 `json:"per_second"`
	Lowest        float64 `json:"lowest"`
	Highest       float64 `json:"highest"`
	RawPerSecond  float64 `json:"raw_per_second"`
	OfRaw         float64 `json:"of_raw"`          // of the same run's raw rate
	FirstAfter    float64 `json:"first_seconds"`   // from the start of the worker to the first delivery; part of the rate
	SettledAfter  float64 `json:"settled_seconds"` // from the last delivery to its entry in the ledger
	WorkerSeconds float64 `json:"worker_cpu_s"`    // for 100,000 rows
	ServerSeconds float64 `json:"server_cpu_s"`
	StandIn       float64 `json:"stand_in_cpu_s"`
	PeakMiB       float64 `json:"peak_rss_mib"`
	RowsPerCall   float64 `json:"rows_per_call"`
	Others        float64 `json:"others"`
}

// What the worker is to reach; see docs/performance.md.
const (
	wantOfRaw         = 0.40
	wantWorkerSeconds = 2.0
	wantPeakMiB       = 80.0
)

func tellDrained(r *report, o drainOptions, runs []drained) error {
	of := func(value func(drained) float64) float64 { return median(sorted(runs, value)) }
	per100k := func(used time.Duration) float64 { return used.Seconds() / float64(o.Waiting) * 100_000 }
	rates := sorted(runs, func(d drained) float64 { return d.Product.perSecond() })
	f := drainFigure{
		Waiting: o.Waiting, Sync: o.Sync, Runs: o.Runs,
		PerSecond: median(rates), Lowest: rates[0], Highest: rates[len(rates)-1],
		RawPerSecond:  of(func(d drained) float64 { return d.Raw.perSecond() }),
		OfRaw:         of(func(d drained) float64 { return d.Product.perSecond() / d.Raw.perSecond() }),
		FirstAfter:    of(func(d drained) float64 { return d.First.Seconds() }),
		SettledAfter:  of(func(d drained) float64 { return (d.Settled - d.Product.Took).Seconds() }),
		WorkerSeconds: of(func(d drained) float64 { return per100k(d.Product.Client) }),
		ServerSeconds: of(func(d drained) float64 { return per100k(d.Product.Server) }),
		StandIn:       of(func(d drained) float64 { return per100k(d.StandIn) }),
		PeakMiB:       of(func(d drained) float64 { return float64(d.Peak) / (1 << 20) }),
		RowsPerCall:   of(func(d drained) float64 { return float64(o.Waiting) / float64(d.Calls) }),
		Others:        of(func(d drained) float64 { return shareOfMachine(d.Product.Others, d.Settled) }),
	}
	if r.json {
		return r.document(f)
	}
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d events waiting, sync %s, median of %d runs\t\ttarget\n", f.Waiting, f.Sync, f.Runs)
	fmt.Fprintf(w, "drained\t%.0f/s [%.0f-%.0f]\t\n", f.PerSecond, f.Lowest, f.Highest)
	fmt.Fprintf(w, "raw pull, ack each\t%.0f/s\t\n", f.RawPerSecond)
	fmt.Fprintf(w, "of raw\t%.2f\t%s\n", f.OfRaw, target(f.OfRaw >= wantOfRaw, ">= %.2f", wantOfRaw))
	fmt.Fprintf(w, "worker's processor time for 100,000 rows\t%.2f s\t%s\n", f.WorkerSeconds, target(f.WorkerSeconds <= wantWorkerSeconds, "<= %.1f s", wantWorkerSeconds))
	fmt.Fprintf(w, "broker's\t%.2f s\t\n", f.ServerSeconds)
	fmt.Fprintf(w, "provider's\t%.2f s\t\n", f.StandIn)
	fmt.Fprintf(w, "worker's peak memory\t%.0f MiB\t%s\n", f.PeakMiB, target(f.PeakMiB <= wantPeakMiB, "<= %.0f MiB", wantPeakMiB))
	fmt.Fprintf(w, "rows of a call\t%.1f\t\n", f.RowsPerCall)
	fmt.Fprintf(w, "first delivery after the start\t%.2f s\t\n", f.FirstAfter)
	fmt.Fprintf(w, "settled after the last delivery\t%.2f s\t\n", f.SettledAfter)
	fmt.Fprintf(w, "others' share of the machine\t%.0f %%\t\n", 100*f.Others)
	return w.Flush()
}

func target(met bool, format string, want float64) string {
	verdict := map[bool]string{true: ": met", false: ": MISSED"}[met]
	return fmt.Sprintf(format, want) + verdict
}
