package thulium

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
	tests := []struct {
		name string
		row  sinks.Row
		want sinks.Lane
	}{
		{"new", sinks.Row{Attempt: 1}, sinks.Lane{Name: "create", Once: true}},
		{"known", sinks.Row{Attempt: 1, Held: true, ProviderID: "13"}, sinks.Lane{Name: "update"}},
		{"known, in doubt", sinks.Row{Attempt: 1, Held: true, ProviderID: "13", Doubt: true}, sinks.Lane{Name: "renew", Once: true}},
		{"known, again", sinks.Row{Attempt: 2, Held: true, ProviderID: "13"}, sinks.Lane{Name: "renew", Once: true}},
		{"in doubt", sinks.Row{Attempt: 1, Doubt: true}, sinks.Lane{Name: "lookup", MaxRows: 1, Once: true}},
		{"again", sinks.Row{Attempt: 2}, sinks.Lane{Name: "lookup", MaxRows: 1, Once: true}},
		{"held without id", sinks.Row{Attempt: 1, Held: true}, sinks.Lane{Name: "lookup", MaxRows: 1, Once: true}},
		{"deletion", sinks.Row{Attempt: 1, Delete: true, Held: true, ProviderID: "13"}, sinks.Lane{Name: "delete", MaxRows: 1}},
		{"deletion in doubt", sinks.Row{Attempt: 1, Delete: true, Doubt: true}, sinks.Lane{Name: "delete", MaxRows: 1}},
		{"deletion of nobody", sinks.Row{Attempt: 1, Delete: true}, sinks.Lane{Name: "none", Local: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&Sink{}).Lane(&tt.row); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A row whose lane is not marked in the ledger before its call never creates,
// and a deletion without a call makes none.
func TestOnlyMarkedLanesCreate(t *testing.T) {
	var created int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			created++
			_, _ = io.WriteString(w, `{"0":{"http_status":201,"customer_id":"1"}}`)
		case http.MethodPut:
			_, _ = io.WriteString(w, `{"0":{"http_status":404}}`)
		default:
			_, _ = io.WriteString(w, `[]`)
		}
	}))
	defer server.Close()
	s, err := New(Config{URL: server.URL, Username: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	for bits := range 32 {
		row := sinks.Row{Customer: "c", Body: []byte(`{"identifier":"c","surname":"Nowak"}`), Attempt: 1 + bits&1, Doubt: bits&2 != 0, Held: bits&4 != 0}
		if bits&8 != 0 {
			row.ProviderID = "13"
		}
		if bits&16 != 0 {
			row.Delete, row.Body = true, nil
		}
		created = 0
		outcomes, err := s.Deliver(t.Context(), []sinks.Row{row})
		if err != nil || len(outcomes) != 1 || outcomes[0].Verdict == sinks.Unknown {
			t.Errorf("%+v: got %+v, %v, want a verdict", row, outcomes, err)
		}
		if created > 0 != (s.Lane(&row).Once && !row.Delete) {
			t.Errorf("%+v: created %d times in lane %+v", row, created, s.Lane(&row))
		}
	}
}

func TestProbe(t *testing.T) {
	server := httptest.NewServer(&sandbox.Thulium{Username: "api_user", Password: "api_pass"})
	defer server.Close()
	for password, class := range map[string]retry.Class{"api_pass": retry.Transient, "wrong": retry.Blocked} {
		s, err := New(Config{URL: server.URL + "/api/", Username: "api_user", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Probe(t.Context())
		if (err == nil) != (class == retry.Transient) || err != nil && retry.Of(err).Class != class {
			t.Errorf("%s: got %v, want class %v", password, err, class)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{URL: "https://acme.thulium.com", Username: "api_user", Password: "api_pass"}
	for name, change := range map[string]func(*Config){
		"no username": func(c *Config) { c.Username = "" },
		"no password": func(c *Config) { c.Password = "" },
		"no address":  func(c *Config) { c.URL = "acme.thulium.com" },
		"max batch":   func(c *Config) { c.Options.MaxBatch = -1 },
		"gender":      func(c *Config) { c.Options.Gender = map[string]string{"woman": "K"} },
		"birthdate":   func(c *Config) { c.Options.BirthdateFormat = "YY-MM-DD" },
		"clear with":  func(c *Config) { c.Options.ClearWith = "nothing" },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "api_pass") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}

func TestDigits(t *testing.T) {
	for _, tt := range []struct{ phone, want string }{
		{"48600700800", "48600700800"},
		{"+48600700800", "48600700800"},
		{" +48 (600) 700-800 ", "48600700800"},
		{"22/123.45.67", "221234567"},
		{"600700800 ext 5", "600700800 ext 5"},
		{"+", "+"},
		{"", ""},
	} {
		if got := digits(tt.phone); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.phone, got, tt.want)
		}
	}
}

// Whatever the shop's fields hold, what Check admits is a JSON object that the
// batch can carry.
func FuzzMap(f *testing.F) {
	f.Add("Jan Nowak", "Nowak", "+48 600", "a@b.pl", "1990-01-02")
	f.Add("", "\xff", "“”", "@", "9999-99-99")
	f.Fuzz(func(t *testing.T, full, last, phone, email, born string) {
		s, err := New(Config{URL: "https://acme.thulium.com", Username: "u", Password: "p", Options: Options{BirthdateFormat: "DD.MM.YYYY"}})
		if err != nil {
			t.Fatal(err)
		}
		ev := events.Event{Shop: "acme", Customer: events.Customer{
			ID: "c", FullName: events.Some(full), LastName: events.Some(last), Phone: events.Some(phone),
			Phones: events.Some([]string{phone, full}), Email: events.Some(email), BirthDate: events.Some(born),
		}}
		var rec sinks.Record
		s.Map(&ev, &rec)
		broken := s.Check(&rec)
		for _, e := range broken {
			if e.Field == "" || e.Message == "" {
				t.Errorf("got %+v, want a field and a rule", e)
			}
		}
		body := rec.AppendJSON(nil)
		if _, err := sinks.ReadRecord(body); err != nil {
			t.Errorf("row can't be read back: %v", err)
		}
	})
}

func BenchmarkMap(b *testing.B) {
	s, err := New(Config{URL: "https://acme.thulium.com", Username: "u", Password: "p"})
	if err != nil {
		b.Fatal(err)
	}
	ev := events.Event{Shop: "acme", Customer: events.Customer{
		ID: "347771386", FirstName: events.Some("Jan"), LastName: events.Some("Nowak"), Email: events.Some("jan@example.com"),
		Phone: events.Some("+48600700800"), VIP: events.Some(true), BirthDate: events.Some("1990-01-02"), Group: events.Some("VIP"),
		Address:    events.Some(events.Address{Street: events.Some("Polna"), Building: events.Some("1"), City: events.Some("Łódź"), Country: events.Some("PL")}),
		Attributes: events.Some([]events.Attribute{{Name: "ltv", Value: []byte("27456")}, {Name: "color", Value: []byte(`"blue"`)}}),
	}}
	var rec sinks.Record
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		rec.Reset()
		s.Map(&ev, &rec)
		if len(s.Check(&rec)) > 0 {
			b.Fatal("refused")
		}
		body = rec.AppendJSON(body[:0])
	}
}
