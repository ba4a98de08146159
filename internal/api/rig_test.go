package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/mapping"
	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/internal/ops"
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

// rig is a NATS server, a provider's stand-in, a worker, and the API.
type rig struct {
	t         *testing.T
	url       string
	server    *Server
	thulium   *sandbox.Thulium
	publisher *events.Publisher
	logged    *logged
	token     string
	start     func() (halt func()) // runs the worker
	halt      func()
	seen      map[string]bool // operations that were answered as they should be
}

// logged is what was written to the logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T, token string) *rig {
	t.Helper()
	server := natstest.Start(t)
	r := &rig{t: t, thulium: &sandbox.Thulium{}, logged: &logged{}, token: token, seen: map[string]bool{}}
	provider := httptest.NewServer(r.thulium)
	t.Cleanup(provider.Close)
	text := fmt.Sprintf(`
nats: {url: %s}
stream: {partitions: 4}
http: {listen: 127.0.0.1:0}
workers: {lease: 1s, grace: 1s}
destinations:
  - {name: one, provider: thulium, url: %q, auth: {username: a, password: pass-word}, shards: 2, timeout: 1s, retry: {initial: 10ms, max: 100ms}, batch: {linger: 1ms}}
`, server.URL, provider.URL)
	file := filepath.Join(t.TempDir(), "custsync.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTP.Token = config.Secret(token)
	nc := server.Connect()
	streams, err := stream.Open(testContext(t), nc, stream.Config{Partitions: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(streams.Close)
	log := zerolog.New(r.logged)
	ctx, cancel := context.WithCancel(context.Background())
	r.start = func() (halt func()) {
		working, cancel := context.WithCancel(ctx)
		w := &worker.Worker{Config: cfg, Make: makeThulium, Log: log, Name: "tester"}
		ended := make(chan error, 1)
		go func() { ended <- w.Run(working) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the worker ended: %v", err)
			}
		}
	}
	r.halt = r.start()
	t.Cleanup(func() {
		r.halt()
		cancel()
	})
	r.server = &Server{Config: cfg, Streams: streams, Renderers: &ops.Renderers{Make: makeThulium}, Connected: nc.IsConnected, Stop: ctx, Log: log}
	web := httptest.NewServer(r.server.Handler())
	t.Cleanup(web.Close)
	r.url = web.URL
	r.publisher = &events.Publisher{Conn: nc}
	return r
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

// publish stores a version of a customer with the phone given; one that is no
// number is refused by the provider's rules.
func (r *rig) publish(customer string, version int64, phone string) {
	r.t.Helper()
	c := events.Customer{
		ID: customer, Version: events.Some(version), FirstName: events.Some("Jürgen"), LastName: events.Some("Ковальчук"), Phone: events.Some(phone),
		Email: events.Some("jurgen@secret.example"), Address: events.Some(events.Address{City: events.Some("Łódź"), Country: events.Some("PL")}),
	}
	if _, err := r.publisher.Publish(testContext(r.t), "acme", c); err != nil {
		r.t.Fatal(err)
	}
}

// secrets are what of a published customer must not be seen where it is masked.
var secrets = []string{"Jürgen", "Ковальчук", "jurgen", "secret.example", "Łódź", "call me"}

func clean(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s repeats %q: %s", where, s, text)
		}
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a *answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// lines are those of an answer of many, by their kind, the last one apart.
func (a *answer) lines(t *testing.T) (rows []map[string]any, last map[string]map[string]any) {
	t.Helper()
	for line := range strings.Lines(a.body) {
		var l map[string]map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if row := l["row"]; row != nil {
			rows = append(rows, row)
		}
		last = l
	}
	return rows, last
}

// ask asks, with headers as "Name: value", and holds the answer against the document.
func (r *rig) ask(method, path, body string, headers ...string) *answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(testContext(r.t), method, r.url+base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Set(name, value); value == "" {
			req.Header.Del(name)
		}
		if name == "Host" {
			req.Host = value
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := &answer{resp.StatusCode, resp.Header, string(data)}
	r.documented(req, a)
	return a
}

func (r *rig) get(path string, headers ...string) *answer {
	r.t.Helper()
	return r.ask(http.MethodGet, path, "", headers...)
}

func (r *rig) post(path, body string, headers ...string) *answer {
	r.t.Helper()
	return r.ask(http.MethodPost, path, body, headers...)
}

// ok says that an answer is 200.
func (r *rig) ok(a *answer) *answer {
	r.t.Helper()
	if a.status != http.StatusOK {
		r.t.Fatalf("got %d: %s", a.status, a.body)
	}
	return a
}

// until waits for a condition that something outside of the test brings about.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			r.t.Fatalf("waited too long until %s", what)
		}
	}
}

// dead waits until so many letters are open.
func (r *rig) dead(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d letters are open", n), func() bool {
		var page struct {
			Letters []any `json:"deadletters"`
		}
		r.ok(r.get("/deadletters?limit=500")).into(r.t, &page)
		return len(page.Letters) == n
	})
}

// at is the state of a customer at the destination.
func (r *rig) at(customer string) string {
	r.t.Helper()
	a := r.get("/customers/acme/" + customer)
	if a.status == http.StatusNotFound {
		return ""
	}
	var st struct {
		Destinations []struct{ State string }
	}
	r.ok(a).into(r.t, &st)
	return st.Destinations[0].State
}
