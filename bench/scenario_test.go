package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// productFolder is TestMain's, for as long as the tests run.
var productFolder string

// product builds the worker once for all tests.
var product = sync.OnceValues(func() (string, error) { return buildWorker(context.Background(), productFolder) })

func newSuite(t *testing.T) *suite {
	t.Helper()
	program, err := product()
	if err != nil {
		t.Fatal(err)
	}
	return &suite{Runs: 1, Short: true, Sync: syncDefault, Worker: program, folder: t.TempDir(), progress: io.Discard}
}

// measured is what a scenario measured in one run.
func measured(t *testing.T, runs func(context.Context, *suite) ([][]measure, error)) map[string]line {
	t.Helper()
	told, err := runs(t.Context(), newSuite(t))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]line{}
	for _, l := range linesOf("s", told) {
		lines[l.What] = l
	}
	return lines
}

func within(t *testing.T, lines map[string]line, what string, least, most float64) {
	t.Helper()
	if l, ok := lines[what]; !ok || l.Value < least || l.Value > most {
		t.Errorf("%s: got %v, want %v to %v", what, lines[what].Value, least, most)
	}
}

func TestDrain(t *testing.T) {
	got := measured(t, drain{Waiting: 2000, Rows: 50, Concurrency: 2, Shards: 4}.runs)
	within(t, got, "rows sent for each customer", 1, 1)
	within(t, got, "rows of a call", 10, 50)
	within(t, got, "drained", 100, 1e6)
	within(t, got, "worker's peak memory", 10, 200)
	within(t, got, "worker's processor time for 100,000 rows", 0.1, 200)
}

func TestFold(t *testing.T) {
	got := measured(t, fold{Events: 5000, Customers: 500, Beside: drain{Waiting: 1000, Rows: 100, Concurrency: 4, Shards: 8}}.runs)
	within(t, got, "rows sent for each customer", 1, 4)
	within(t, got, "events that wait, the others evicted by newer ones", 500, 2001)
}

// A provider cannot get an event before the linger is over, but for a full batch.
func TestLatency(t *testing.T) {
	got := measured(t, latency{PerSecond: 200, Warm: time.Second, Measured: time.Second, Linger: 100 * time.Millisecond}.runs)
	within(t, got, "publish to arrival, p50", 30, 5000)
	within(t, got, "publish to arrival, p99", got["publish to arrival, p50"].Value, 10_000)
}

func TestLimit(t *testing.T) {
	keeps := limit{Workers: []int{1}, Allowed: 10, Told: 10, Waiting: 20_000, Settling: time.Second, Measured: 3 * time.Second}
	got := measured(t, keeps.runs)
	within(t, got, "one worker: of the allowed calls used", 0.05, 1.2)
	within(t, got, "one worker: rows of a call", 90, 100)
}

// Workers that make more calls than the provider allows are caught.
func TestLimitCatchesTooManyCalls(t *testing.T) {
	exceeds := limit{Workers: []int{1}, Allowed: 2, Told: 20, Waiting: 20_000, Settling: time.Second, Measured: 3 * time.Second}
	l := measured(t, exceeds.runs)["one worker: most calls within a second"]
	if l.Met == nil || *l.Met || l.Value <= 2 {
		t.Errorf("got %+v, want a limit that was not kept to", l)
	}
}

func TestStop(t *testing.T) {
	got := measured(t, stop{Waiting: 4000, Delay: 50 * time.Millisecond}.runs)
	within(t, got, "rows sent twice", 0, 400)
	within(t, got, "from SIGTERM until all was settled", got["from SIGTERM until it ended"].Value, 60)
}

func TestTransient(t *testing.T) {
	got := measured(t, transient{Customers: 900, Changes: 100, Refuse: 0.05}.runs)
	within(t, got, "rows refused for now", 20, 100)
	within(t, got, "customers left on an older version", 0, 0)
	l := got["rows sent for each that was taken"]
	within(t, got, l.What, l.Raw, 2)
}

func TestNeighbours(t *testing.T) {
	got := measured(t, neighbours{Waiting: 500, Others: 2, Delay: 20 * time.Millisecond}.runs)
	within(t, got, "of their rate without it", 0.05, 20)
	within(t, got, "of its rate without it, the slowest of them", 0.01, got["of their rate without it"].Value)
}

func TestOverload(t *testing.T) {
	got := measured(t, overload{Waiting: 2000, Burst: 1000, Delay: 300 * time.Millisecond, Lasts: 2 * time.Second}.runs)
	within(t, got, "worker's peak memory", got["worker's peak memory before more came"].Value, 200)
	within(t, got, "delivered", 1, 2*got["delivered"].Raw)
}

// A worker that can't start must end the benchmark, not hang it.
func TestScenarioEndsWithItsWorker(t *testing.T) {
	s := newSuite(t)
	s.Worker = "false"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := drain{Waiting: 1000, Rows: 100, Concurrency: 1, Shards: 8}.runs(ctx, s)
	if err == nil || !strings.Contains(err.Error(), "ended on its own") {
		t.Errorf("got %v, want that the worker ended", err)
	}
}
