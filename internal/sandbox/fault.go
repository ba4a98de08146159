package sandbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kind is a way to fail.
type Kind string

const (
	Delay    Kind = "delay"     // the call is taken up only after Delay
	Slow     Kind = "slow"      // the call is applied at once, its answer starts only after Delay
	Status   Kind = "status"    // an answer with Status: an outage, a throttle, a refusal of the whole call
	HTML     Kind = "html"      // a page with status 200, as bot filters and closed shops send
	Redirect Kind = "redirect"  // a redirect to Location
	Reset    Kind = "reset"     // the connection is reset without an answer
	Cut      Kind = "cut"       // applied; the answer ends in its middle
	Mistyped Kind = "mistyped"  // applied; the right answer, called text/plain
	RowLost  Kind = "row_lost"  // applied; a row's result is left out of the answer
	RowError Kind = "row_error" // a row is refused with Status and not applied
	ShortLog Kind = "short_log" // applied; the answer ends one row early
	Reorder  Kind = "reorder"   // applied; the rows' results come in another order where the format has keys
	Throttle Kind = "throttle"  // calls beyond PerSecond are refused with 429
)

// kinds are those that a script may name.
var kinds = [...]Kind{Delay, Slow, Status, HTML, Redirect, Reset, Cut, Mistyped, RowLost, RowError, ShortLog, Reorder, Throttle}

// Fault is one entry of a plan: which calls fail and how. Only Kind is
// required; every other zero value sets no condition.
type Fault struct {
	Kind Kind `json:"kind"`

	Method string        `json:"method,omitempty"` // only calls with this method
	Path   string        `json:"path,omitempty"`   // only calls whose path contains this
	Skip   int           `json:"skip,omitempty"`   // so many of them pass first
	Times  int           `json:"times,omitempty"`  // so many fail; 0: all, until the plan is changed
	Share  float64       `json:"share,omitempty"`  // this share of them fails, by chance; 0: all
	For    time.Duration `json:"-"`                // "for": ends so long after it was set; 0: never

	Delay   time.Duration `json:"-"`                 // "delay": waited before anything else; for Slow, before the answer
	Late    bool          `json:"late,omitempty"`    // a call whose caller has gone is applied after Delay all the same
	Applied bool          `json:"applied,omitempty"` // for Status, HTML, Redirect, Reset: the call takes effect first

	Status     int           `json:"status,omitempty"`     // for Status and RowError; 503
	RetryAfter time.Duration `json:"-"`                    // "retry_after": for Status and Throttle; 0: no header
	RetryDate  bool          `json:"retry_date,omitempty"` // the time to retry is given as a date
	Body       string        `json:"body,omitempty"`       // for Status and HTML; empty: the provider's own
	Location   string        `json:"location,omitempty"`   // for Redirect; empty: a path that counts who follows
	PerSecond  int           `json:"per_second,omitempty"` // for Throttle; 1
	Row        int           `json:"row,omitempty"`        // for RowLost and RowError: its place; taken modulo the rows
	Key        string        `json:"key,omitempty"`        // for RowLost and RowError: its external key, instead of Row
}

// script is a Fault as JSON has it: times are texts such as "1.5s".
type script struct {
	plain
	For        string `json:"for,omitempty"`
	Delay      string `json:"delay,omitempty"`
	RetryAfter string `json:"retry_after,omitempty"`
}

type plain Fault

// MarshalJSON writes the fault with times as texts.
func (f Fault) MarshalJSON() ([]byte, error) {
	text := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	return json.Marshal(script{plain: plain(f), For: text(f.For), Delay: text(f.Delay), RetryAfter: text(f.RetryAfter)})
}

// UnmarshalJSON reads what MarshalJSON writes and refuses an unknown kind, so
// that a misspelt script does not pass as a test without faults.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var s script
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read fault: %w", err)
	}
	*f = Fault(s.plain)
	for _, t := range []struct {
		text string
		to   *time.Duration
	}{{s.For, &f.For}, {s.Delay, &f.Delay}, {s.RetryAfter, &f.RetryAfter}} {
		if t.text == "" {
			continue
		}
		d, err := time.ParseDuration(t.text)
		if err != nil {
			return fmt.Errorf("read fault: %w", err)
		}
		*t.to = d
	}
	for _, k := range kinds {
		if f.Kind == k {
			return nil
		}
	}
	return fmt.Errorf("read fault: no kind %q; there are %q", f.Kind, kinds)
}
