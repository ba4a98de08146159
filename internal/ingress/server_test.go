package ingress

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

// fixture is a Server with a real NATS behind it.
type fixture struct {
	*Server
	t    *testing.T
	nats *natstest.Server
	http *httptest.Server
	log  *book
}

// book is a log that is read while it is written.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func start(t *testing.T, set func(*Server)) *fixture {
	t.Helper()
	f := &fixture{t: t, nats: natstest.Start(t), log: &book{}}
	nc := f.nats.Connect()
	streams, err := stream.Open(t.Context(), nc, stream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	streams.Close()
	tokens, err := ParseTokens([]byte("acme: [right, sha256:" + fmt.Sprintf("%x", sum("hashed")) + "]\nother: elsewhere\n"))
	if err != nil {
		t.Fatal(err)
	}
	f.Server = &Server{
		Conn: nc, Publisher: &events.Publisher{Conn: nc, Patience: 50 * time.Millisecond},
		Tokens: func() *Tokens { return tokens }, Log: zerolog.New(f.log), Store: 2 * time.Second,
	}
	if set != nil {
		set(f.Server)
	}
	f.http = httptest.NewServer(f.Handler())
	t.Cleanup(f.http.Close)
	return f
}

type call struct {
	method, path, body string
	kind               string // Content-Type
	token              string // empty: right; none: without
	header             http.Header
}

// do makes a call and holds the answer against the OpenAPI document.
func (f *fixture) do(c call) (status int, body string, header http.Header) {
	f.t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/v1/shops/acme/customers"
	}
	req, err := http.NewRequestWithContext(f.t.Context(), c.method, f.http.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		f.t.Fatal(err)
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	switch c.token {
	case "":
		req.Header.Set("Authorization", "Bearer right")
	case "none":
	default:
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	documented(f.t, f.Server, req, resp, data)
	return resp.StatusCode, string(data), resp.Header
}

// last is the newest event of the stream, with its message's headers.
func (f *fixture) last() (events.Event, nats.Header) {
	f.t.Helper()
	js, err := jetstream.New(f.Conn)
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := js.Stream(f.t.Context(), stream.Customers)
	if err != nil {
		f.t.Fatal(err)
	}
	msg, err := s.GetMsg(f.t.Context(), s.CachedInfo().State.LastSeq)
	if err != nil {
		f.t.Fatal(err)
	}
	tokens := strings.Split(msg.Subject, ".")
	var ev events.Event
	if err := events.Decode(msg.Data, tokens[2], tokens[3], time.Now(), &ev); err != nil {
		f.t.Fatal(err)
	}
	return ev, msg.Header
}

const (
	ndjson      = "application/x-ndjson"
	traceSample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func TestPublishOne(t *testing.T) {
	f := start(t, nil)
	status, body, header := f.do(call{body: `{"id":"a.b@c","version":3,"first_name":"Olga","loyalty":1}`, header: http.Header{
		"X-Request-Id": {"r-1"}, "Traceparent": {traceSample}}})
	if status != 202 || !strings.Contains(body, `"customer":"a.b@c"`) || !strings.Contains(body, `"version":3`) || header.Get("X-Request-Id") != "r-1" {
		t.Fatalf("got %d %s", status, body)
	}
	ev, message := f.last()
	if string(ev.Data) != `{"id":"a.b@c","version":3,"first_name":"Olga","loyalty":1}` || ev.Shop != "acme" || message.Get("traceparent") != traceSample {
		t.Errorf("stored %s %s %v", ev.Shop, ev.Data, message)
	}
	if status, body, _ := f.do(call{body: `{"id":"a.b@c","version":3,"first_name":"Olga","loyalty":1}`, token: "hashed"}); status != 202 || !strings.Contains(body, `"duplicate":true`) {
		t.Errorf("the same again: got %d %s, want a duplicate", status, body)
	}
	// An event keeps its id; so does a customer that is given one.
	const event = `{"specversion":"1.0","id":"e1","source":"/shops/acme","type":"customer.changed.v1","subject":"8","time":"2026-01-22T10:00:00Z","data":{"id":"8"}}`
	for i, want := range []bool{false, true} {
		if status, body, _ := f.do(call{body: event, kind: "application/cloudevents+json; charset=utf-8"}); status != 202 || strings.Contains(body, "duplicate") != want || !strings.Contains(body, `"id":"e1"`) {
			t.Errorf("event, %d: got %d %s", i+1, status, body)
		}
		if status, body, _ := f.do(call{body: `{"id":"9"}`, header: http.Header{"Idempotency-Key": {"k1"}}}); status != 202 || strings.Contains(body, "duplicate") != want || !strings.Contains(body, `"id":"k1"`) {
			t.Errorf("key, %d: got %d %s", i+1, status, body)
		}
	}
	if strings.Contains(f.log.String(), "Olga") || !strings.Contains(f.log.String(), `"request":"r-1"`) {
		t.Errorf("log: %s", f.log)
	}
}

func TestRemove(t *testing.T) {
	f := start(t, nil)
	status, body, _ := f.do(call{method: "DELETE", path: "/v1/shops/acme/customers/a%2Fb%20c?version=7"})
	ev, _ := f.last()
	if status != 202 || ev.Type != events.Deleted || ev.Customer.ID != "a/b c" || ev.Version != 7 {
		t.Errorf("got %d %s, stored %+v", status, body, ev)
	}
	if status, _, _ := f.do(call{method: "DELETE", path: "/v1/shops/acme/customers/9"}); status != 202 {
		t.Errorf("got %d", status)
	}
	if ev, _ := f.last(); !ev.TimeVersion || ev.Customer.ID != "9" {
		t.Errorf("stored %+v, want a version made of time", ev)
	}
	for _, version := range []string{"", "-1", "x", "9007199254740992"} {
		if status, body, _ := f.do(call{method: "DELETE", path: "/v1/shops/acme/customers/9?version=" + version}); status != 400 {
			t.Errorf("version %q: got %d %s", version, status, body)
		}
	}
	if status, body, _ := f.do(call{method: "DELETE", path: "/v1/shops/acme/customers/9?Version=7"}); status != 400 || !strings.Contains(body, "no parameter but version") {
		t.Errorf("a slip: got %d %s", status, body)
	}
	if status, body, _ := f.do(call{body: `{"id":"1"}`, token: "none", header: http.Header{"Authorization": {"bearer right"}}}); status != 202 {
		t.Errorf("bearer in small letters: got %d %s", status, body)
	}
}

func TestRefusals(t *testing.T) {
	f := start(t, nil)
	for _, tc := range []struct {
		name string
		call call
		want int
		say  string
	}{
		{"no token", call{body: `{"id":"1"}`, token: "none"}, 401, "want the header Authorization"},
		{"unknown token", call{body: `{"id":"1"}`, token: "wrong"}, 401, "want the header Authorization"},
		{"another shop's token", call{body: `{"id":"1"}`, token: "elsewhere"}, 403, "another shop's"},
		{"the hash itself", call{body: `{"id":"1"}`, token: fmt.Sprintf("%x", sum("hashed"))}, 401, ""},
		{"another shop's event", call{body: `{"specversion":"1.0","id":"e","source":"/shops/other","type":"customer.changed.v1","subject":"8","data":{"id":"8","version":1}}`}, 400, "shop"},
		{"another shop's customer", call{body: `{"id":"1","shop":"other"}`}, 400, "shop"},
		{"no JSON", call{body: `secret`}, 400, "want a JSON object"},
		{"nothing", call{}, 400, "want a JSON object"},
		{"no id", call{body: `{"email":"secret@example.com"}`}, 400, "id: missing"},
		{"wrong type", call{body: `{"id":"1","email":["secret"]}`}, 400, "email: want string, got array"},
		{"id too long", call{body: `{"id":"` + strings.Repeat("x", 2100) + `"}`}, 400, "no subject can carry"},
		{"key unfit", call{body: `{"id":"1"}`, header: http.Header{"Idempotency-Key": {"a\tb"}}}, 400, "control characters"},
		{"event too large", call{body: `{"id":"1","note":"` + strings.Repeat("x", events.MaxSize) + `"}`}, 400, "larger than 512 KiB"},
		{"body too large", call{body: strings.Repeat(" ", maxSingle+1)}, 413, "512 KiB"},
		{"a form", call{body: `{"id":"1"}`, kind: "text/csv"}, 415, "application/json"},
		{"packed", call{body: `{"id":"1"}`, header: http.Header{"Content-Encoding": {"gzip"}}}, 415, "Content-Encoding"},
		{"no lines", call{body: "\n\n", kind: ndjson}, 400, "no line"},
		{"method", call{method: "PUT", body: `{"id":"1"}`}, 405, "POST"},
		{"address", call{path: "/v2"}, 404, "/openapi.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body, header := f.do(tc.call)
			if status != tc.want || !strings.Contains(body, tc.say) {
				t.Errorf("got %d %s, want %d and %q", status, body, tc.want, tc.say)
			}
			if strings.Contains(body+f.log.String(), "secret") {
				t.Errorf("the answer or the log repeats data: %s %s", body, f.log)
			}
			if header.Get("X-Request-Id") == "" || header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got headers %v", header)
			}
		})
	}
}

func TestPublishLines(t *testing.T) {
	f := start(t, func(s *Server) { s.MaxLines = 5; s.MaxBody = 1000 })
	for _, tc := range []struct {
		name, body string
		want       int
		results    []int
	}{
		{"all stored", `{"id":"1","version":1}` + "\n\n" + `{"id":"2"}` + "\r\n", 202, []int{202, 202}},
		{"one refused", `{"id":"1","version":2}` + "\n" + `{"id":7}` + "\n" + `{"id":"3"}`, 207, []int{202, 400, 202}},
		{"all refused", "x\n{}\n", 400, []int{400, 400}},
		{"too many", strings.Repeat(`{"id":"4"}`+"\n", 8), 207, []int{202, 202, 202, 202, 202, 413}},
		{"too large", strings.Repeat(`{"id":"4"}`+"\n", 100), 413, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body, _ := f.do(call{body: tc.body, kind: ndjson})
			if status != tc.want {
				t.Fatalf("got %d %s, want %d", status, body, tc.want)
			}
			if tc.results == nil {
				return
			}
			var got []int
			before := 0
			for line := range strings.Lines(body) {
				var r result
				if err := json.Unmarshal([]byte(line), &r); err != nil || r.Line <= before {
					t.Fatalf("%s: %v", line, err)
				}
				before = r.Line
				got = append(got, r.Status)
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.results) {
				t.Errorf("got %v, want %v", got, tc.results)
			}
		})
	}
	// Versions that are made of time keep the order of the lines.
	f.do(call{body: `{"id":"5","note":"a"}` + "\n" + `{"id":"5","note":"b"}`, kind: ndjson})
	if ev, _ := f.last(); ev.Customer.Note.V != "b" {
		t.Errorf("the newest is %q", ev.Customer.Note.V)
	}
}

// A body without a length shows how large it is only as it comes: what was stored
// before says so.
func TestLinesOfUnknownLength(t *testing.T) {
	f := start(t, func(s *Server) { s.MaxBody = 100 })
	body := io.MultiReader(strings.NewReader(strings.Repeat(`{"id":"4"}`+"\n", 20)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.http.URL+"/v1/shops/acme/customers", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", ndjson)
	req.Header.Set("Authorization", "Bearer right")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	documented(t, f.Server, req, resp, data)
	if lines := strings.Count(string(data), "\n"); resp.StatusCode != 207 && resp.StatusCode != 413 || !strings.Contains(string(data), fmt.Sprintf(`{"line":%d,"status":413`, lines)) {
		t.Errorf("got %d %s", resp.StatusCode, data)
	}
}

// Without NATS nothing is taken, and it is told when to come back.
func TestNATSAway(t *testing.T) {
	f := start(t, nil)
	if status, _, _ := f.do(call{method: "GET", path: "/readyz", token: "none"}); status != 200 {
		t.Errorf("got %d", status)
	}
	lost := f.Conn.StatusChanged(nats.RECONNECTING)
	f.nats.Stop()
	<-lost
	for _, c := range []call{{body: `{"id":"1"}`}, {body: `{"id":"1"}`, kind: ndjson}, {method: "GET", path: "/readyz", token: "none"}} {
		if status, body, header := f.do(c); status != 503 || header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s", c.path, status, body)
		}
	}
	if status, _, _ := f.do(call{method: "GET", path: "/healthz", token: "none"}); status != 200 {
		t.Errorf("got %d, want the process to be alive", status)
	}
}

func TestNoStream(t *testing.T) {
	f := start(t, nil)
	js, err := jetstream.New(f.Conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), stream.Customers); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"", ndjson} {
		if status, body, header := f.do(call{body: `{"id":"1"}`, kind: kind}); status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "the stream is not there") ||
			!strings.Contains(body, `"id":"`) || !strings.Contains(body, `"version":`) {
			t.Errorf("got %d %s", status, body)
		}
	}
	_, metrics, _ := f.do(call{method: "GET", path: "/metrics", token: "none"})
	if want := `custsync_publisher_events_total{end="unavailable"} 2`; !strings.Contains(metrics, want) {
		t.Errorf("metrics lack %s", want)
	}
}

// When all places are taken, callers are sent away and told when to come back.
func TestBackPressure(t *testing.T) {
	f := start(t, func(s *Server) { s.Requests = 1; s.Queue = time.Millisecond })
	slow, feed := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.http.URL+"/v1/shops/acme/customers", slow)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	ended := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			ended <- 0
			return
		}
		resp.Body.Close()
		ended <- resp.StatusCode
	}()
	for f.places.taken() == 0 { // until the request is in there; each turn is a call
		f.do(call{method: "GET", path: "/healthz", token: "none"})
	}
	status, body, header := f.do(call{body: `{"id":"2"}`})
	if status != 429 || header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s", status, body)
	}
	fmt.Fprint(feed, `{"id":"1"}`)
	feed.Close()
	if got := <-ended; got != 202 {
		t.Errorf("the request under way got %d", got)
	}
}

// A shop that sends as slowly as it can keeps nobody else out.
func TestOneShopLeavesRoom(t *testing.T) {
	f := start(t, func(s *Server) { s.Requests = 4; s.Queue = time.Millisecond })
	address := strings.TrimPrefix(f.http.URL, "http://")
	for range 4 { // connections that never say all they announced
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/shops/acme/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\nContent-Length: 100\r\n\r\n{")
	}
	for f.places.taken() < 3 { // each turn is a call
		f.do(call{method: "GET", path: "/healthz", token: "none"})
	}
	if status, body, header := f.do(call{body: `{"id":"1"}`}); status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("the slow shop got %d %s", status, body)
	}
	if status, body, _ := f.do(call{body: `{"id":"1"}`, path: "/v1/shops/other/customers", token: "elsewhere"}); status != 202 {
		t.Errorf("another shop got %d %s", status, body)
	}
}

// Connections that say nothing, or never come to the end of a header, are closed.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.Serve(ctx, listener, time.Second) }()
	var conns []net.Conn
	for _, said := range []string{"", "POST /v1/shops/acme/customers HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, said)
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		if err := conn.SetReadDeadline(time.Now().Add(2 * headerTimeout)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil { // its end, not our patience's
			t.Error(err)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// What is under way when it is asked to stop is stored and answered.
func TestStopsGracefully(t *testing.T) {
	f := start(t, nil)
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.Serve(ctx, listener, 10*time.Second) }()
	slow, feed := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/v1/shops/acme/customers", slow)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	ended := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			ended <- 0
			return
		}
		resp.Body.Close()
		ended <- resp.StatusCode
	}()
	for f.places.taken() == 0 { // until the request is in there; each turn is a call
		f.do(call{method: "GET", path: "/healthz", token: "none"})
	}
	stop()
	fmt.Fprint(feed, `{"id":"1"}`)
	feed.Close()
	if got := <-ended; got != 202 {
		t.Errorf("the request under way got %d", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, _, header := f.do(call{method: "GET", path: "/readyz", token: "none"}); header.Get("Retry-After") == "" {
		t.Error("it is ready while it stops")
	}
}

// Who sends too slowly is cut off, and that is no failure to stop.
func TestStopsInTheEnd(t *testing.T) {
	f := start(t, nil)
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.Serve(ctx, listener, 10*time.Millisecond) }()
	slow, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprint(slow, "POST /v1/shops/acme/customers HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer right\r\nContent-Length: 10\r\n\r\n")
	for f.places.taken() == 0 { // until the request is in there; each turn is a call
		f.do(call{method: "GET", path: "/healthz", token: "none"})
	}
	stop()
	if err := <-served; err != nil || !strings.Contains(f.log.String(), "cut off") {
		t.Errorf("got %v, and the log says %s", err, f.log)
	}
}

// A digest of another kind is an error, whatever its length.
func TestTokensOfAnotherDigest(t *testing.T) {
	for _, digits := range []int{0, 63, 66, 128} {
		if _, err := ParseTokens([]byte("acme: [\"sha256:" + strings.Repeat("a", digits) + "\"]\n")); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
			t.Errorf("%d digits: got %v", digits, err)
		}
	}
}
