package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// serving measures publisher serve under wrk.
type serving struct {
	Connections int
	For         time.Duration
	Lines       int // of a request of NDJSON
	Sync        string
}

func newServeCommand() *cobra.Command {
	var s serving
	var format string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Measure publisher serve: requests a second and how long they take, by wrk",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), cmd.OutOrStdout(), format == "json")
		},
	}
	f := cmd.Flags()
	f.IntVar(&s.Connections, "connections", 64, "connections at once")
	f.DurationVar(&s.For, "for", 10*time.Second, "how `long` each load lasts")
	f.IntVar(&s.Lines, "lines", 100, "customers of a request of NDJSON")
	f.StringVar(&s.Sync, "sync", syncDefault, "how the broker syncs: default, always")
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

// load is what one run of wrk came to.
type load struct {
	Name        string  `json:"name"`
	Sync        string  `json:"sync"`
	Connections int     `json:"connections"`
	Requests    float64 `json:"requests_per_second"`
	Events      float64 `json:"events_per_second"`
	P50         string  `json:"p50"`
	P99         string  `json:"p99"`
	NotStored   int     `json:"not_stored"` // requests that had another answer than 202
	ServeUS     float64 `json:"serve_us"`   // microseconds of publisher serve's processor time for each event
	BrokerUS    float64 `json:"broker_us"`
}

func (s serving) run(ctx context.Context, out io.Writer, asJSON bool) (err error) {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		return errors.New("wrk is not installed: apt-get install wrk")
	}
	folder, err := os.MkdirTemp("", "custsync-bench-serve-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, err := buildPublisher(ctx, folder)
	if err != nil {
		return err
	}
	var loads []load
	for _, lines := range []int{1, s.Lines} {
		l, err := s.once(ctx, wrk, program, folder, lines)
		if err != nil {
			return err
		}
		loads = append(loads, l)
	}
	if asJSON {
		for _, l := range loads {
			if err := json.NewEncoder(out).Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "publisher serve\tsync\tconnections\trequests/s\tevents/s\tp50\tp99\tnot stored\tserve µs\tbroker µs")
	for _, l := range loads {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.0f\t%.0f\t%s\t%s\t%d\t%.1f\t%.1f\n", l.Name, l.Sync, l.Connections, l.Requests, l.Events, l.P50, l.P99, l.NotStored, l.ServeUS, l.BrokerUS)
	}
	return w.Flush()
}

// script has wrk post customers, each once, so many in a request.
const script = `local kind, lines, thread = %q, %d, 0
function setup(t) t:set("id", thread); thread = thread + 1 end
function init() n = 0 end
function request()
  local rows = {}
  for i = 1, lines do
    n = n + 1
    rows[i] = string.format('{"id":"c%%d-%%d","version":1,"email":"c%%d@example.org","first_name":"Given","last_name":"Family","address":{"city":"Town","country":"PL"}}', id, n, n)
  end
  return wrk.format("POST", nil, {["Content-Type"] = kind, ["Authorization"] = "Bearer bench"}, table.concat(rows, "\n"))
end
function done(summary, latency, requests)
  io.write(string.format("figures %%d %%d %%d %%d %%d %%d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
`

// figuresLine is what the script writes: requests, microseconds, p50, p99, other
// answers, no answers.
var figuresLine = regexp.MustCompile(`(?m)^figures (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$`)

func (s serving) once(ctx context.Context, wrk, program, folder string, lines int) (l load, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTakes)
	defer cancel()
	broker, _, end, err := openBroker(ctx, s.Sync)
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	serve, url, err := startServe(ctx, program, folder, broker.URL)
	if err != nil {
		return load{}, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, serve.Process.Kill(), serve.Wait())
		}
	}()
	kind, name := "application/json", "one customer a request"
	if lines > 1 {
		kind, name = "application/x-ndjson", fmt.Sprintf("%d customers a request", lines)
	}
	path := filepath.Join(folder, "post.lua")
	if err := os.WriteFile(path, fmt.Appendf(nil, script, kind, lines), 0o600); err != nil {
		return load{}, err
	}
	before, err := broker.cpu()
	if err != nil {
		return load{}, err
	}
	said, err := exec.CommandContext(ctx, wrk, "-t1", fmt.Sprintf("-c%d", s.Connections), fmt.Sprintf("-d%ds", int(s.For.Seconds())),
		"--timeout", "30s", "-s", path, url+"/v1/shops/"+shop+"/customers").CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, said)
	}
	after, err := broker.cpu()
	if err != nil {
		return load{}, err
	}
	stopped = true
	if err := errors.Join(serve.Process.Signal(syscall.SIGTERM), serve.Wait()); err != nil {
		return load{}, fmt.Errorf("publisher serve: %w", err)
	}
	n, err := figuresOf(string(said))
	if err != nil {
		return load{}, err
	}
	requests, seconds := float64(n[0]), float64(n[1])/1e6
	events := requests * float64(lines)
	return load{
		Name: name, Sync: s.Sync, Connections: s.Connections, Requests: requests / seconds, Events: events / seconds,
		P50: micros(n[2]), P99: micros(n[3]), NotStored: n[4] + n[5],
		ServeUS:  microseconds(serve.ProcessState.UserTime()+serve.ProcessState.SystemTime(), max(1, int(events))),
		BrokerUS: microseconds(after-before, max(1, int(events))),
	}, nil
}

func figuresOf(said string) (n [6]int, err error) {
	found := figuresLine.FindStringSubmatch(said)
	if found == nil {
		return n, fmt.Errorf("wrk said %s", said)
	}
	for i := range n {
		if n[i], err = strconv.Atoi(found[i+1]); err != nil {
			return n, err
		}
	}
	return n, nil
}

func micros(n int) string {
	return (time.Duration(n) * time.Microsecond).Round(10 * time.Microsecond).String()
}

// startServe starts publisher serve and waits for it to listen.
func startServe(ctx context.Context, program, folder, nats string) (*exec.Cmd, string, error) {
	tokens := filepath.Join(folder, "tokens.yaml")
	if err := os.WriteFile(tokens, []byte(shop+": [bench]\n"), 0o600); err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, program, "serve", "--nats", nats, "--listen", "127.0.0.1:0", "--tokens", tokens)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	var first struct{ Address string }
	if err == nil {
		err = json.Unmarshal([]byte(line), &first)
	}
	if err != nil || first.Address == "" {
		return nil, "", errors.Join(fmt.Errorf("publisher serve said %s, %w", strings.TrimSpace(line), err), cmd.Process.Kill(), cmd.Wait())
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // a line for each request; it ends with the process
	return cmd, "http://" + first.Address, nil
}
