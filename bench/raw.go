package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// rawOptions says what of the raw limits is measured.
type rawOptions struct {
	Events int      // events drained
	Rows   int      // ledger rows written; a quarter of it where every write is synced
	Keys   []int    // sizes of the ledgers looked up in
	Asks   int      // look-ups of a run
	Runs   int      // of each measurement
	Sync   []string // of the broker: default, always
	Only   []string // pull, ledger, lookup, combined
}

func newRawCommand() *cobra.Command {
	var o rawOptions
	var format string
	cmd := &cobra.Command{
		Use:   "raw",
		Short: "Measure what JetStream itself gives: pulls, ledger writes, look-ups, and all of them together",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &report{out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), json: format == "json"}
			var err error
			for _, sync := range o.Sync {
				err = errors.Join(err, runRaw(cmd.Context(), o, sync, r))
			}
			return errors.Join(err, r.flush())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Events, "events", 300_000, "events to drain")
	f.IntVar(&o.Rows, "rows", 60_000, "ledger rows to write; a quarter of it where every write is synced")
	f.IntSliceVar(&o.Keys, "keys", []int{300_000, 1_000_000}, "sizes of the ledgers to look up in")
	f.IntVar(&o.Asks, "asks", 200, "look-ups of a run")
	f.IntVar(&o.Runs, "runs", 3, "runs of each measurement; the median is shown")
	f.StringSliceVar(&o.Sync, "sync", []string{syncDefault, syncAlways}, "how the broker syncs: default, always")
	f.StringSliceVar(&o.Only, "only", []string{"pull", "ledger", "lookup", "combined"}, "what to measure")
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

// raw is a series of measurements against one server.
type raw struct {
	rawOptions
	sync   string
	server *server
	nc     *nats.Conn
	js     jetstream.JetStream
	report *report

	published bool
	ledgers   int // made so far; each measurement has its own
}

// runTakes bounds one run, so that a broker that died ends the benchmark.
const runTakes = 10 * time.Minute

func runRaw(ctx context.Context, o rawOptions, sync string, r *report) (err error) {
	s, err := startServer(ctx, sync)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	nc, err := s.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	m := &raw{rawOptions: o, sync: sync, server: s, nc: nc, js: js, report: r}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"ledger", m.ledgerWrites},
		{"pull", m.pulls},
		{"lookup", m.lookUps},
		{"combined", m.combinations},
	} {
		if !slices.Contains(o.Only, part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s, sync %s: %w", part.name, sync, err)
		}
	}
	return nil
}

// measure repeats run and files the figure.
func (m *raw) measure(ctx context.Context, group, name string, run func(context.Context) (sample, error)) error {
	samples := make([]sample, m.Runs)
	for i := range samples {
		err := func() (err error) {
			ctx, cancel := context.WithTimeout(ctx, runTakes)
			defer cancel()
			samples[i], err = run(ctx)
			return err
		}()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return m.report.add(newFigure(group, name, m.sync, samples))
}

func (m *raw) freshLedger() string {
	m.ledgers++
	return fmt.Sprintf("LEDGER%d", m.ledgers)
}

func (m *raw) publish(ctx context.Context) error {
	if m.published {
		return nil
	}
	m.published = true
	return publishCustomers(ctx, m.nc, m.Events)
}

// settling is a way to settle events.
type settling struct {
	name   string
	policy jetstream.AckPolicy
}

// settlings are all of them, from the dearest to the cheapest.
func settlings() []settling {
	return []settling{
		{"ack each", jetstream.AckExplicitPolicy},
		{"ack all", jetstream.AckAllPolicy},
		{"no acks", jetstream.AckNonePolicy},
	}
}

func (m *raw) pulls(ctx context.Context) error {
	if err := m.publish(ctx); err != nil {
		return err
	}
	for _, by := range settlings() {
		for _, consumers := range []int{1, 8, partitions} {
			p := pull{consumers: consumers, policy: by.policy, window: 500}
			name := fmt.Sprintf("%s, %d consumers with %d filters", by.name, consumers, len(shareOfPartitions(0, consumers)))
			err := m.measure(ctx, "pull", name, func(ctx context.Context) (sample, error) {
				return p.run(ctx, m.server, m.js, m.Events)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *raw) ledgerWrites(ctx context.Context) error {
	rows := m.Rows
	if m.sync == syncAlways {
		rows /= 4
	}
	for _, way := range ledgerWays(rows) {
		err := m.measure(ctx, "ledger writes", way.name, func(ctx context.Context) (sample, error) {
			return way.run(ctx, m.server, m.nc, m.freshLedger())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *raw) lookUps(ctx context.Context) error {
	for _, held := range m.Keys {
		ledger := m.freshLedger()
		prefix, err := makeLedger(ctx, m.js, ledger)
		if err != nil {
			return err
		}
		if err := putAtomic(2, 1000)(ctx, m.js, entrySubjects(prefix, 0, held), entryOf()); err != nil {
			return err
		}
		for _, l := range []struct {
			name string
			lookUps
		}{
			{"absent", lookUps{lookUpExt, ledger, held, false, 1, m.Asks}},
			{"absent, by hand", lookUps{lookUpOwn, ledger, held, false, 1, m.Asks}},
			{"present", lookUps{lookUpExt, ledger, held, true, 1, m.Asks}},
			{"present, by hand", lookUps{lookUpOwn, ledger, held, true, 1, m.Asks}},
			{"present, by hand, 4 at once", lookUps{lookUpOwn, ledger, held, true, 4, m.Asks}},
		} {
			err := m.measure(ctx, "look-ups of 500 keys", fmt.Sprintf("%s, of %d", l.name, held), func(ctx context.Context) (sample, error) {
				return l.run(ctx, m.server, m.js)
			})
			if err != nil {
				return err
			}
		}
		if err := m.js.DeleteStream(ctx, "KV_"+ledger); err != nil {
			return fmt.Errorf("delete ledger: %w", err)
		}
	}
	return nil
}

func (m *raw) combinations(ctx context.Context) error {
	if err := m.publish(ctx); err != nil {
		return err
	}
	for _, by := range settlings() {
		for _, way := range []struct {
			name string
			combined
		}{
			{"ledger singly", combined{by.policy, 500, false, false}},
			{"ledger atomic 1000", combined{by.policy, 1000, true, false}},
			{"looked up, ledger atomic 1000", combined{by.policy, 1000, true, true}},
		} {
			if m.sync == syncAlways && !way.atomic {
				continue // a tenth of the others, see the ledger writes
			}
			err := m.measure(ctx, "pull, ledger write and ack", by.name+", "+way.name, func(ctx context.Context) (sample, error) {
				return way.run(ctx, m)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
