package demo

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/custsync/custsync/internal/sample"
	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/pipeline"
)

// What is published has to hold all that the demo promises to show, for few
// customers too.
func TestSteps(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 300} {
		s := newShop(nil, n)
		firsts, kinds := 0, map[change]int{}
		seen := map[*customer]int{}
		for _, st := range s.steps {
			kinds[st.change]++
			if st.change == first {
				firsts++
			} else if st.change != bare && seen[st.of] == 0 {
				t.Errorf("%d customers: %s changes before it is there", n, st.of.state.ID)
			}
			// More than the stream keeps of a customer would be lost to the counts.
			if seen[st.of]++; seen[st.of] > 4 {
				t.Errorf("%d customers: %s has %d events", n, st.of.state.ID, seen[st.of])
			}
		}
		if firsts != n {
			t.Errorf("%d customers: %d come up", n, firsts)
		}
		for _, kind := range []change{next, late, twice, remove, bare} {
			if n == 300 && kinds[kind] == 0 {
				t.Errorf("nothing of kind %d happens", kind)
			}
		}
	}
}

// The balance is what finds a worker out that loses something, so it has to
// notice each way to be wrong.
func TestWeigh(t *testing.T) {
	_, state := sample.Customer(seed, 0)
	const one, two = `{"surname":"A","identifier":%q,"custom_fields":{"version":1}}`, `{"surname":"A","identifier":%q,"custom_fields":{"version":2}}`
	for _, tc := range []struct {
		name     string
		rows     []string
		customer customer
		shops    []string
		dead     bool
		want     string
	}{
		{"newest", []string{two}, customer{newest: 2}, nil, false, "newest"},
		{"older", []string{one}, customer{newest: 2}, nil, false, "off"},
		{"missing", nil, customer{newest: 2}, nil, false, "off"},
		{"doubled", []string{two, two}, customer{newest: 2}, nil, false, "off"},
		{"missing with a letter", nil, customer{newest: 2}, nil, true, "dead"},
		{"deleted", nil, customer{newest: 2, deleted: true}, nil, false, "gone"},
		{"deleted and still there", []string{one}, customer{newest: 2, deleted: true}, nil, false, "off"},
		{"filtered", nil, customer{newest: 2, shop: "acme"}, []string{"polka"}, false, "filtered"},
		{"filtered and there", []string{two}, customer{newest: 2, shop: "acme"}, []string{"polka"}, false, "off"},
		{"no event and no letter", nil, customer{}, nil, false, "off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &provider{name: "thulium", standIn: &sandbox.Thulium{}, key: byID, shops: tc.shops}
			for _, row := range tc.rows {
				create(t, p.standIn, fmt.Sprintf(row, state.ID))
			}
			tc.customer.state = state
			var b balance
			b.weigh(p, &tc.customer, tc.dead)
			got := map[bool]string{true: "off"}[len(b.off) == 1]
			for word, n := range map[string]int{"newest": b.newest, "gone": b.gone, "kept": b.kept, "filtered": b.filtered, "dead": b.dead} {
				if n == 1 {
					got += word
				}
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBalanceSound(t *testing.T) {
	for _, tc := range []struct {
		b    balance
		want bool
	}{
		{balance{newest: 3, dead: 1}, true},
		{balance{off: []string{"acme 1"}}, false},
		{balance{duplicates: 1}, false},
		{balance{backSteps: 1}, false},
	} {
		if got := tc.b.sound(); got != tc.want {
			t.Errorf("%+v: got %v, want %v", tc.b, got, tc.want)
		}
	}
}

// A line never breaks, whatever it has to hold and however narrow the terminal.
func TestLineFits(t *testing.T) {
	now := time.Now()
	views := []view{
		{name: "ecomcharge"},
		{name: "thulium", published: 1_234_567, settled: 1_234_567, delivered: 1_234_567, waiting: 0, dead: 999, rowsPerCall: 99.9, rowsPerSecond: 12345,
			gate: pipeline.Gate{State: pipeline.Throttled, Reason: strings.Repeat("long words ", 20), Until: now.Add(99 * time.Second)}},
	}
	for _, width := range []int{0, 1, 20, 58, 59, 60, 79, 139, 300} {
		lines := []string{heading(width)}
		for i := range views {
			lines = append(lines, views[i].line(width, false, now))
		}
		for _, line := range lines {
			if got := utf8.RuneCountInString(line); got > width {
				t.Errorf("%d columns: got %d: %q", width, got, line)
			}
		}
	}
}

func TestState(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		gate pipeline.Gate
		want string
	}{
		{pipeline.Gate{}, "starting"},
		{pipeline.Gate{State: pipeline.Running}, "running"},
		{pipeline.Gate{State: pipeline.Outage, Reason: "http_503", Until: now.Add(1500 * time.Millisecond)}, "outage 1.5s: http_503"},
		{pipeline.Gate{State: pipeline.Outage, Reason: "http_503", Until: now.Add(-time.Second)}, "outage: http_503"},
	} {
		if got := (&view{gate: tc.gate}).state(now); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// Without colors no escape is written.
func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	l := &lines{out: &out, begun: time.Now()}
	l.say("thulium answers 503")
	l.show([]view{{name: "thulium"}})
	l.close()
	if got := out.String(); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 2 {
		t.Errorf("got %q, want two plain lines", got)
	}
}

func TestListenTwice(t *testing.T) {
	a, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Close()); err != nil {
		t.Error(err)
	}
}
