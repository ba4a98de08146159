package ops

import (
	"errors"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/ledger"
)

func TestForget(t *testing.T) {
	for name, running := range map[string]bool{"while a worker runs": true, "while none runs": false} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, "")
			f.start()
			f.publish("x", 7, "Adams")
			f.becomes("x", "one", InStep)
			f.becomes("x", "two", InStep)
			id := f.at("x", "one").Ledger.Held.ProviderID
			writes := func(p *sandbox.Thulium) int {
				held, _ := p.Book().Held("x")
				return held.Writes
			}
			before, others := writes(f.one), writes(f.two)
			if !running {
				f.halt()
			}
			got, err := f.desk.Forget(testContext(t), "acme", "x", "one", "")
			if err != nil || len(got) != 1 || got[0] != (Forgotten{"one", true}) {
				t.Fatalf("got %+v and error %v", got, err)
			}
			if !running {
				f.start()
			}
			until(t, "it is delivered again", func() bool { return writes(f.one) > before })
			f.becomes("x", "one", InStep)
			if at := f.at("x", "one"); at.Ledger.Held.ProviderID != id || at.Ledger.Held.Version != 7 {
				t.Errorf("got %+v, want version 7 under the id that it had, %s", at.Ledger.Held, id)
			}
			if held, _ := f.one.Book().Held("x"); len(held.Records) != 1 {
				t.Errorf("the provider has the customer %d times", len(held.Records))
			}
			if got := writes(f.two); got != others {
				t.Errorf("the other provider was written %d times", got-others)
			}
		})
	}
}

// A version that is far too high was published by mistake.
func TestForgetLetsALowerVersionPass(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1<<50, "Adams")
	f.becomes("x", "one", InStep)
	f.becomes("x", "two", InStep)
	f.publish("x", 2, "Baker")
	f.halt()
	if _, err := f.desk.Forget(testContext(t), "acme", "x", "", "numbered anew"); err != nil {
		t.Fatal(err)
	}
	f.start()
	for _, name := range []string{"one", "two"} {
		f.becomes("x", name, InStep)
		if held := f.at("x", name).Ledger.Held; held == nil || held.Version != 2 {
			t.Errorf("%s holds %+v, want version 2", name, held)
		}
	}
	f.publish("x", 3, "Clark")
	until(t, "the next version is delivered", func() bool {
		at := f.at("x", "one")
		return at.State == InStep && at.Ledger.Held.Version == 3
	})
}

func TestForgetRefuses(t *testing.T) {
	f := newFleet(t, "")
	if _, err := f.desk.Forget(testContext(t), "acme", "nobody", "", ""); !errors.Is(err, ErrUnknownCustomer) {
		t.Errorf("an unknown customer: got error %v", err)
	}
	if _, err := f.desk.Forget(testContext(t), "acme", "x", "none", ""); err == nil {
		t.Error("an unknown destination: got no error")
	}
}

func TestResetKeepsIDAndDoubt(t *testing.T) {
	next := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	e := ledger.Entry{
		Held:    &ledger.Held{Version: 7, Seq: 8, Hash: "h", ProviderID: "p", At: next},
		Settled: &ledger.Settled{Version: 7, Seq: 8, Outcome: ledger.Dead},
		Pending: &ledger.Pending{Version: 7, Seq: 8, Attempts: 3, Doubt: true, Next: next},
	}
	got := reset(&e)
	if got.Top() != (ledger.Mark{}) || got.Settled != nil || got.Waits() || got.Held.ProviderID != "p" || got.Held.Hash != "" || !got.Pending.Doubt || !got.Pending.Next.Equal(next) {
		t.Errorf("got %+v", got)
	}
	if got := reset(&ledger.Entry{Settled: e.Settled}); got != (ledger.Entry{}) {
		t.Errorf("of what was never given: got %+v", got)
	}
	got = reset(&ledger.Entry{Pending: &ledger.Pending{Next: next}})
	if got.Pending == nil || !got.Pending.Next.Equal(next) || got.Pending.Doubt {
		t.Errorf("of a call that may still arrive: got %+v, want that kept", got)
	}
}
