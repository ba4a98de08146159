package virtualpos

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

func card(id, number, status string) events.Card {
	return events.Card{ID: events.Some(id), Number: events.Some(number), Status: events.Some(status)}
}

// before and after are two versions of a customer: a card changes, one leaves, one
// comes, and a balance changes.
func before() *events.Customer {
	return &events.Customer{
		ID: "c1", FirstName: events.Some("Anna"),
		Cards:   events.Some([]events.Card{card("card-1", "29", "ACTIVE"), card("card-2", "30", "ACTIVE")}),
		Bonuses: events.Some([]events.Bonus{{ProgramID: events.Some("1"), Amount: events.Some(100.0)}}),
	}
}

func after() *events.Customer {
	c := before()
	c.Cards = events.Some([]events.Card{card("card-1", "29", "BLOCKED"), card("card-3", "31", "NEW")})
	c.Bonuses = events.Some([]events.Bonus{{ProgramID: events.Some("1"), Amount: events.Some(70.5)}, {ProgramID: events.Some("2"), Amount: events.Some(5.0)}})
	return c
}

// A delivery that breaks off at any of its calls, in any way, is named for that
// call, and ends where it would have when it is sent again.
func TestHalfWay(t *testing.T) {
	calls := []struct {
		path, op string
		skip     int
	}{
		{"/api/customer/update", "update a customer", 0}, {"/api/customer", "list a customer's cards", 1},
		{"updateCard", "update a card", 0}, {"updateCard", "update a card", 1}, {"deleteCard", "delete a card", 0},
		{"updateBonus", "update a bonus", 0}, {"updateBonus", "update a bonus", 1},
	}
	faults := map[string]sandbox.Fault{
		"lost": {Kind: sandbox.Reset, Applied: true}, "reset": {Kind: sandbox.Reset}, "cut": {Kind: sandbox.Cut},
		"page": {Kind: sandbox.HTML, Applied: true}, "broken": {Kind: sandbox.Status, Status: 500, Applied: true},
		"throttled": {Kind: sandbox.Status, Status: 429}, "key taken away": {Kind: sandbox.Status, Status: 403},
	}
	for _, options := range []Options{{}, {Format: formatJSON, Cards: cardsInsert}} {
		for i, call := range calls {
			for name, fault := range faults {
				t.Run(options.Format+" "+call.path+" "+name, func(t *testing.T) {
					s, provider := standIn(t, options)
					send(t, s, before())
					fault.Path, fault.Skip, fault.Times = call.path, call.skip, 1
					if options.Cards == cardsInsert && i == 3 {
						fault.Path, fault.Skip, call.op = "insertCard", 0, "insert a card"
					}
					provider.Faults().Set(fault)
					row := rowOf(t, s, after())
					row.Held, row.ProviderID = true, "1"
					outcomes, err := s.Deliver(t.Context(), []sinks.Row{row})
					if err == nil || outcomes[0].Verdict != sinks.Unknown || !strings.HasPrefix(err.Error(), call.op+": ") {
						t.Fatalf("got %+v, %v, want no verdict and an error of %q", outcomes, err, call.op)
					}
					if retry.Of(err).Unsent && i > 0 {
						t.Errorf("%v claims to have had no effect, but the customer was updated", err)
					}
					if strings.Contains(err.Error(), "not-for-logs") || strings.Contains(err.Error(), "Anna") {
						t.Errorf("the error holds what it must not: %v", err)
					}
					row.Doubt, row.Attempt = true, 2
					if outcomes, err := s.Deliver(t.Context(), []sinks.Row{row}); err != nil || outcomes[0].Verdict != sinks.Delivered {
						t.Fatalf("again: got %+v, %v, want delivered", outcomes, err)
					}
					isAfter(t, provider)
				})
			}
		}
	}
}

func isAfter(t *testing.T, provider *sandbox.VirtualPOS) {
	t.Helper()
	got := map[string]string{}
	for _, c := range provider.Cards("c1") {
		got[c["external_id"]] = c["uid"] + " " + c["status"]
	}
	if want := map[string]string{"card-1": "29 BLOCKED", "card-3": "31 NEW"}; !maps.Equal(got, want) || len(provider.Cards("c1")) != 2 {
		t.Errorf("cards: got %v, want %v", got, want)
	}
	if got, want := provider.Bonuses("c1"), map[string]float64{"1": 70.5, "2": 5}; !maps.Equal(got, want) {
		t.Errorf("bonuses: got %v, want %v", got, want)
	}
}

// Deletion deletes the cards that custsync may delete and nothing else.
func TestDelete(t *testing.T) {
	s, provider := standIn(t, Options{})
	send(t, s, before())
	other := before()
	other.ID, other.Cards = "c2", events.Some([]events.Card{card("card-9", "39", "ACTIVE")})
	send(t, s, other)
	issueAtTill(t, s)
	row := sinks.Row{Shop: "acme", Customer: "c1", Delete: true, Held: true, ProviderID: "1", Attempt: 1}
	for range 2 { // it can be repeated
		outcomes, err := s.Deliver(t.Context(), []sinks.Row{row})
		if err != nil || outcomes[0].Verdict != sinks.Skipped || outcomes[0].Reason != "no_delete" {
			t.Fatalf("got %+v, %v, want skipped", outcomes, err)
		}
	}
	if left := provider.Cards("c1"); len(left) != 1 || left[0]["uid"] != "99" {
		t.Errorf("got %v, want the till's card alone", left)
	}
	if left := provider.Cards("c2"); len(left) != 1 {
		t.Errorf("got %v, want the other customer's card", left)
	}
	if _, err := s.Deliver(t.Context(), []sinks.Row{rowOf(t, s, before())}); err != nil {
		t.Fatal(err)
	}
	if left := provider.Cards("c1"); len(left) != 3 {
		t.Errorf("got %v, want the till's card and two", left)
	}
}

// issueAtTill gives c1 a card without an external id.
func issueAtTill(t *testing.T, s *Sink) {
	t.Helper()
	_, err := s.client.post(t.Context(), "issue", "/updateCard", url.Values{"uid": {"99"}, "create_if_not_exist": {"1"}}, url.Values{"customer_id": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
}

// The key is in the form wherever the document lets it be there, age is in none,
// and what is "get only" is in the query alone.
func TestParameters(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Query().Has("apikey") {
			t.Errorf("%s: the key is in the address", r.URL.Path)
		}
		query := r.URL.Query()
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.Form.Get("apikey") != "not-for-logs" || query.Get("format") != "xml" {
			t.Errorf("%s: got %v, want the key and the format", r.URL.Path, r.Form)
		}
		for name := range r.PostForm {
			if name == "age" || slices.Contains([]string{"id", "external_id", "uid", "card_id", "card_barcode", "create_if_not_exist", "format"}, name) {
				t.Errorf("%s: %s is in the form", r.URL.Path, name)
			}
		}
		_, _ = io.WriteString(w, "<root><success>1</success><id>1</id></root>")
	}))
	defer server.Close()
	s, err := New(Config{URL: server.URL + "/api/", APIKey: "not-for-logs"})
	if err != nil {
		t.Fatal(err)
	}
	row := rowOf(t, s, after())
	row.Body = append([]byte(`{"age":30,`), row.Body[1:]...)
	if outcomes, err := s.Deliver(t.Context(), []sinks.Row{row}); err != nil || outcomes[0].Verdict != sinks.Delivered {
		t.Errorf("got %+v, %v, want delivered", outcomes, err)
	}
}

func TestProbe(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		switches  sandbox.VirtualPOSSwitches
		fails     bool
	}{
		{"good", "not-for-logs", sandbox.VirtualPOSSwitches{}, false},
		{"wrong key", "another", sandbox.VirtualPOSSwitches{}, true},
		{"wrong key, with a status", "another", sandbox.VirtualPOSSwitches{StatusCodes: true}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(&sandbox.VirtualPOS{APIKey: "not-for-logs", Switches: tt.switches})
			defer server.Close()
			s, err := New(Config{URL: server.URL, APIKey: tt.key})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Probe(t.Context())
			if (err != nil) != tt.fails || err != nil && retry.Of(err).Class != retry.Blocked {
				t.Errorf("got %v, want failure %v", err, tt.fails)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{URL: "https://acme.myvirtualpos.ru", APIKey: "not-for-logs"}
	for name, change := range map[string]func(*Config){
		"no key":       func(c *Config) { c.APIKey = "" },
		"no address":   func(c *Config) { c.URL = "acme" },
		"key in it":    func(c *Config) { c.URL += "/api/customer?apikey=not-for-logs" },
		"format":       func(c *Config) { c.Options.Format = "yaml" },
		"cards":        func(c *Config) { c.Options.Cards = "delete" },
		"delete cards": func(c *Config) { c.Options.DeleteCards = "all" },
		"group":        func(c *Config) { c.Options.Groups = map[string]int{"VIP": 0} },
		"type":         func(c *Config) { c.Options.CardTypes = map[string]int{"gold": -1} },
		"blocked":      func(c *Config) { c.Options.Blocked = []string{" "} },
		"retryable":    func(c *Config) { c.Options.Retryable = []string{""} },
		"offset":       func(c *Config) { c.Options.UTCOffset = "Europe/Moscow" },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "not-for-logs") {
			t.Errorf("%s: the error holds the key: %v", name, err)
		}
	}
}

func TestLane(t *testing.T) {
	insert := Options{Cards: cardsInsert}
	for _, tt := range []struct {
		name    string
		options Options
		row     sinks.Row
		want    sinks.Lane
	}{
		{"changed", Options{}, sinks.Row{Doubt: true}, sinks.Lane{Calls: mostCalls}},
		{"changed, by insert", insert, sinks.Row{}, sinks.Lane{Name: "insert", Once: true}},
		{"deletion", insert, sinks.Row{Delete: true, Held: true}, sinks.Lane{Name: "delete", Calls: mostCalls}},
		{"deletion of nobody", Options{}, sinks.Row{Delete: true, Attempt: 1}, sinks.Lane{Name: "none", Local: true}},
		{"deletion that keeps cards", Options{DeleteCards: deleteNone}, sinks.Row{Delete: true, Held: true}, sinks.Lane{Name: "none", Local: true}},
		{"deletion without cards", Options{Cards: cardsNone}, sinks.Row{Delete: true, Held: true}, sinks.Lane{Name: "none", Local: true}},
		{"deletion in doubt", Options{}, sinks.Row{Delete: true, Doubt: true}, sinks.Lane{Name: "delete", Calls: mostCalls}},
	} {
		if got := (&Sink{options: tt.options.withDefaults()}).Lane(&tt.row); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What an expression of a destination may have made is judged too.
func TestCheckRefusesWhatMapMakes(t *testing.T) {
	for body, want := range map[string]string{
		`{"fname":"A"}`:                                    "external_id",
		`{"external_id":"c1","age":30}`:                    "age",
		`{"external_id":"c1","gender":"female"}`:           "gender",
		`{"external_id":"c1","send_sms":"yes"}`:            "send_sms",
		`{"external_id":"c1","group_id":"VIP"}`:            "group_id",
		`{"external_id":"c1","register_date":"yesterday"}`: "register_date",
		`{"external_id":"c1","address":{"city":"x"}}`:      "address.city",
		`{"external_id":"c1","fname":["x"]}`:               "fname",
		`{"external_id":"c1","cards":"card-1"}`:            "cards",
		`{"external_id":"c1","cards":["card-1"]}`:          "cards",
		`{"external_id":"c1","cards":[{"uid":29}]}`:        "",
		`{"external_id":"c1","bonuses":[{"bonus_id":1}]}`:  "bonuses.0.amount",
		`{"external_id":1,"send_sms":true,"cards":null}`:   "",

		`{"external_id":"c1","cards":[{"barcode":"1","number":"29","customer_id":7}]}`:             "cards.0.number cards.0.customer_id",
		`{"external_id":"c1","cards":[{"uid":"1","status":["NEW"],"type":{"id":1}}]}`:              "cards.0.status cards.0.type.id",
		`{"external_id":"c1","bonuses":[{"bonus_id":1,"amount":2,"overwrite":false}]}`:             "bonuses.0.overwrite",
		`{"external_id":"c1","cards":[{"uid":"1"},{"uid":"2"},{"external_id":"x","uid":1}]}`:       "cards.2.uid",
		`{"external_id":"c1","bonuses":[{"bonus_id":1,"amount":2},{"bonus_id":"1","amount":3}]}`:   "bonuses.1.bonus_id",
		`{"external_id":"c1","cards":[{"uid":"1","uid_ean13":"2","type_id":3,"block_date":null}]}`: "",
	} {
		rec, err := sinks.ReadRecord([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range (&Sink{}).Check(&rec) {
			got = append(got, e.Field)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: got faults with %q, want %q", body, got, want)
		}
	}
}

func standIn(t *testing.T, options Options) (*Sink, *sandbox.VirtualPOS) {
	t.Helper()
	provider := &sandbox.VirtualPOS{APIKey: "not-for-logs"}
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	s, err := New(Config{URL: server.URL, APIKey: "not-for-logs", Options: options})
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

func send(t *testing.T, s *Sink, c *events.Customer) {
	t.Helper()
	if outcomes, err := s.Deliver(t.Context(), []sinks.Row{rowOf(t, s, c)}); err != nil || outcomes[0].Verdict != sinks.Delivered {
		t.Fatalf("got %+v, %v, want delivered", outcomes, err)
	}
}
