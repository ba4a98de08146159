package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/events"
)

// TestMain lets the test binary be its own children, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"broker", "stand-in"}, os.Args[1]) {
		if err := newRootCommand().Execute(); err != nil {
			io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		return
	}
	var err error
	if productFolder, err = os.MkdirTemp("", "custsync-bench-test-"); err != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(productFolder)
	os.Exit(code)
}

func TestEventsAndEntriesHaveTheirSize(t *testing.T) {
	for _, i := range []int{0, 1, 12_345_678} {
		data := change{Customer: i, Version: 1 + i%9, Stamp: int64(i) * 1e9}.event()
		if got := len(data); got != eventSize {
			t.Errorf("event %d: got %d bytes, want %d", i, got, eventSize)
		}
		tokens := strings.Split(customerSubject(i), ".")
		if err := events.Decode(data, tokens[1], tokens[2], time.Now(), new(events.Event)); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	entry := entryOf()
	if got := len(entry); got != entrySize || !json.Valid(entry) {
		t.Errorf("entry: got %d bytes, want %d of JSON", got, entrySize)
	}
}

func TestConsumersShareThePartitions(t *testing.T) {
	for _, n := range []int{2, 8, partitions} {
		var all []string
		for i := range n {
			all = append(all, shareOfPartitions(i, n)...)
		}
		slices.Sort(all)
		if got := len(slices.Compact(all)); got != partitions {
			t.Errorf("%d consumers: got %d partitions, want %d", n, got, partitions)
		}
	}
	if got := shareOfPartitions(0, 1); got != nil {
		t.Errorf("one consumer: got filters %v, want none", got)
	}
}

func TestStoredSeq(t *testing.T) {
	for _, tc := range []struct {
		answer string
		want   uint64
		ok     bool
	}{
		{`{"stream":"S","seq":17}`, 17, true},
		{`{"stream":"S", "seq":17,"batch":"b","count":3}`, 17, true},
		{`{"type":"x","error":{"code":400,"err_code":10071},"stream":"S","seq":0}`, 0, false},
		{`{"stream":"S","seq":0}`, 0, false},
		{``, 0, false},
	} {
		if got, ok := storedSeq([]byte(tc.answer)); got != tc.want || ok != tc.ok {
			t.Errorf("%s: got %d, %t, want %d, %t", tc.answer, got, ok, tc.want, tc.ok)
		}
	}
}

func TestFigureIsTheMedian(t *testing.T) {
	f := newFigure("g", "n", syncDefault, []sample{
		{Count: 100, Took: time.Second, Client: 100 * time.Microsecond, Server: 300 * time.Microsecond},
		{Count: 100, Took: 4 * time.Second, Client: 900 * time.Microsecond, Server: 100 * time.Microsecond},
		{Count: 100, Took: 2 * time.Second, Client: 200 * time.Microsecond, Server: 200 * time.Microsecond},
	})
	want := figure{Group: "g", Name: "n", Sync: syncDefault, Runs: 3, PerSecond: 50, Lowest: 25, Highest: 100, ClientUS: 2, ServerUS: 2}
	if f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
	if got := median([]float64{1, 2, 3, 10}); got != 2.5 {
		t.Errorf("median of four: got %v, want 2.5", got)
	}
}

func TestBusyLeavesIdleTimeOut(t *testing.T) {
	line := bytes.Fields([]byte("cpu 1 2 4 1000 500 8 16 32 0 0"))
	if got, want := busy(line), 63*10*time.Millisecond; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := busy(line[:3]); got != 0 {
		t.Errorf("a short line: got %v, want 0", got)
	}
}

func TestPeakIn(t *testing.T) {
	got, err := peakIn([]byte("Name:\tworker\nVmHWM:\t   51200 kB\nVmRSS:\t  100 kB\n"))
	if err != nil || got != 50<<20 {
		t.Errorf("got %d, %v, want 50 MiB", got, err)
	}
	if _, err := peakIn([]byte("Name:\tworker\n")); err == nil {
		t.Error("got no error without VmHWM")
	}
}

func TestSettingIsAConfiguration(t *testing.T) {
	one, other := usual("one", "http://127.0.0.1:80"), usual("other", "http://127.0.0.1:81")
	other.CallsPerSecond, other.Linger = 2.5, 50*time.Millisecond
	s := setting{NATS: "nats://127.0.0.1:4222", Destinations: []destination{one, other}}
	c, err := config.Parse("bench.yaml", s.text("127.0.0.1:8080"),
		func(string) (string, bool) { return "", false },
		func(string) ([]byte, error) { return nil, os.ErrNotExist })
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Destination("one"); d == nil || d.Batch.MaxRows != 100 || d.Rate.Concurrency != 4 || d.Rate.CallsPerSecond != 0 || d.Shards != 8 {
		t.Errorf("got %+v, want the first destination", d)
	}
	if d := c.Destination("other"); d == nil || d.Batch.Linger != 50*time.Millisecond || d.Rate.CallsPerSecond != 2.5 {
		t.Errorf("got %+v, want the other destination", d)
	}
}

func TestRawMeasuresEverything(t *testing.T) {
	for _, tc := range []struct {
		sync    string
		only    []string
		figures int
	}{
		{syncDefault, []string{"pull", "ledger", "lookup", "combined"}, 37},
		{syncAlways, []string{"ledger"}, 14},
	} {
		t.Run(tc.sync, func(t *testing.T) {
			var out bytes.Buffer
			r := &report{out: &out, json: true}
			o := rawOptions{Events: 2000, Rows: 400, Keys: []int{2000}, Asks: 4, Runs: 1, Only: tc.only}
			if err := runRaw(t.Context(), o, tc.sync, r); err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for d := json.NewDecoder(&out); ; {
				var f figure
				if err := d.Decode(&f); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if f.PerSecond <= 0 || f.Sync != tc.sync || seen[f.Group+f.Name] {
					t.Errorf("got %+v, want a rate, sync %s, and each name once", f, tc.sync)
				}
				seen[f.Group+f.Name] = true
			}
			if len(seen) != tc.figures {
				t.Errorf("got %d figures, want %d", len(seen), tc.figures)
			}
		})
	}
}
