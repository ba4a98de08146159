package sinktest

import (
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/sinks"
)

// deliver: new customers arrive, in as few attempts as the bounds allow.
func (c Case) deliver(t *testing.T) {
	b := c.open(t)
	rides := b.rides(b.customers(7)...)
	want := len(b.cut(rides))
	tried := b.drive(t.Context(), rides)
	if len(tried) != want {
		t.Errorf("attempts: got %d, want %d", len(tried), want)
	}
	b.onceEach(rides)
	if got := b.provider.Book().Counters().Created; got != 7 {
		t.Errorf("created: got %d, want 7", got)
	}
}

// update: later versions replace earlier ones, with what the ledger knows and
// without.
func (c Case) update(t *testing.T) {
	b := c.open(t)
	rides := b.rides(b.customers(5)...)
	b.drive(t.Context(), rides)
	for v := int64(2); v <= 4; v++ {
		newer := b.later(rides, v)
		for _, r := range newer {
			if v == 4 {
				r.row.ProviderID = "" // the ledger knows that it is there, but not its id
			}
		}
		b.drive(t.Context(), newer)
		if c.CreateOnly {
			for _, r := range newer {
				if r.end.Verdict != sinks.Skipped {
					t.Errorf("version %d: got %v, want skipped", v, r.end.Verdict)
				}
			}
			continue
		}
		b.onceEach(newer)
		rides = newer
	}
	if got := b.provider.Book().Counters().Created; got != 5 {
		t.Errorf("created: got %d, want 5", got)
	}
}

// repeat: the worker died before it could write down that rows were delivered,
// so they come again, in doubt, and the provider has them once.
func (c Case) repeat(t *testing.T) {
	b := c.open(t)
	list := b.customers(3)
	b.drive(t.Context(), b.rides(list...))
	again := b.rides(list...)
	for _, r := range again {
		r.row.Doubt, r.row.Attempt = true, 2
	}
	b.drive(t.Context(), again)
	b.onceEach(again)
	newer := b.rides(next(list[0], 2))
	newer[0].row.Doubt, newer[0].row.Attempt = true, 2
	b.drive(t.Context(), newer)
	b.onceEach(newer)
}

// remove: deletions are done once and can be repeated, or are skipped for a
// reason.
func (c Case) remove(t *testing.T) {
	b := c.open(t)
	rides := b.rides(b.customers(3)...)
	b.drive(t.Context(), rides)
	for _, story := range []struct {
		name  string
		id    bool
		doubt bool
		fault *sandbox.Fault
	}{
		{name: "by id", id: true},
		{name: "again, in doubt", id: true, doubt: true},
		{name: "without id", fault: &sandbox.Fault{Kind: sandbox.Reset, Applied: true, Method: "DELETE", Times: 1}},
	} {
		var gone []*ride
		for i, r := range rides {
			if story.id == (i == 2) { // the last one is for the story without an id
				continue
			}
			row := sinks.Row{Shop: r.row.Shop, Customer: r.row.Customer, Version: 9, Delete: true, Held: true, Attempt: 1, Doubt: story.doubt}
			if story.id {
				row.ProviderID = r.row.ProviderID
			}
			gone = append(gone, &ride{ev: r.ev, row: row})
		}
		if story.fault != nil {
			b.provider.Faults().Set(*story.fault)
		}
		b.drive(t.Context(), gone)
		for _, r := range gone {
			if v := r.end.Verdict; v != sinks.Delivered && v != sinks.Unchanged && v != sinks.Skipped {
				t.Errorf("%s: got %v, want delivered, unchanged or skipped", story.name, v)
			}
		}
	}
	never := &ride{ev: event(9999), row: sinks.Row{Shop: "acme", Customer: "never-there", Version: 1, Delete: true, Attempt: 1}}
	b.drive(t.Context(), []*ride{never})
	if v := never.end.Verdict; v != sinks.Delivered && v != sinks.Unchanged && v != sinks.Skipped {
		t.Errorf("never there: got %v, want delivered, unchanged or skipped", v)
	}
}

// badRow: a row that the provider refuses, for good or for now, costs its
// neighbours nothing.
func (c Case) badRow(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		times  int
		want   sinks.Verdict
	}{
		{"for good", 422, 0, sinks.Rejected},
		{"for now", 500, 1, sinks.Delivered},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := c.open(t)
			if _, flat := b.provider.(*sandbox.Cartum); flat && test.want == sinks.Rejected {
				return // its log has one code for what the sandbox forces, and that one means "for now"
			}
			list := b.customers(5)
			rides := b.rides(list...)
			b.provider.Faults().Set(sandbox.Fault{Kind: sandbox.RowError, Status: test.status, Key: c.Key(list[2]), Path: c.Writes, Times: test.times})
			b.drive(t.Context(), rides)
			bad := rides[2]
			if got := bad.end.Verdict; got != test.want && !(c.NoLookUp && bad.end.InDoubt) {
				t.Errorf("the bad row: got %v, want %v", got, test.want)
			}
			b.onceEach(append(rides[:2:2], rides[3:]...))
			if got, want := b.provider.Book().Counters().Repeats, 0; got != want {
				t.Errorf("rows sent again without need: got %d, want %d", got, want)
			}
		})
	}
}

// reorder: verdicts find their rows whatever the order of the answer.
func (c Case) reorder(t *testing.T) {
	b := c.open(t)
	list := b.customers(5)
	b.provider.Faults().Set(sandbox.Fault{Kind: sandbox.Reorder})
	rides := b.rides(list...)
	b.drive(t.Context(), rides)
	b.onceEach(rides)
	newer := b.later(rides, 2)
	if !c.CreateOnly {
		b.drive(t.Context(), newer)
		b.onceEach(newer)
	}
}

// lostResult: a row whose result the answer leaves out has no verdict.
func (c Case) lostResult(t *testing.T) {
	for _, kind := range []sandbox.Kind{sandbox.RowLost, sandbox.ShortLog} {
		t.Run(string(kind), func(t *testing.T) {
			b := c.open(t)
			rides := b.rides(b.customers(4)...)
			b.provider.Faults().Set(sandbox.Fault{Kind: kind, Row: 1, Path: c.Writes, Times: 1})
			first := b.cut(rides)[0]
			a := b.deliver1(t.Context(), first)
			lost := 1 % len(first)
			if kind == sandbox.ShortLog {
				lost = len(first) - 1
			}
			if lost < len(a.outcomes) && a.outcomes[lost].Verdict != sinks.Unknown {
				t.Errorf("the row without a result: got %v, want none", a.outcomes[lost].Verdict)
			}
			if len(first) == 1 && a.err == nil {
				t.Error("an answer without any verdict: got no error")
			}
			b.drive(t.Context(), b.judgeAll(&a, rides))
			b.onceEach(rides)
		})
	}
}

// judgeAll takes the verdicts of one attempt and returns all rows still to go.
func (b *bench) judgeAll(a *attempt, rides []*ride) (rest []*ride) {
	b.judge(a)
	for _, r := range rides {
		if !r.done {
			rest = append(rest, r)
		}
	}
	return rest
}
