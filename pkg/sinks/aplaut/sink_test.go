package aplaut

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// Every call carries the token in the scheme that was asked for, and both media
// types without parameters, as JSON:API has them.
func TestHeaders(t *testing.T) {
	for _, tt := range []struct{ scheme, want string }{
		{"", "Bearer not_for_logs"}, {"bearer", "Bearer not_for_logs"}, {"token", "Token token=not_for_logs"},
	} {
		t.Run("scheme "+tt.scheme, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				if got := r.Header.Get("Authorization"); got != tt.want {
					t.Errorf("authorization: got %q, want %q", got, tt.want)
				}
				if got := r.Header.Get("Accept"); got != "application/vnd.api+json" {
					t.Errorf("accept: got %q", got)
				}
				if got := r.Header.Get("Content-Type"); r.Method == http.MethodPut && got != "application/vnd.api+json" {
					t.Errorf("content type: got %q", got)
				}
				_, _ = io.WriteString(w, `{"data":{"id":"1"}}`)
			}))
			defer server.Close()
			s, err := New(Config{URL: server.URL, Token: "not_for_logs", Options: Options{TokenScheme: tt.scheme}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Deliver(t.Context(), []sinks.Row{
				{Customer: "c1", Body: []byte(`{"external_id":"c1"}`), Attempt: 1}, {Customer: "c1", Delete: true, Held: true, Attempt: 1},
			})
			if err != nil || calls != 2 {
				t.Errorf("got %d calls and %v, want 2", calls, err)
			}
		})
	}
}

// The mail address and the phone that a consumer was created with stay, and the
// outcome says so as long as they differ.
func TestKept(t *testing.T) {
	s, provider := standIn(t, Options{}, sandbox.AplautSwitches{})
	for _, step := range []struct{ email, phone, want string }{
		{"anna@example.com", "+7 (555) 555-01-23", ""},
		{"new@example.com", "+7 (555) 555-01-23", "kept email"},
		{"Anna@example.com", "+75555550124", "kept phone"},
		{"anna@example.com", "75555550123", ""},
	} {
		o := send(t, s, &events.Customer{ID: "c1", Email: events.Some(step.email), Phone: events.Some(step.phone)})
		if o.Verdict != sinks.Delivered || o.Reason != step.want {
			t.Errorf("%s %s: got %v %q, want delivered %q", step.email, step.phone, o.Verdict, o.Reason, step.want)
		}
	}
	held, _ := provider.Book().Held("c1")
	if got := string(held.Records[0].Fields["email"]); got != `"anna@example.com"` {
		t.Errorf("got %s, want the first mail address", got)
	}
}

// A create by POST that meets a consumer who is there becomes an update, also
// where an earlier answer was lost.
func TestCreateByPost(t *testing.T) {
	for name, switches := range map[string]sandbox.AplautSwitches{"observed errors": {}, "documented errors": {SchemaErrors: true}} {
		t.Run(name, func(t *testing.T) {
			s, provider := standIn(t, Options{Create: "post"}, switches)
			c := &events.Customer{ID: "c1", FullName: events.Some("Anna Example"), Email: events.Some("anna@example.com")}
			provider.Faults().Add(sandbox.Fault{Kind: sandbox.Reset, Applied: true, Times: 1})
			row := rowOf(t, s, c)
			if _, err := s.Deliver(t.Context(), []sinks.Row{row}); err == nil || retry.Of(err).Unsent {
				t.Fatalf("got %v, want an error in doubt", err)
			}
			// As a worker would that lost all memory of it.
			for range 2 {
				if o := send(t, s, c); o.Verdict != sinks.Delivered {
					t.Errorf("got %+v, want delivered", o)
				}
			}
			counts := provider.Book().Counters()
			if counts.Created != 1 || counts.Requests["POST consumers"] != 3 || counts.Requests["PUT consumers/:id"] != 2 {
				t.Errorf("got %d created by %v, want 1 by three POST, two of them followed by PUT", counts.Created, counts.Requests)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	tests := []struct {
		name    string
		token   string
		handler http.HandlerFunc // nil: the stand-in
		class   retry.Class
		fails   bool
	}{
		{"good", "not_for_logs", nil, 0, false},
		{"wrong token", "another", nil, retry.Blocked, true},
		{"no list any more", "t", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			if r.URL.Path != "/consumers" {
				_, _ = io.WriteString(w, `{"errors":{"status":404,"title":"Document not found"}}`)
			}
		}, 0, false},
		{"wrong address", "t", http.NotFound, retry.Blocked, true},
		{"a page", "t", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, retry.Transient, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := http.Handler(tt.handler)
			if tt.handler == nil {
				handler = &sandbox.Aplaut{Token: "not_for_logs"}
			}
			server := httptest.NewServer(handler)
			defer server.Close()
			s, err := New(Config{URL: server.URL + "/", Token: tt.token})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Probe(t.Context())
			if (err != nil) != tt.fails || err != nil && retry.Of(err).Class != tt.class {
				t.Errorf("got %v, want failure %v of class %v", err, tt.fails, tt.class)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{URL: "https://api.aplaut.io/v4", Token: "not_for_logs"}
	for name, change := range map[string]func(*Config){
		"no token":          func(c *Config) { c.Token = "" },
		"token with scheme": func(c *Config) { c.Token = "Bearer not_for_logs" },
		"no address":        func(c *Config) { c.URL = "api.aplaut.io" },
		"token scheme":      func(c *Config) { c.Options.TokenScheme = "basic" },
		"create":            func(c *Config) { c.Options.Create = "patch" },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "not_for_logs") {
			t.Errorf("%s: the error holds the token: %v", name, err)
		}
	}
}

func TestLane(t *testing.T) {
	s := &Sink{}
	for _, tt := range []struct {
		name  string
		row   sinks.Row
		local bool
	}{
		{"new", sinks.Row{Customer: "c1"}, false},
		{"in doubt", sinks.Row{Customer: "c1", Doubt: true}, false},
		{"deletion", sinks.Row{Customer: "c1", Delete: true}, false},
		{"deletion of an id that can't be sent", sinks.Row{Customer: "a.b", Delete: true}, true},
		{"the same, of somebody who is there", sinks.Row{Customer: "a.b", Delete: true, ProviderID: "1"}, false},
	} {
		if got := s.Lane(&tt.row); got.Local != tt.local || got.Once || (got.Name != "") != tt.local {
			t.Errorf("%s: got %+v, want local %v", tt.name, got, tt.local)
		}
	}
}

func standIn(t *testing.T, options Options, switches sandbox.AplautSwitches) (*Sink, *sandbox.Aplaut) {
	t.Helper()
	provider := &sandbox.Aplaut{Switches: switches}
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	s, err := New(Config{URL: server.URL, Token: "t", Options: options})
	if err != nil {
		t.Fatal(err)
	}
	return s, provider
}

func rowOf(t *testing.T, s *Sink, c *events.Customer) sinks.Row {
	t.Helper()
	var rec sinks.Record
	s.Map(&events.Event{Shop: "acme", Customer: *c}, &rec)
	if broken := s.Check(&rec); len(broken) > 0 {
		t.Fatalf("got %v, want nothing broken", broken)
	}
	return sinks.Row{Shop: "acme", Customer: c.ID, Body: rec.AppendJSON(nil), Attempt: 1}
}

func send(t *testing.T, s *Sink, c *events.Customer) sinks.Outcome {
	t.Helper()
	outcomes, err := s.Deliver(t.Context(), []sinks.Row{rowOf(t, s, c)})
	if err != nil {
		t.Fatal(err)
	}
	return outcomes[0]
}
