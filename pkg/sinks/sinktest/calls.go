package sinktest

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// context: Deliver ends with its context, and what it says is true of a call
// that went out and of one that did not.
func (c Case) context(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault sandbox.Fault
	}{
		{"while the provider thinks", sandbox.Fault{Kind: sandbox.Delay, Delay: time.Minute}},
		{"after it was applied", sandbox.Fault{Kind: sandbox.Slow, Delay: time.Minute}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := c.open(t)
			rides := b.rides(b.customers(3)...)
			fault := test.fault
			fault.Path, fault.Times = c.Writes, 1
			b.provider.Faults().Set(fault)
			first := b.cut(rides)[0]
			a := b.within(300*time.Millisecond, first)
			if a.err == nil || a.says().Unsent || a.says().Over || a.says().Class != retry.Transient {
				t.Errorf("error: got %v (%+v), want a transient one, in doubt and not over", a.err, a.says())
			}
			for i, o := range a.outcomes {
				if o.Verdict != sinks.Unknown {
					t.Errorf("row %d: got %v, want no verdict", i, o.Verdict)
				}
			}
			b.drive(t.Context(), b.judgeAll(&a, rides))
			b.onceEach(rides)
		})
	}
	t.Run("before it starts", func(t *testing.T) {
		b := c.open(t)
		rides := b.rides(b.customers(1)...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		a := b.deliver1(ctx, rides)
		if a.err == nil || !a.says().Unsent {
			t.Errorf("error: got %v, want one that is marked unsent", a.err)
		}
		if got := b.provider.Book().Counters().Calls; got != 0 {
			t.Errorf("calls: got %d, want none", got)
		}
		b.drive(t.Context(), b.judgeAll(&a, rides))
		b.onceEach(rides)
	})
	t.Run("nobody there", func(t *testing.T) {
		b := c.open(t)
		rides := b.rides(b.customers(2)...)
		away := c.New(t, "http://127.0.0.1:1", &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
		rows := []sinks.Row{rides[0].row}
		outcomes, err := away.Deliver(t.Context(), rows)
		if mark := retry.Of(err); err == nil || !mark.Unsent || mark.Class != retry.Transient {
			t.Errorf("error: got %v, want a transient one that is marked unsent", err)
		}
		for _, o := range outcomes {
			if o.Verdict != sinks.Unknown {
				t.Errorf("got %v, want no verdict", o.Verdict)
			}
		}
		b.keepsSecrets(outcomes, err)
	})
}

// atOnce: Deliver may be called from several goroutines, and they share a session.
func (c Case) atOnce(t *testing.T) {
	b := c.open(t)
	list := b.customers(24)
	all := b.rides(list...)
	var group sync.WaitGroup
	for i := 0; i < len(all); i += 6 {
		part := all[i : i+6]
		group.Go(func() {
			for _, batch := range b.cut(part) {
				a := b.deliver1(t.Context(), batch)
				b.judge(&a)
			}
		})
	}
	group.Wait()
	b.onceEach(all)
	if got := b.provider.Book().Counters().Requests["POST auth"]; got > 1 {
		t.Errorf("logins: got %d, want at most 1 for all", got)
	}
}
