package sinktest

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// sent says whether an error may claim that the call had no effect.
type sent uint8

const (
	either   sent = iota
	maybe         // it may have had one: the rows are in doubt
	certain       // it certainly had none
	harmless      // there is no error at all
)

// strike is one way in which a whole call fails, and what a sink has to make of it.
type strike struct {
	name   string
	faults []sandbox.Fault // only calls that write are struck
	after  []sandbox.Fault // from the second attempt on: look-ups and logins are struck too
	class  retry.Class
	sent   sent
	wait   [2]time.Duration // of After: least and most
	late   bool             // the call may still take effect after the error
	path   bool             // the fault stands for a wrong address, so a 404 of a customer is none
}

func strikes() []strike {
	one := func(f sandbox.Fault) []sandbox.Fault { f.Times = 1; return []sandbox.Fault{f} }
	// A session may be renewed once, so what blocks has to strike twice to be seen.
	two := func(status int) []sandbox.Fault {
		return []sandbox.Fault{{Kind: sandbox.Status, Status: status, Times: 2}}
	}
	return []strike{
		{name: "delay", faults: one(sandbox.Fault{Kind: sandbox.Delay, Delay: 20 * time.Millisecond}), sent: harmless},
		{name: "slow answer", faults: one(sandbox.Fault{Kind: sandbox.Slow, Delay: 20 * time.Millisecond}), sent: harmless},
		{name: "reset before applying", faults: one(sandbox.Fault{Kind: sandbox.Reset}), sent: maybe, late: true},
		{name: "reset after applying", faults: one(sandbox.Fault{Kind: sandbox.Reset, Applied: true}), sent: maybe, late: true},
		{name: "cut answer", faults: one(sandbox.Fault{Kind: sandbox.Cut}), sent: maybe},
		{name: "page with status 200", faults: one(sandbox.Fault{Kind: sandbox.HTML}), sent: maybe},
		{name: "page with status 200, applied", faults: one(sandbox.Fault{Kind: sandbox.HTML, Applied: true}), sent: maybe},
		{name: "redirect", faults: one(sandbox.Fault{Kind: sandbox.Redirect}), class: retry.Blocked},
		{name: "401", faults: two(401), class: retry.Blocked, sent: certain},
		{name: "403", faults: two(403), class: retry.Blocked, sent: certain},
		{name: "404", faults: two(404), class: retry.Blocked, path: true},
		{name: "410", faults: two(410), class: retry.Blocked, path: true},
		{name: "429 with seconds", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 429, RetryAfter: 2 * time.Second}), class: retry.After, sent: certain, wait: [2]time.Duration{time.Second, 4 * time.Second}},
		{name: "429 with a date", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 429, RetryAfter: 5 * time.Second, RetryDate: true}), class: retry.After, sent: certain, wait: [2]time.Duration{3 * time.Second, 8 * time.Second}},
		{name: "429 without a time", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 429}), class: retry.After, sent: certain, wait: [2]time.Duration{0, time.Hour}},
		{name: "503 with seconds", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 503, RetryAfter: time.Second}), class: retry.After, wait: [2]time.Duration{time.Second, 3 * time.Second}},
		{name: "503", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 503})},
		{name: "503, a burst", faults: []sandbox.Fault{{Kind: sandbox.Status, Status: 503, Times: 6}}},
		{name: "500", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 500}), sent: maybe},
		{name: "500, applied", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 500, Applied: true}), sent: maybe},
		{name: "502 page, applied", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 502, Applied: true, Body: "<html>bad gateway</html>"}), sent: maybe, late: true},
		{name: "504, applied", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 504, Applied: true}), sent: maybe, late: true},
		{name: "400", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 400}), class: retry.Permanent},
		{name: "413", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 413}), class: retry.Permanent},
		{name: "422", faults: one(sandbox.Fault{Kind: sandbox.Status, Status: 422}), class: retry.Permanent},
		{name: "lost twice", faults: []sandbox.Fault{{Kind: sandbox.Reset, Applied: true, Times: 1}, {Kind: sandbox.Cut, Times: 1}}, sent: maybe},
		{name: "lost, then an outage", faults: one(sandbox.Fault{Kind: sandbox.Reset, Applied: true}), after: []sandbox.Fault{{Kind: sandbox.Status, Times: 3}}, sent: maybe},
		{name: "lost, then everything", faults: one(sandbox.Fault{Kind: sandbox.Reset, Applied: true}), sent: maybe, after: slices.Concat(
			one(sandbox.Fault{Kind: sandbox.HTML}), one(sandbox.Fault{Kind: sandbox.Cut}), one(sandbox.Fault{Kind: sandbox.Reset}),
			one(sandbox.Fault{Kind: sandbox.Status, Status: 500}), one(sandbox.Fault{Kind: sandbox.Status, Status: 429}), two(403))},
	}
}

// faults: every strike, met by customers who are created and by those who are
// updated. What the first attempt says is checked; then the rows are driven to
// their end, and each customer is there once.
func (c Case) faults(t *testing.T) {
	for _, s := range strikes() {
		if s.path && c.IDInPath {
			continue
		}
		for _, updates := range []bool{false, true} {
			if updates && c.CreateOnly {
				continue
			}
			name := s.name + ", creating"
			if updates {
				name = s.name + ", updating"
			}
			t.Run(name, func(t *testing.T) {
				b := c.open(t)
				rides := b.rides(b.customers(5)...)
				if updates {
					b.drive(t.Context(), rides)
					rides = b.later(rides, 2)
				}
				b.meet(t, &s, rides)
			})
		}
	}
}

func (b *bench) meet(t *testing.T, s *strike, rides []*ride) {
	for _, f := range s.faults {
		f.Path = b.Writes
		b.provider.Faults().Add(f)
	}
	first := b.cut(rides)[0]
	a := b.deliver1(t.Context(), first)
	b.claims(t, s, &a)
	b.provider.Faults().Add(s.after...)
	rest := b.judgeAll(&a, rides)
	if mark := a.says(); mark != nil && mark.Class == retry.Permanent && len(first) == 1 {
		// One row that is refused as a whole is rejected: nothing more to do.
		if first[0].end.Verdict == sinks.Unknown {
			first[0].end, first[0].done = sinks.Outcome{Verdict: sinks.Rejected}, true
		}
		rides, rest = rides[1:], without(rest, first[0])
	}
	b.drive(t.Context(), rest)
	b.onceEach(rides)
	// Where nothing can be looked up, each row meets one fault at most.
	if left := b.provider.Faults().Left(); left != 0 && !b.NoLookUp {
		t.Errorf("%d faults were never met", left)
	}
}

func without(rides []*ride, one *ride) (rest []*ride) {
	for _, r := range rides {
		if r != one {
			rest = append(rest, r)
		}
	}
	return rest
}

// claims checks what an attempt says of the strike that it met.
func (b *bench) claims(t *testing.T, s *strike, a *attempt) {
	t.Helper()
	mark := a.says()
	if s.sent == harmless {
		if mark != nil {
			t.Errorf("error: got %v, want none", a.err)
		}
		return
	}
	if mark == nil {
		t.Fatal("error: got none")
	}
	if mark.Class != s.class {
		t.Errorf("class: got %v (%v), want %v", mark.Class, a.err, s.class)
	}
	switch {
	case s.sent == maybe && mark.Unsent:
		t.Errorf("%v claims to be unsent, but may have been applied", a.err)
	case s.sent == certain && !mark.Unsent:
		t.Errorf("%v is not marked unsent, so that its rows are in doubt without need", a.err)
	}
	if s.late && mark.Over {
		t.Errorf("%v claims to be over, but may still take effect", a.err)
	}
	named := !b.MuteThrottle || s.faults[0].Status != http.StatusTooManyRequests
	if s.class == retry.After && named && (mark.Wait < s.wait[0] || mark.Wait > s.wait[1]) {
		t.Errorf("wait: got %v, want %v to %v", mark.Wait, s.wait[0], s.wait[1])
	}
	if mark.Code == "" || mark.Code == "unknown" {
		t.Errorf("code: got %q, want a word for status and metrics", mark.Code)
	}
	for i, o := range a.outcomes {
		single := o.Verdict == sinks.Rejected && s.class == retry.Permanent && len(a.rides) == 1
		if o.Verdict != sinks.Unknown && !single {
			t.Errorf("row %d: got %v, want no verdict", i, o.Verdict)
		}
	}
}

// login: what fails while a session is opened has touched no row; a session that
// ends early is opened again, once.
func (c Case) login(t *testing.T) {
	if c.Login == "" {
		return
	}
	for _, test := range []struct {
		name  string
		fault sandbox.Fault
		class retry.Class
	}{
		{"reset", sandbox.Fault{Kind: sandbox.Reset, Times: 1}, retry.Transient},
		{"outage", sandbox.Fault{Kind: sandbox.Status, Status: 503, Times: 1}, retry.Transient},
		{"page", sandbox.Fault{Kind: sandbox.HTML, Times: 1}, retry.Transient},
		{"throttle", sandbox.Fault{Kind: sandbox.Status, Status: 429, RetryAfter: time.Second, Times: 1}, retry.After},
		{"refused", sandbox.Fault{Kind: sandbox.Status, Status: 401, Times: 1}, retry.Blocked},
		{"not found", sandbox.Fault{Kind: sandbox.Status, Status: 404, Times: 1}, retry.Blocked},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := c.open(t)
			rides := b.rides(b.customers(2)...)
			test.fault.Path = c.Login
			b.provider.Faults().Add(test.fault)
			a := b.deliver1(t.Context(), rides)
			if mark := a.says(); mark == nil || mark.Class != test.class || !mark.Unsent {
				t.Errorf("error: got %v (%+v), want %v and unsent", a.err, mark, test.class)
			}
			b.drive(t.Context(), b.judgeAll(&a, rides))
			b.onceEach(rides)
		})
	}
	t.Run("ends early", func(t *testing.T) {
		b := c.open(t)
		rides := b.rides(b.customers(2)...)
		b.drive(t.Context(), rides)
		ender, ok := b.provider.(interface{ EndSessions() })
		if !ok {
			t.Fatal("the stand-in has a login but can't end sessions")
		}
		ender.EndSessions()
		newer := b.later(rides, 2)
		a := b.deliver1(t.Context(), newer)
		if a.err != nil {
			t.Errorf("error: got %v, want the session renewed", a.err)
		}
		b.judge(&a)
		b.onceEach(newer)
		if got := b.provider.Book().Counters().Requests["POST auth"]; got != 2 {
			t.Errorf("logins: got %d, want 2", got)
		}
	})
}
