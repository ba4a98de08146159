package cartum

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

func TestProbe(t *testing.T) {
	tests := []struct {
		name     string
		password string
		code     string
	}{{"good", "admin_pass", ""}, {"wrong password", "other_pass", "login_refused"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(&sandbox.Cartum{Login: "admin", Password: "admin_pass"})
			defer server.Close()
			s, err := New(Config{URL: server.URL, Login: "admin", Password: tt.password})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Probe(t.Context())
			if (err == nil) != (tt.code == "") || err != nil && retry.Of(err).Code != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{URL: "https://shop.example", Login: "admin", Password: "admin_pass"}
	for name, change := range map[string]func(*Config){
		"no login":       func(c *Config) { c.Login = "" },
		"no password":    func(c *Config) { c.Password = "" },
		"no address":     func(c *Config) { c.URL = "" },
		"options":        func(c *Config) { c.Options.MaxBatch = -1 },
		"groups, no b2b": func(c *Config) { c.Options.CustomerGroups = map[string]int{"VIP": 3} },
		"bad id":         func(c *Config) { c.Options = Options{B2B: true, Managers: map[string]int{"olena": 0}} },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "admin_pass") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}

func TestLane(t *testing.T) {
	s := &Sink{}
	if got := s.Lane(&sinks.Row{Delete: true}); !got.Local || got.Name == "" {
		t.Errorf("deletion: got %+v, want a local lane of its own", got)
	}
	if got := s.Lane(&sinks.Row{Doubt: true}); got != (sinks.Lane{}) {
		t.Errorf("in doubt: got %+v, want the one lane: an import can be repeated", got)
	}
}

func TestApart(t *testing.T) {
	ev := events.Event{Customer: events.Customer{Email: events.Some(" Ivan@Example.com ")}}
	var rec sinks.Record
	(&Sink{}).Map(&ev, &rec)
	if got, want := rec.ApartKey(), "ivan@example.com"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInternational(t *testing.T) {
	for _, tt := range []struct{ phone, want string }{
		{"+380631234567", "+380631234567"},
		{"+38 (063) 123-45-67", "+380631234567"},
		{"00380631234567", "+380631234567"},
		{"380631234567", "+380631234567"},
		{"0631234567", "0631234567"},   // national
		{"79991234567", "79991234567"}, // may be Russian or Chinese
		{"call me", "call me"},
		{"+0631234567", "+0631234567"},
		{"", ""},
	} {
		if got := international(tt.phone); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.phone, got, tt.want)
		}
	}
}
