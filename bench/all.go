package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// scenario measures a part of what the product is to reach.
type scenario struct {
	name string // as --only takes it
	runs func(context.Context, *suite) ([][]measure, error)
}

// scenarios are all, in the order of the table.
func (s *suite) scenarios() []scenario {
	plain := drain{Waiting: s.size(300_000, 10_000), Rows: 100, Concurrency: 4, Shards: 8}
	large := plain
	large.Waiting = s.size(3_000_000, 20_000)
	seconds := func(full, short int) time.Duration { return time.Duration(s.size(full, short)) * time.Second }
	return []scenario{
		{"drain", plain.runs},
		{"fold", fold{Events: s.size(500_000, 20_000), Customers: s.size(50_000, 2000), Beside: plain}.runs},
		{"latency", latency{PerSecond: 1000, Warm: seconds(3, 1), Measured: seconds(20, 2), Linger: 50 * time.Millisecond}.runs},
		{"limit", limit{Workers: []int{1, 4}, Allowed: 10, Told: 10, Waiting: s.size(200_000, 60_000), Settling: seconds(5, 4), Measured: seconds(40, 4)}.runs},
		{"stop", stop{Waiting: s.size(300_000, 10_000), Delay: 20 * time.Millisecond}.runs},
		{"transient", transient{Customers: s.size(45_000, 4500), Changes: s.size(5000, 500), Refuse: 0.01}.runs},
		{"neighbours", neighbours{Waiting: s.size(30_000, 2000), Others: 4, Delay: 150 * time.Millisecond}.runs},
		{"overload", overload{Waiting: s.size(300_000, 10_000), Burst: s.size(100_000, 2000), Delay: 2 * time.Second, Lasts: seconds(20, 6)}.runs},
		{"loop", loop{Time: seconds(2, 1).String()}.runs},
		{"backlog", large.runs},
	}
}

// names of all scenarios.
func (s *suite) names() []string {
	var names []string
	for _, c := range s.scenarios() {
		names = append(names, c.name)
	}
	return names
}

// flags are those of every command that runs scenarios.
func (s *suite) flags(f *pflag.FlagSet) {
	f.IntVar(&s.Runs, "runs", 5, "runs of each scenario; medians are shown")
	f.StringVar(&s.Sync, "sync", syncDefault, "how the broker syncs: default or always")
	f.StringVar(&s.Worker, "worker", "", "`program` to measure; built from this checkout when absent")
}

func newAllCommand() *cobra.Command {
	var s suite
	var only []string
	var format string
	cmd := &cobra.Command{
		Use:   "all",
		Short: "Measure all that the worker is to reach, each beside its raw limit, and say what is met",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.progress = cmd.ErrOrStderr()
			chosen, err := s.choose(only)
			if err != nil {
				return err
			}
			r := &report{out: cmd.OutOrStdout(), json: format == "json"}
			return s.within(cmd.Context(), func() error { return s.all(cmd.Context(), chosen, r) })
		},
	}
	f := cmd.Flags()
	s.flags(f)
	f.StringSliceVar(&only, "only", nil, "scenarios to run: "+strings.Join(s.names(), ", ")+"; all when absent")
	f.BoolVar(&s.Short, "short", false, "small sizes, to see that everything runs; the figures say little")
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

// choose returns the scenarios of these names; all where there are none.
func (s *suite) choose(only []string) ([]scenario, error) {
	if s.Runs < 1 {
		return nil, fmt.Errorf("--runs is %d: must be at least 1", s.Runs)
	}
	for _, name := range only {
		if !slices.Contains(s.names(), name) {
			return nil, fmt.Errorf("--only knows no scenario %q: choose from %s", name, strings.Join(s.names(), ", "))
		}
	}
	all := s.scenarios()
	return slices.DeleteFunc(all, func(c scenario) bool { return len(only) > 0 && !slices.Contains(only, c.name) }), nil
}

// all runs the scenarios one after another. One that fails is told at the end and
// keeps none of the others from running.
func (s *suite) all(ctx context.Context, chosen []scenario, r *report) error {
	var lines []line
	var failed error
	for _, c := range chosen {
		runs, err := c.runs(ctx, s)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
			fmt.Fprintf(s.progress, "%s: FAILED: %v\n", c.name, err)
			continue
		}
		of := linesOf(c.name, runs)
		if lines = append(lines, of...); r.json {
			failed = errors.Join(failed, r.tell(of))
		}
	}
	if r.json {
		return failed
	}
	fmt.Fprintf(r.out, "%s, %d processors, broker with sync %s\n", runtime.Version(), runtime.NumCPU(), s.Sync)
	return errors.Join(failed, r.tell(lines))
}
