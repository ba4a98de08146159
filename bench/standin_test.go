package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// request is a batch as the sink writes it; rows are "customer version stamp".
func request(rows ...string) string {
	var b strings.Builder
	for i, r := range rows {
		var customer, version, stamp int
		if _, err := fmt.Sscan(r, &customer, &version, &stamp); err != nil {
			panic(err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"identifier":"c%08d","surname":"x","note":"%d %d nn"}`, customer, version, stamp)
	}
	return `{"customers":[` + b.String() + `]}`
}

func TestStandInSaysYes(t *testing.T) {
	s := newStandIn(manner{})
	answer := s.batch(true, readRows([]byte(request("7 1 0", "130 1 0"))), time.Now())
	want := `{"0":{"http_status":201,"customer_id":"8"},"1":{"http_status":201,"customer_id":"131"}}`
	if string(answer) != want {
		t.Errorf("got %s, want %s", answer, want)
	}
	if got := string(s.find("c00000130")); got != `[{"customer_id":131,"identifier":"c00000130"}]` {
		t.Errorf("got %s, want the customer", got)
	}
	if got := string(s.find("c00000131")); got != `[]` {
		t.Errorf("got %s, want nobody", got)
	}
}

// What the product must not do is seen.
func TestStandInSeesWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		calls []string // create or update, then its rows
		sees  func(standInState) int
	}{
		"nothing":           {[]string{"create 1 1 0", "update 1 2 0"}, func(s standInState) int { return 1 + s.Back + s.Twice + s.Strange }},
		"an older version":  {[]string{"create 1 2 0", "update 1 1 0"}, func(s standInState) int { return s.Back }},
		"created twice":     {[]string{"create 1 1 0", "create 1 1 0"}, func(s standInState) int { return s.Twice }},
		"sent once more":    {[]string{"create 1 1 0", "update 1 1 0"}, func(s standInState) int { return s.Rows - s.Raised }},
		"without a version": {[]string{"create 1 0 0"}, func(s standInState) int { return s.Strange }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(manner{})
			for _, c := range tc.calls {
				verb, rows, _ := strings.Cut(c, " ")
				s.batch(verb == "create", readRows([]byte(request(rows))), time.Now())
			}
			if got := tc.sees(s.state()); got != 1 {
				t.Errorf("got %d, want 1: %+v", got, s.state())
			}
		})
	}
}

func TestOwed(t *testing.T) {
	right := standInState{Customers: 3, Versions: 5}
	if err := owed(right, 3, 5); err != nil {
		t.Errorf("got %v, want that it is right", err)
	}
	for name, seen := range map[string]standInState{
		"a customer is missing":   {Customers: 2, Versions: 5},
		"an older version":        {Customers: 3, Versions: 4},
		"older than before":       {Customers: 3, Versions: 5, Back: 1},
		"created twice":           {Customers: 3, Versions: 5, Twice: 1},
		"something else was sent": {Customers: 3, Versions: 5, Strange: 1},
	} {
		if err := owed(seen, 3, 5); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestStandInRefusesItsShare(t *testing.T) {
	s := newStandIn(manner{Refuse: 0.25})
	rows := make([]row, 10_000)
	for i := range rows {
		rows[i] = row{customer: i, version: 1}
	}
	answer := string(s.batch(true, rows, time.Now()))
	got := s.state()
	if got.Refused < 2300 || got.Refused > 2700 {
		t.Errorf("got %d of 10000 refused, want about 2500", got.Refused)
	}
	if got.Customers != 10_000-got.Refused || strings.Count(answer, `"http_status":503`) != got.Refused {
		t.Errorf("got %d customers of %d not refused, and %d answers of 503", got.Customers, 10_000-got.Refused, strings.Count(answer, `"http_status":503`))
	}
}

func TestStandInKeepsTimes(t *testing.T) {
	s := newStandIn(manner{Times: true})
	at := time.Unix(1_800_000_000, 0)
	due := at.Add(-30 * time.Millisecond).UnixNano()
	s.batch(true, []row{{1, 1, due}, {2, 1, 0}}, at)
	s.batch(false, []row{{1, 1, due}}, at.Add(time.Second)) // once more: it had arrived
	got := s.state()
	if want := []int64{30_000}; !slices.Equal(got.Waits, want) {
		t.Errorf("got waits of %v µs, want %v", got.Waits, want)
	}
	if want := []call{{at.UnixNano(), 2}, {at.Add(time.Second).UnixNano(), 1}}; !slices.Equal(got.Came, want) {
		t.Errorf("got calls %v, want %v", got.Came, want)
	}
}

func TestStandInAnswers(t *testing.T) {
	for _, tc := range []struct {
		manner
		method, url string
		status      int
		strange     int
	}{
		{manner{}, "POST", "/api/batch/customers", 200, 0},
		{manner{}, "GET", "/api/customers?identifier=c00000001", 200, 0},
		{manner{}, "DELETE", "/api/customers/1", 404, 1},
		{manner{Down: true}, "POST", "/api/batch/customers", 503, 0},
		{manner{Delay: time.Millisecond}, "PUT", "/api/batch/customers", 200, 0},
	} {
		s := newStandIn(tc.manner)
		w := httptest.NewRecorder()
		begun := time.Now()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tc.method, tc.url, http.NoBody))
		if w.Code != tc.status || s.state().Strange != tc.strange || time.Since(begun) < tc.Delay {
			t.Errorf("%s %s: got %d after %v, %+v, want %d", tc.method, tc.url, w.Code, time.Since(begun), s.state(), tc.status)
		}
	}
}
