package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDemo runs the demo as it is and holds its summary against itself.
func TestDemo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := runtime.NumGoroutine()
	var stdout, stderr bytes.Buffer
	if got := run(t.Context(), []string{"demo", "--exit", "--customers", "300"}, &stdout, &stderr); got != 0 {
		t.Fatalf("got exit code %d, want 0\n%s%s", got, &stdout, &stderr)
	}
	out := stdout.String()
	settled := regexp.MustCompile(`All settled after [0-9.]+ s: (\d+) events of 301 customers`).FindStringSubmatch(out)
	if settled == nil || !strings.Contains(out, "It adds up") {
		t.Fatalf("no word of the end in\n%s", out)
	}
	events := number(t, settled[1])
	if events <= 301 {
		t.Errorf("got %d events, want changes too", events)
	}
	ends, holdings := table(t, out, "events"), table(t, out, "customers")
	if len(ends) < 2 || len(ends) != len(holdings) {
		t.Fatalf("got %d and %d destinations in\n%s", len(ends), len(holdings), out)
	}
	for name, n := range ends {
		if sum := n[0] + n[1] + n[2] + n[3] + n[4] + n[5]; sum != events || n[6] != events {
			t.Errorf("%s: ends %v make %d, told as %d, of %d events", name, n, sum, n[6], events)
		}
		if n[0] == 0 || n[2] == 0 || n[5] == 0 {
			t.Errorf("%s: got ends %v, want some delivered, superseded and dead", name, n)
		}
		h := holdings[name]
		if sum := h[0] + h[1] + h[2] + h[3] + h[4]; sum != 301 || h[5] != 301 || h[6] != 0 {
			t.Errorf("%s: holds %v, want 301 customers and no duplicates", name, h)
		}
		if !regexp.MustCompile(name + " (answers|refuses|loses|leaves|ends)").MatchString(out) {
			t.Errorf("%s made no mistake", name)
		}
	}
	leftOver(t, temp, before)
}

// TestDemoInterrupted ends the demo in the middle.
func TestDemoInterrupted(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := runtime.NumGoroutine()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &trigger{word: "answers 503", act: stop}
	var stderr bytes.Buffer
	if got := run(ctx, []string{"demo", "--customers", "1000"}, out, &stderr); got != 0 {
		t.Errorf("got exit code %d, want 0\n%s%s", got, &out.Buffer, &stderr)
	}
	if took := time.Since(out.at); out.at.IsZero() || took > 3*time.Second {
		t.Errorf("it took %v to end, want less than 3 s\n%s", took, &out.Buffer)
	}
	leftOver(t, temp, before)
}

// trigger acts once a word was written.
type trigger struct {
	bytes.Buffer
	word string
	act  func()
	at   time.Time
}

func (w *trigger) Write(p []byte) (int, error) {
	if w.at.IsZero() && bytes.Contains(p, []byte(w.word)) {
		w.at = time.Now()
		w.act()
	}
	return w.Buffer.Write(p)
}

// leftOver fails where files or goroutines stay.
func leftOver(t *testing.T, temp string, before int) {
	t.Helper()
	if files, err := os.ReadDir(temp); err != nil || len(files) > 0 {
		t.Errorf("%d files are left in the temporary folder (%v)", len(files), err)
	}
	// What was told to end may take a moment to be gone.
	late := time.After(5 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-late:
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// table reads the figures below the heading that begins with a word.
func table(t *testing.T, out, heading string) map[string][]int {
	t.Helper()
	rows := map[string][]int{}
	_, rest, _ := strings.Cut(out, "\n"+heading+" ")
	_, rest, _ = strings.Cut(rest, "\n")
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if len(fields) != 8 {
			break
		}
		for _, f := range fields[1:] {
			rows[fields[0]] = append(rows[fields[0]], number(t, f))
		}
	}
	return rows
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
