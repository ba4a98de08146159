package ops

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/mapping"
	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/thulium"
	"github.com/custsync/custsync/pkg/stream"
)

// deadline bounds every wait of a test.
const deadline = 20 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a condition that something outside of the test brings about.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// fleet is a NATS server, two providers' stand-ins and, from start to stop, a
// worker that delivers to both.
type fleet struct {
	t         testing.TB
	desk      *Desk
	nc        *nats.Conn
	publisher *events.Publisher
	one, two  *sandbox.Thulium
	stop      func()
}

// newFleet lays the streams out; extra is YAML for the destination "two".
func newFleet(t testing.TB, extra string) *fleet {
	t.Helper()
	server := natstest.Start(t)
	f := &fleet{t: t, one: &sandbox.Thulium{}, two: &sandbox.Thulium{}}
	first, second := httptest.NewServer(f.one), httptest.NewServer(f.two)
	t.Cleanup(first.Close)
	t.Cleanup(second.Close)
	file := filepath.Join(t.TempDir(), "custsync.yaml")
	text := fmt.Sprintf(`
nats: {url: %s}
stream: {partitions: 4}
http: {listen: 127.0.0.1:0}
workers: {lease: 1s, grace: 1s}
destinations:
  - {name: one, provider: thulium, url: %q, auth: {username: a, password: b}, shards: 2, timeout: 1s, retry: {initial: 10ms, max: 100ms}, batch: {linger: 1ms}}
  - {name: two, provider: thulium, url: %q, auth: {username: a, password: b}, shards: 2, timeout: 1s, retry: {initial: 10ms, max: 100ms}, batch: {linger: 1ms}%s}
`, server.URL, first.URL, second.URL, extra)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	f.nc = server.Connect()
	streams, err := stream.Open(testContext(t), f.nc, stream.Config{Partitions: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(streams.Close)
	f.desk = &Desk{Config: cfg, Streams: streams, By: "tester", Renderers: &Renderers{Make: makeThulium}}
	f.publisher = &events.Publisher{Conn: f.nc}
	t.Cleanup(func() { f.halt() })
	return f
}

func makeThulium(d *config.Destination, caller sinks.Caller) (sinks.Sink, pipeline.Renderer, error) {
	caller.Timeout = d.Timeout
	sink, err := thulium.New(thulium.Config{URL: d.URL, Username: "a", Password: "b", Caller: caller})
	if err != nil {
		return nil, nil, err
	}
	renderer, problems := mapping.Compile(sink, mapping.Rules{Shops: d.Shops, When: d.When, Map: d.Map})
	if len(problems) > 0 {
		return nil, nil, fmt.Errorf("%v", problems)
	}
	return sink, renderer, nil
}

// start runs a worker.
func (f *fleet) start() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker.Worker{Config: f.desk.Config, Make: makeThulium, Log: zerolog.Nop(), Name: "tester"}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	f.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("the worker ended: %v", err)
		}
	}
}

// halt stops the worker, if one runs.
func (f *fleet) halt() {
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// publish stores a customer's version; one without a surname is refused by the
// provider's rules.
func (f *fleet) publish(customer string, version int64, surname string) {
	f.t.Helper()
	c := events.Customer{ID: customer, Version: events.Some(version)}
	if surname != "" {
		c.LastName = events.Some(surname)
	}
	if _, err := f.publisher.Publish(testContext(f.t), "acme", c); err != nil {
		f.t.Fatal(err)
	}
}

// at is where a customer is at a destination.
func (f *fleet) at(customer, destination string) CustomerAt {
	f.t.Helper()
	st, err := f.desk.Customer(testContext(f.t), "acme", customer)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, at := range st.Destinations {
		if at.Name == destination {
			return at
		}
	}
	f.t.Fatalf("%s is not at %s", customer, destination)
	return CustomerAt{}
}

// becomes waits until a customer is in a state at a destination.
func (f *fleet) becomes(customer, destination string, want State) {
	f.t.Helper()
	until(f.t, fmt.Sprintf("%s is %s at %s", customer, want, destination), func() bool {
		return f.at(customer, destination).State == want
	})
}

// letters are the open dead letters.
func (f *fleet) letters(filter Filter) []Letter {
	f.t.Helper()
	var all []Letter
	for l, err := range f.desk.Letters(testContext(f.t), filter) {
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}
