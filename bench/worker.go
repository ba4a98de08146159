package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// buildWorker builds the product as it is in this checkout.
func buildWorker(ctx context.Context, folder string) (string, error) {
	path := filepath.Join(folder, "worker")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/custsync/custsync/cmd/worker")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build worker: %w\n%s", err, said)
	}
	return path, nil
}

// setting is what a worker is started with.
type setting struct {
	NATS         string
	Destinations []destination
}

// destination is one of a worker's, at a provider in Thulium's manner.
type destination struct {
	Name           string
	Provider       string // base URL
	Rows           int    // of a call
	Linger         time.Duration
	Concurrency    int     // calls at once
	CallsPerSecond float64 // 0: no limit
	Shards         int
}

// usual is a destination as most are.
func usual(name, provider string) destination {
	return destination{Name: name, Provider: provider, Rows: 100, Linger: 200 * time.Millisecond, Concurrency: 4, Shards: 8}
}

// text is the configuration file.
func (s setting) text(listen string) []byte {
	text := fmt.Appendf(nil, `nats: {url: %q}
http: {listen: %q}
log: {level: warn, format: json}
destinations:
`, s.NATS, listen)
	for _, d := range s.Destinations {
		limit := ""
		if d.CallsPerSecond > 0 {
			limit = fmt.Sprintf(", calls_per_second: %v", d.CallsPerSecond)
		}
		text = fmt.Appendf(text, `  - name: %s
    provider: thulium
    url: %q
    auth: {username: bench, password: bench}
    shards: %d
    batch: {max_rows: %d, linger: %v}
    rate: {concurrency: %d%s}
`, d.Name, d.Provider, d.Shards, d.Rows, d.Linger, d.Concurrency, limit)
	}
	return text
}

// worker is the product, running.
type worker struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has; then said and end may be read
	said  bytes.Buffer  // stderr
	end   error
}

// startWorker starts the program with the setting. The caller stops it.
func startWorker(ctx context.Context, program, folder string, s setting) (*worker, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(folder, "worker-*.yaml")
	if err != nil {
		return nil, fmt.Errorf("make configuration: %w", err)
	}
	_, err = file.Write(s.text(listen))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	w := &worker{cmd: exec.CommandContext(ctx, program, "run", "-c", file.Name()), ended: make(chan struct{})}
	w.cmd.Dir = folder
	w.cmd.Stderr = &w.said
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	go func() { // stop waits for it
		w.end = w.cmd.Wait()
		close(w.ended)
	}()
	return w, nil
}

// freeAddress is one that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free address: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// peak is the most memory that the worker has had resident, in bytes. What wait4
// says of a child would not do: it counts the memory of the parent at the fork.
func (w *worker) peak() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("ask worker's memory: %w", err)
	}
	return peakIn(status)
}

func peakIn(status []byte) (int64, error) {
	_, tail, found := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(tail)
	if !found || len(fields) < 1 {
		return 0, errors.New("ask worker's memory: no VmHWM")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ask worker's memory: %w", err)
	}
	return kib << 10, nil
}

// stop ends the worker as an operator does and returns the processor time of its
// whole life.
func (w *worker) stop() (time.Duration, error) {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, fmt.Errorf("stop worker: %w", err)
	}
	<-w.ended
	if w.end != nil {
		return 0, fmt.Errorf("worker: %w\n%s", w.end, w.said.Bytes())
	}
	return w.cmd.ProcessState.UserTime() + w.cmd.ProcessState.SystemTime(), nil
}
