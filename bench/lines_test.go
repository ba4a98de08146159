package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLinesAreJudged(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		want   bound
		target string
		met    bool
	}{
		{"median reaches it", []float64{0.5, 0.7, 0.6}, atLeast(0.6), ">= 0.600", true},
		{"median doesn't", []float64{0.9, 0.59, 0.5}, atLeast(0.6), ">= 0.600", false},
		{"median is within it", []float64{1, 99, 2}, atMost(2), "<= 2", true},
		{"median isn't", []float64{1, 3, 3}, atMost(2), "<= 2", false},
		{"one run is above", []float64{0, 0, 0, 0, 1}, never(0), "<= 0 in each run", false},
		{"none is", []float64{0, 0, 0}, never(0), "<= 0 in each run", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runs := make([][]measure, len(tc.values))
			for i, v := range tc.values {
				runs[i] = []measure{{What: "w", Value: v, Beside: "raw", Raw: 2 * v, Want: tc.want}, {What: "not judged", Value: v}}
			}
			lines := linesOf("s", runs)
			if len(lines) != 2 || lines[0].Met == nil || *lines[0].Met != tc.met || lines[0].Target != tc.target {
				t.Fatalf("got %+v, want %q, met %t", lines, tc.target, tc.met)
			}
			slices.Sort(tc.values)
			if l := lines[0]; l.Value != median(tc.values) || l.Raw != 2*l.Value || l.Lowest != tc.values[0] || l.Highest != tc.values[len(tc.values)-1] {
				t.Errorf("got %+v, want the median of %v", l, tc.values)
			}
			if lines[1].Met != nil {
				t.Errorf("got a verdict without a target: %+v", lines[1])
			}
			var out bytes.Buffer
			if err := table(&out, lines); err != nil {
				t.Fatal(err)
			}
			if missed := strings.Contains(out.String(), "MISSED"); missed == tc.met {
				t.Errorf("got MISSED %t, want %t:\n%s", missed, !tc.met, out.String())
			}
		})
	}
}

func TestInUnit(t *testing.T) {
	for _, tc := range []struct {
		value float64
		unit  string
		want  string
	}{
		{113_600.4, "/s", "113600/s"}, {1.0101, "", "1.010"}, {64, "MiB", "64 MiB"}, {68.27, "MiB", "68.3 MiB"}, {0, "", "0"},
	} {
		if got := inUnit(tc.value, tc.unit); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

// calls came so many milliseconds after each other's beginning.
func calls(at ...int) []call {
	var calls []call
	for _, ms := range at {
		calls = append(calls, call{At: int64(ms) * int64(time.Millisecond), Rows: 1})
	}
	return calls
}

func TestMostCallsWithinASecond(t *testing.T) {
	for _, tc := range []struct {
		calls    []call
		most     int
		shortest time.Duration // of three
	}{
		{calls(), 0, 0},
		{calls(5), 1, 0},
		{calls(0, 500, 1000, 1500), 2, time.Second},
		{calls(0, 500, 999, 1500), 3, 999 * time.Millisecond},
		{calls(0, 900, 1000, 1100, 2900), 3, 200 * time.Millisecond}, // no second of the clock has three
		{calls(0, 0, 0, 5000), 3, 0},
	} {
		if got := most(tc.calls, time.Second); got != tc.most {
			t.Errorf("%v: got %d calls, want %d", tc.calls, got, tc.most)
		}
		if got := shortest(tc.calls, 3); got != tc.shortest {
			t.Errorf("%v: got %v, want %v", tc.calls, got, tc.shortest)
		}
	}
}

func TestQuantile(t *testing.T) {
	var values []int64
	for i := range 1000 {
		values = append(values, int64(i+1))
	}
	for share, want := range map[float64]float64{0: 1, 0.5: 500, 0.99: 990, 1: 1000} {
		if got := quantile(values, share); got != want {
			t.Errorf("%v: got %v, want %v", share, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %v, want 0", got)
	}
}

func TestLoopReadsItsBenchmark(t *testing.T) {
	const said = `goos: linux
BenchmarkRow/decode-2         	  500000	      2400 ns/op	     100 B/op	       3 allocs/op
BenchmarkRow/loop-2           	  200000	      5900 ns/op	     900 B/op	       4 allocs/op
PASS
`
	got, err := loop{}.read([]byte(said))
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Value != 3.5 || got[0].Raw != 2.4 || got[1].Value != 1 || got[2].Value != 800 {
		t.Errorf("got %+v, want 3.5 µs, 1 allocation and 800 bytes beyond decoding", got)
	}
	if _, err := (loop{}).read([]byte("PASS\n")); err == nil {
		t.Error("got no error without the benchmark's lines")
	}
}

func TestFoldsChanges(t *testing.T) {
	f := fold{Events: 20_000, Customers: 2000}
	newest := make([]int, f.Customers)
	for i, c := range f.changes() {
		if c.Version != newest[c.Customer]+1 {
			t.Fatalf("event %d: got version %d of customer %d behind %d", i, c.Version, c.Customer, newest[c.Customer])
		}
		newest[c.Customer]++
	}
	slices.Sort(newest)
	if newest[0] < 1 || newest[len(newest)-1] < 20*newest[len(newest)/2] {
		t.Errorf("got %d to %d events of a customer, %d in the middle, want each once and few often", newest[0], newest[len(newest)-1], newest[len(newest)/2])
	}
}

func TestTransientChangesAreDifferentCustomers(t *testing.T) {
	p := transient{Customers: 45_000, Changes: 5000}
	seen := map[int]bool{}
	for _, c := range p.changes() {
		if seen[c.Customer] || c.Customer >= p.Customers {
			t.Fatalf("got customer %d twice or beyond the last", c.Customer)
		}
		seen[c.Customer] = true
	}
}

func TestChooseNamesWhatThereIs(t *testing.T) {
	s := &suite{Runs: 1}
	for _, name := range s.names() {
		if got, err := s.choose([]string{name}); err != nil || len(got) != 1 || got[0].name != name {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if all, err := s.choose(nil); err != nil || len(all) != len(s.names()) {
		t.Errorf("got %d scenarios, %v, want all", len(all), err)
	}
	if _, err := s.choose([]string{"speed"}); err == nil || !strings.Contains(err.Error(), "neighbours") {
		t.Errorf("got %v, want the names to choose from", err)
	}
	if _, err := (&suite{}).choose(nil); err == nil {
		t.Error("got no error for no runs")
	}
}
