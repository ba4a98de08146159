package worker

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/stream"
)

// deadline bounds every wait of a test.
const deadline = 60 * time.Second

// provider is what a fleet's workers call; each call brings one customer.
type provider struct {
	url    string
	answer func(n int) (status int, header http.Header) // n counts from 1; nil: all is well

	mu    sync.Mutex
	came  *sync.Cond
	calls []call
	now   int
	most  int
}

type call struct {
	at     time.Time
	worker string
	status int
}

func newProvider(t *testing.T, took time.Duration) *provider {
	p := &provider{}
	p.came = sync.NewCond(&p.mu)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		_, _ = io.Copy(io.Discard, r.Body)
		p.mu.Lock()
		status := http.StatusOK
		if p.answer != nil {
			var header http.Header
			status, header = p.answer(len(p.calls) + 1)
			for name, values := range header {
				w.Header()[name] = values
			}
		}
		p.calls = append(p.calls, call{at, r.URL.Path[1:], status})
		p.now++
		p.most = max(p.most, p.now)
		p.came.Broadcast()
		p.mu.Unlock()
		answer := time.NewTimer(took)
		defer answer.Stop()
		select {
		case <-answer.C:
		case <-r.Context().Done():
		}
		p.mu.Lock()
		p.now--
		p.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// await waits until what was called so far is as it should be, and returns it.
func (p *provider) await(t *testing.T, what string, cond func(calls []call) bool) []call {
	t.Helper()
	late := time.AfterFunc(deadline, p.came.Broadcast)
	defer late.Stop()
	end := time.Now().Add(deadline)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !cond(p.calls) {
		if !time.Now().Before(end) {
			t.Fatalf("waited too long until %s: %d calls", what, len(p.calls))
		}
		p.came.Wait()
	}
	return slices.Clone(p.calls)
}

// fleet is workers over one JetStream.
type fleet struct {
	t         *testing.T
	provider  *provider
	server    *natstest.Server
	publisher *events.Publisher
	rate      string // of the destination, YAML
}

func newFleet(t *testing.T, p *provider, rate string) *fleet {
	server := natstest.Start(t)
	return &fleet{t, p, server, &events.Publisher{Conn: server.Connect()}, rate}
}

// start runs a worker until the test ends, or until what it returns is called.
func (f *fleet) start(name string) (stop func()) { return f.run(f.worker(name)) }

func (f *fleet) worker(name string) *Worker {
	f.t.Helper()
	file := filepath.Join(f.t.TempDir(), "custsync.yaml")
	text := fmt.Sprintf(`
nats: {url: %s}
stream: {partitions: 8}
http: {listen: 127.0.0.1:0}
workers: {lease: 1s, grace: 2s}
destinations:
  - {name: one, provider: cartum, url: %q, auth: {login: a, password: b}, shards: 8, timeout: 5s,
     rate: {%s}, retry: {initial: 10ms, max: 100ms}, batch: {linger: 0s, max_rows: 1}}
`, f.server.URL, f.provider.url, f.rate)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		f.t.Fatal(err)
	}
	return &Worker{Config: cfg, Log: zerolog.Nop(), Name: name, Make: func(d *config.Destination, caller sinks.Caller) (sinks.Sink, pipeline.Renderer, error) {
		c, err := caller.Open(d.URL)
		return &plainSink{name, c}, plainRenderer{}, err
	}}
}

func (f *fleet) run(w *Worker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("worker %s: %v", w.Name, err)
		}
	})
	f.t.Cleanup(stop)
	return stop
}

// publish stores so many customers, once a worker has made the streams.
func (f *fleet) publish(n int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), deadline)
	defer cancel()
	for i := range n {
		c := events.Customer{ID: fmt.Sprint("c", i), Version: events.Some(int64(1))}
		for {
			_, err := f.publisher.Publish(ctx, "acme", c)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				f.t.Fatal(err)
			}
		}
	}
}

// plainSink makes a call for each customer.
type plainSink struct {
	worker string
	caller *sinks.Caller
}

func (s *plainSink) Limits() sinks.Limits { return sinks.Limits{} }

func (s *plainSink) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	var outcomes []sinks.Outcome
	for range rows {
		_, err := s.caller.Do(ctx, &sinks.Call{Op: "store", Method: http.MethodPost, Path: "/" + s.worker, Body: []byte("{}")})
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, sinks.Outcome{Verdict: sinks.Delivered})
	}
	return outcomes, nil
}

type plainRenderer struct{}

func (plainRenderer) Render(ev *events.Event) (pipeline.Rendered, error) {
	return pipeline.Rendered{Admitted: true, Body: []byte("{}"), Hash: fmt.Sprint(ev.Version)}, nil
}

// by counts calls by worker.
func by(calls []call) map[string]int {
	n := map[string]int{}
	for _, c := range calls {
		n[c.worker]++
	}
	return n
}

// densest is the most calls within any second.
func densest(calls []call) int {
	most, first := 0, 0
	for i := range calls {
		for calls[i].at.Sub(calls[first].at) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// after are the calls from a time on.
func after(calls []call, at time.Time) []call {
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return c.at.Before(at) })
}

// Three workers together keep to what one was allowed, and use it.
func TestFleetKeepsToTheLimits(t *testing.T) {
	t.Parallel()
	const limit = 50
	p := newProvider(t, 20*time.Millisecond)
	f := newFleet(t, p, fmt.Sprintf("calls_per_second: %d, concurrency: 5", limit))
	f.start("a")
	f.publish(4000)
	alone := p.await(t, "one worker has made calls for three seconds", func(calls []call) bool {
		return len(calls) > 0 && time.Since(calls[0].at) > 3*time.Second
	})
	if got := len(alone); got < limit*3*75/100 {
		t.Errorf("alone: %d calls in the first three seconds, want %d a second", got, limit)
	}
	stop := f.start("b")
	f.start("c")
	var all time.Time
	p.await(t, "all three make calls", func(calls []call) bool {
		if all.IsZero() && len(by(calls)) == 3 {
			all = time.Now()
		}
		return !all.IsZero() && time.Since(all) > 6*time.Second
	})
	stop()
	end := time.Now()
	calls := p.await(t, "two go on", func([]call) bool { return time.Since(end) > 3*time.Second })
	// A call's way to the provider takes now a little more and now a little less, on
	// a busy machine much more. To the call it is counted in virtual time.
	if got := densest(calls); got > limit*110/100 {
		t.Errorf("%d calls within a second, the limit is %d", got, limit)
	}
	three := slices.DeleteFunc(after(calls, all.Add(2*time.Second)), func(c call) bool { return !c.at.Before(all.Add(6 * time.Second)) })
	if got, want := len(three), limit*4; got < want*75/100 {
		t.Errorf("%d calls of all three in four seconds, want %d", got, want)
	}
	for _, name := range []string{"a", "b", "c"} {
		if n := by(three)[name]; n < limit*4/3/2 {
			t.Errorf("worker %s made %d calls: %v", name, n, by(three))
		}
	}
	if p.most > 5 {
		t.Errorf("%d calls at once, the limit is 5", p.most)
	}
}

// What the provider tells one worker holds for all of them at once.
func TestATimeNamedToOneWorkerHoldsForAll(t *testing.T) {
	t.Parallel()
	p := newProvider(t, 5*time.Millisecond)
	const wait = 2 * time.Second
	var named time.Time
	p.answer = func(n int) (int, http.Header) {
		if named.IsZero() && len(by(p.calls)) == 2 && n > 500 {
			named = time.Now()
			return http.StatusTooManyRequests, http.Header{"Retry-After": {"2"}}
		}
		return http.StatusOK, nil
	}
	f := newFleet(t, p, "concurrency: 4")
	f.start("a")
	f.start("b")
	f.publish(6000)
	calls := p.await(t, "both go on after the time that was named", func(calls []call) bool {
		return !named.IsZero() && len(by(after(calls, named.Add(wait)))) == 2
	})
	during := slices.DeleteFunc(after(calls, named.Add(time.Millisecond)), func(c call) bool { return !c.at.Before(named.Add(wait)) })
	// What was on its way, and what went out while the word spread.
	if len(during) > 0 && during[len(during)-1].at.Sub(named) > 250*time.Millisecond {
		t.Errorf("%d calls within %v of being told to wait, the last after %v", len(during), wait, during[len(during)-1].at.Sub(named))
	}
	t.Logf("%d calls while the word spread", len(during))
}

// A lease that is in a living worker's name, though it does not know, would keep
// everybody from that shard: it gives it back.
func TestWorkerGivesBackWhatItDoesNotKnowOf(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newProvider(t, 0), "concurrency: 4")
	f.start("a")
	nc := f.server.Connect()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	planted := ""
	for {
		streams, err := stream.Attach(ctx, nc)
		if err != nil {
			continue // the worker is making them
		}
		board, err := streams.Board(ctx)
		streams.Close()
		if ctx.Err() != nil {
			t.Fatalf("the worker keeps what it does not know of: %+v and error %v", board, err)
		}
		if err != nil {
			continue
		}
		there := false
		for _, l := range board.Leases {
			there = there || l.Generation == 9
		}
		if planted != "" && !there {
			return
		}
		for member := range board.Members {
			if planted != "" {
				break
			}
			planted = fmt.Sprintf(`{"destination":"one","generation":9,"shard":3,"member":%q}`, member)
			if _, err := nc.Request("$KV.WORKERS.lease.one.9.3", []byte(planted), deadline); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A ledger that was emptied beside cursors stops the destination, instead of
// creating every customer again, until a person accepts that.
func TestWorkerRefusesAnEmptiedLedger(t *testing.T) {
	t.Parallel()
	p := newProvider(t, 0)
	f := newFleet(t, p, "concurrency: 4")
	stop := f.start("a")
	f.publish(20)
	p.await(t, "all are delivered", func(calls []call) bool { return len(calls) == 20 })
	stop()
	nc := f.server.Connect()
	if _, err := nc.Request("$JS.API.STREAM.PURGE.KV_LEDGER", nil, deadline); err != nil {
		t.Fatal(err)
	}
	streams, err := stream.Attach(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	defer streams.Close()
	b := f.worker("b")
	f.run(b)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for {
		board, err := streams.Board(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// Ready all the same: the console of a worker that is not can't be reached.
		if g := board.Gates["one"]; g.State == string(pipeline.Refusing) && b.ready.Load() {
			if !strings.Contains(g.Reason, "emptied") || !strings.Contains(g.Reason, "--accept") {
				t.Errorf("it is blocked because %q", g.Reason)
			}
			break
		}
	}
	if got := len(p.await(t, "", func([]call) bool { return true })); got != 20 {
		t.Errorf("%d calls before anybody accepted anything, want 20", got)
	}
	f.start("c")
	open := stream.Gate{State: string(pipeline.Running), Since: time.Now(), Reason: stream.Accepted}
	if err := streams.SetGate(ctx, "one", open); err != nil {
		t.Fatal(err)
	}
	p.await(t, "all are delivered again", func(calls []call) bool { return len(calls) == 40 })
	for {
		board, err := streams.Board(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if board.Gates["one"].Reason != stream.Accepted {
			break // it goes for nothing later
		}
	}
}
