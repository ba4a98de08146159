package ecomcharge

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

func TestLane(t *testing.T) {
	local, create := sinks.Lane{Name: "none", Local: true}, sinks.Lane{Name: "create", Once: true}
	lookup := sinks.Lane{Name: "lookup", MaxRows: 10, Once: true}
	recreate := Options{OnChange: changeRecreate}
	tests := []struct {
		name    string
		options Options
		row     sinks.Row
		want    sinks.Lane
	}{
		{"new", Options{}, sinks.Row{Attempt: 1}, create},
		{"again, after a throttle", Options{}, sinks.Row{Attempt: 5}, create},
		{"in doubt", Options{}, sinks.Row{Attempt: 1, Doubt: true}, local},
		{"in doubt, looked up", Options{LookUp: true}, sinks.Row{Attempt: 1, Doubt: true}, lookup},
		{"held", Options{}, sinks.Row{Attempt: 1, Held: true}, local},
		{"held, in doubt, looked up", Options{LookUp: true}, sinks.Row{Attempt: 1, ProviderID: "cst_1", Doubt: true}, local},
		{"held, created anew", recreate, sinks.Row{Attempt: 1, ProviderID: "cst_1"}, create},
		{"held, created anew, in doubt", recreate, sinks.Row{Attempt: 1, Held: true, Doubt: true}, local},
		{"deletion", Options{}, sinks.Row{Attempt: 1, Held: true, Delete: true}, local},
		{"deletion in doubt", Options{LookUp: true, OnChange: changeRecreate}, sinks.Row{Attempt: 1, Doubt: true, Delete: true}, local},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Sink{options: tt.options.withDefaults()}
			if got := s.Lane(&tt.row); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A row that may have been created is never created before the list was read, and
// a local lane makes no call at all.
func TestNeverBlindly(t *testing.T) {
	var calls []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method)
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "[]")
			return
		}
		_, _ = io.WriteString(w, `{"id":"cst_1"}`)
	}))
	defer server.Close()
	for bits := range 64 {
		options := Options{LookUp: bits&1 != 0}
		if bits&2 != 0 {
			options.OnChange = changeRecreate
		}
		s, err := New(Config{URL: server.URL, ShopID: "361", SecretKey: "key", Options: options})
		if err != nil {
			t.Fatal(err)
		}
		row := sinks.Row{Customer: "c", Body: []byte(`{"email":"a@example.com","ip":"192.0.2.1"}`), Attempt: 1, Doubt: bits&4 != 0, Held: bits&8 != 0}
		if bits&16 != 0 {
			row.ProviderID = "cst_0"
		}
		if bits&32 != 0 {
			row.Delete, row.Body = true, nil
		}
		calls = nil
		outcomes, err := s.Deliver(t.Context(), []sinks.Row{row})
		if err != nil || len(outcomes) != 1 || outcomes[0].Verdict == sinks.Unknown {
			t.Fatalf("%+v: got %+v, %v, want a verdict", row, outcomes, err)
		}
		got := strings.Join(calls, " ")
		if row.Doubt && got == "POST" || row.Delete && got != "" {
			t.Errorf("%+v: made %s", row, got)
		}
		if lane := s.Lane(&row); lane.Local != (got == "") || lane.Once != strings.Contains(got, "POST") {
			t.Errorf("%+v: made %q in lane %+v", row, got, lane)
		}
	}
}

// A list that is too long to be read to its end shows nobody to be absent: the row
// goes to a person.
func TestLongList(t *testing.T) {
	page := strings.Repeat(" ", 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			t.Error("created though the list could not be read to its end")
		}
		_, _ = io.WriteString(w, "["+page+"]")
	}))
	defer server.Close()
	s, err := New(Config{URL: server.URL, ShopID: "361", SecretKey: "key", Options: Options{LookUp: true}, Caller: sinks.Caller{MaxAnswer: 500}})
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := s.Deliver(t.Context(), []sinks.Row{{Body: []byte(`{"email":"a@example.com"}`), Doubt: true}})
	if err != nil || outcomes[0].Verdict != sinks.Rejected || !outcomes[0].InDoubt || outcomes[0].Reason != "partial_list" {
		t.Errorf("got %+v, %v, want rejected in doubt", outcomes, err)
	}
}

func TestProbe(t *testing.T) {
	tests := []struct {
		name    string
		key     string
		handler http.HandlerFunc // nil: the stand-in
		class   retry.Class
		fails   bool
	}{
		{"good", "not_for_logs", nil, 0, false},
		{"wrong key", "another", nil, retry.Blocked, true},
		{"a 404 without a word, and a list", "key", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/customers" {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, "[]")
		}, 0, false},
		{"wrong address", "key", http.NotFound, retry.Blocked, true},
		{"a page", "key", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, retry.Transient, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := http.Handler(tt.handler)
			if tt.handler == nil {
				handler = &sandbox.EComCharge{ShopID: "361", SecretKey: "not_for_logs"}
			}
			server := httptest.NewServer(handler)
			defer server.Close()
			s, err := New(Config{URL: server.URL, ShopID: "361", SecretKey: tt.key})
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
	good := Config{URL: "https://api.ecomcharge.com", ShopID: "361", SecretKey: "not_for_logs"}
	for name, change := range map[string]func(*Config){
		"no shop id":           func(c *Config) { c.ShopID = "" },
		"no secret key":        func(c *Config) { c.SecretKey = "" },
		"no address":           func(c *Config) { c.URL = "" },
		"on change":            func(c *Config) { c.Options.OnChange = "update" },
		"shop without the id":  func(c *Config) { c.Options.ExternalIDWithShop = true },
		"address with a login": func(c *Config) { c.URL = "https://361:not_for_logs@api.ecomcharge.com" },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "not_for_logs") {
			t.Errorf("%s: the error holds the key: %v", name, err)
		}
	}
}

func TestCheckRefusesWhatMapMakes(t *testing.T) {
	var rec sinks.Record
	for name, value := range map[string]string{"email": "a@example.com", "ip": "192.0.2.1", "country": "PL", "state": "MA"} {
		rec.Text(name, value)
	}
	rec.Set(sinks.Field{Name: "phone", Kind: sinks.KindNumber, Number: 5})
	rec.Set(sinks.Field{Group: "custom", Name: "ltv", Kind: sinks.KindText, Text: "x"})
	var got []string
	for _, e := range (&Sink{}).Check(&rec) {
		got = append(got, e.Field)
	}
	if got, want := strings.Join(got, " "), "state phone ltv"; got != want {
		t.Errorf("got faults with %s, want %s", got, want)
	}
}

// Customers who are looked for by one mail address never share a batch.
func TestApart(t *testing.T) {
	ev := events.Event{Customer: events.Customer{Email: events.Some(" Anna@Example.com ")}}
	var rec sinks.Record
	(&Sink{}).Map(&ev, &rec)
	if got, want := rec.ApartKey(), "anna@example.com"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
