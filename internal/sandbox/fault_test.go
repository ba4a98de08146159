package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

const oneCustomer = `{"customers":[{"surname":"A","identifier":"c1"}]}`

// TestFaults meets every kind over a connection and checks what the caller sees
// and whether the call took effect.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name    string
		fault   Fault
		status  int // 0: no answer
		body    string
		header  [2]string
		err     error
		created int
	}{
		{name: "delay", fault: Fault{Kind: Delay, Delay: time.Millisecond}, status: 200, body: `"http_status":201`, created: 1},
		{name: "slow", fault: Fault{Kind: Slow, Delay: time.Millisecond}, status: 200, body: `"http_status":201`, created: 1},
		{name: "outage", fault: Fault{Kind: Status}, status: 503, body: `"request_id"`},
		{name: "outage after applying", fault: Fault{Kind: Status, Status: 502, Applied: true, Body: "<html>"}, status: 502, body: "<html>", created: 1},
		{name: "credentials", fault: Fault{Kind: Status, Status: 401}, status: 401, body: `"errors"`},
		{name: "throttle in seconds", fault: Fault{Kind: Status, Status: 429, RetryAfter: 1500 * time.Millisecond}, status: 429, header: [2]string{"Retry-After", "2"}},
		{name: "throttle by rate", fault: Fault{Kind: Throttle, PerSecond: 1, RetryAfter: time.Second}, status: 200, created: 1},
		{name: "page", fault: Fault{Kind: HTML}, status: 200, body: "<!DOCTYPE html>", header: [2]string{"Content-Type", "text/html; charset=utf-8"}},
		{name: "redirect", fault: Fault{Kind: Redirect}, status: 302, header: [2]string{"Location", followed}},
		{name: "reset before", fault: Fault{Kind: Reset}, err: syscall.ECONNRESET},
		{name: "reset after", fault: Fault{Kind: Reset, Applied: true}, err: syscall.ECONNRESET, created: 1},
		{name: "cut", fault: Fault{Kind: Cut}, err: io.ErrUnexpectedEOF, created: 1},
		{name: "mistyped", fault: Fault{Kind: Mistyped}, status: 200, body: `"http_status":201`, header: [2]string{"Content-Type", "text/plain"}, created: 1},
		{name: "row lost", fault: Fault{Kind: RowLost}, status: 200, body: `{}`, created: 1},
		{name: "row lost by key", fault: Fault{Kind: RowLost, Key: "c1"}, status: 200, body: `{}`, created: 1},
		{name: "row lost of another key", fault: Fault{Kind: RowLost, Key: "c2"}, status: 200, body: `"0"`, created: 1},
		{name: "row error", fault: Fault{Kind: RowError, Status: 500}, status: 200, body: `{"0":{"http_status":500,`},
		{name: "short log", fault: Fault{Kind: ShortLog}, status: 200, body: `{}`, created: 1},
		{name: "another path", fault: Fault{Kind: Status, Path: "/other"}, status: 200, created: 1},
		{name: "another method", fault: Fault{Kind: Status, Method: "PUT"}, status: 200, created: 1},
		{name: "over", fault: Fault{Kind: Status, For: time.Nanosecond}, status: 200, created: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &Thulium{}
			p.Faults().Add(test.fault)
			resp, body, err := serve(t, p).try("POST", "/api/batch/customers", oneCustomer)
			switch {
			case test.status == 0 && !errors.Is(err, test.err) && !errors.Is(err, syscall.ECONNRESET):
				t.Errorf("error: got %v, want %v", err, test.err)
			case test.status != 0 && err != nil:
				t.Errorf("error: got %v, want none", err)
			case test.status != 0 && (resp.StatusCode != test.status || !strings.Contains(body, test.body)):
				t.Errorf("answer: got %d %q, want %d with %q", resp.StatusCode, body, test.status, test.body)
			case test.header[0] != "" && resp.Header.Get(test.header[0]) != test.header[1]:
				t.Errorf("%s: got %q, want %q", test.header[0], resp.Header.Get(test.header[0]), test.header[1])
			}
			if got := p.Book().Counters().Created; got != test.created {
				t.Errorf("created: got %d, want %d", got, test.created)
			}
		})
	}
}

func TestFaultReordersResults(t *testing.T) {
	p := &Thulium{}
	p.Faults().Add(Fault{Kind: Reorder})
	serve(t, p).want("POST", "/api/batch/customers", `{"customers":[{"surname":"A"},{"surname":"B"},{"surname":"C"}]}`, 200,
		`{"2":{"http_status":201,"customer_id":"3"},"1":{"http_status":201,"customer_id":"2"},"0":{"http_status":201,"customer_id":"1"}}`)
}

func TestFaultNamesADate(t *testing.T) {
	p := &Thulium{}
	p.Faults().Add(Fault{Kind: Status, Status: 429, RetryAfter: time.Minute, RetryDate: true})
	resp, _, err := serve(t, p).try("GET", "/api/customers", "")
	if err != nil {
		t.Fatal(err)
	}
	at, err := http.ParseTime(resp.Header.Get("Retry-After"))
	if wait := time.Until(at); err != nil || wait < 55*time.Second || wait > 65*time.Second {
		t.Errorf("Retry-After: got %q, want a date in a minute", resp.Header.Get("Retry-After"))
	}
}

// TestPlan checks which of several faults a call meets.
func TestPlan(t *testing.T) {
	p := &Thulium{}
	c := serve(t, p)
	statuses := func(n int) (got []int) {
		for range n {
			status, _ := c.call("GET", "/api/customers", "")
			got = append(got, status)
		}
		return got
	}
	p.Faults().Set(Fault{Kind: Status, Status: 500, Skip: 1, Times: 2}, Fault{Kind: Status, Status: 429, Times: 1})
	if got, want := statuses(5), []int{429, 500, 500, 200, 200}; !reflect.DeepEqual(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	if got := p.Faults().Left(); got != 0 {
		t.Errorf("faults left: got %d, want 0", got)
	}
	p.Faults().Set(Fault{Kind: Status, Share: 0.5})
	failed := 0
	for _, s := range statuses(100) {
		if s == 503 {
			failed++
		}
	}
	if failed < 30 || failed > 70 {
		t.Errorf("half of 100 calls: got %d", failed)
	}
	p.Faults().Set(Fault{Kind: Throttle, PerSecond: 2, Times: 3})
	if got, want := statuses(6), []int{200, 200, 429, 429, 429, 200}; !reflect.DeepEqual(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	p.Faults().Clear()
	if got := statuses(1); got[0] != 200 {
		t.Errorf("after clear: got %v", got)
	}
	if got := p.Book().Counters(); got.Faults[Throttle] != 3 || got.Calls != 112 {
		t.Errorf("counters: got %d throttled of %d calls, want 3 of 112", got.Faults[Throttle], got.Calls)
	}
}

func TestFaultScript(t *testing.T) {
	fault := Fault{Kind: Slow, Path: "/batch", Times: 3, Delay: 1500 * time.Millisecond, RetryAfter: time.Second, For: time.Hour, Share: 0.1}
	data, err := json.Marshal(fault)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"delay":"1.5s"`; !strings.Contains(string(data), want) {
		t.Errorf("script: got %s, want %s in it", data, want)
	}
	var got Fault
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, fault) {
		t.Errorf("read again: got %v, %v, want %v", got, err, fault)
	}
	for _, bad := range []string{`{"kind":"rest"}`, `{"kind":"slow","delay":"1"}`, `{"kind":7}`} {
		if json.Unmarshal([]byte(bad), &got) == nil {
			t.Errorf("%s: got no error", bad)
		}
	}
}

func TestWindow(t *testing.T) {
	var w window
	start := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for i, test := range []struct {
		after time.Duration
		most  int
		in    bool
		len   int
	}{{0, 2, true, 1}, {10, 2, true, 2}, {20, 2, false, 2}, {1000, 2, true, 2}, {1005, 2, false, 2}, {1005, 0, true, 3}, {9000, 1, true, 1}} {
		in := w.add(start.Add(test.after*time.Millisecond), test.most)
		if in != test.in || w.len() != test.len {
			t.Errorf("call %d: got %v and %d in the window, want %v and %d", i, in, w.len(), test.in, test.len)
		}
	}
	for i := range 10_000 {
		w.add(start.Add(time.Hour+time.Duration(i)*100*time.Millisecond), 0)
	}
	if w.len() != 10 || cap(w.times) > 1000 {
		t.Errorf("after 10,000 calls: got %d in the window and room for %d, want 10 and little", w.len(), cap(w.times))
	}
}
