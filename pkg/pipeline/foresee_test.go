package pipeline

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// known lets the feed tell of the last event of a customer that is there.
func (r *rig) known() { r.world.hints = 1 }

// backlog publishes n versions of as many customers, one round after the other.
func (r *rig) backlog(customers, versions int) {
	for v := range versions {
		for c := range customers {
			r.changed(fmt.Sprint("c", c), int64(v+1), "")
		}
	}
}

// A backlog that is many times what memory holds costs a row for each customer.
func TestFoldReachesBeyondMemory(t *testing.T) {
	for name, hinted := range map[string]bool{"known": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				const customers, versions = 300, 4
				if hinted {
					r.known()
				}
				r.d.Window, r.sink.took = 200_000, 100*time.Millisecond
				r.backlog(customers, versions)
				r.start()
				r.wait(10 * time.Minute)
				rows := 0
				for _, call := range r.sink.asked() {
					rows += len(call.rows)
				}
				if hinted != (rows == customers) {
					t.Errorf("%d rows were sent of %d customers", rows, customers)
				}
				for c := range customers {
					r.wantOutcome(fmt.Sprint("c", c), fmt.Sprint("delivered ", versions))
				}
				r.wantSettled()
				if got := r.d.Snapshot().Bytes; got != 0 {
					t.Errorf("%d bytes count as used, nothing is here", got)
				}
				if got := r.d.Snapshot().Counts; got.Events() != customers*versions {
					t.Errorf("the counts are of %d events, want %d: %+v", got.Events(), customers*versions, got)
				}
			})
		})
	}
}

func TestWhatIsForeseenIsNeverLost(t *testing.T) {
	t.Run("what follows is older", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			k := &keeping{}
			r.d.Keeper = k
			r.known()
			r.changed("a", 7, "")
			r.changed("a", 5, "")
			r.changed("a", 6, "")
			r.start()
			r.wait(time.Minute)
			r.wantSent("a:7")
			r.wantOutcome("a", "delivered 7")
			r.wantSettled()
			if got, want := k.all(), []string{"late a at hand false", "late a at hand false"}; !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	})
	t.Run("what follows is gone when others come", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.known()
			r.changed("a", 7, "")
			r.changed("a", 8, "")
			r.onLent = func() { r.events[1].gone = true }
			r.changed("b", 1, "")
			r.start()
			r.wait(5 * time.Second)
			r.wantOutcome("a", "delivered 7")
			r.wait(time.Minute)
			r.wantSettled()
		})
	})
	t.Run("what follows is gone and nothing comes", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.known()
			r.changed("a", 7, "")
			r.changed("a", 8, "")
			r.onLent = func() { r.events[1].gone = true }
			r.start()
			r.wait(2 * time.Minute)
			r.wantSent("a:7")
			r.wantSettled()
		})
	})
	t.Run("nothing of it is kept", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.known()
			r.changed("a", 7, "")
			r.changed("a", 8, "")
			r.onLent = func() { r.events[0].gone, r.events[1].gone = true, true }
			r.changed("b", 1, "")
			r.start()
			r.wait(2 * time.Minute)
			r.wantSent("b:1")
			r.wantSettled()
		})
	})
	t.Run("the worker dies meanwhile", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.known()
			r.changed("a", 7, "")
			r.changed("a", 8, "")
			r.onLent = func() { r.events[1].gone = true }
			r.start()
			r.wait(time.Second)
			r.wantSent()
			if r.floor() != 0 {
				t.Errorf("settled up to %d", r.floor())
			}
			r.restart()
			r.wait(time.Minute)
			r.wantSent("a:7")
			r.wantSettled()
		})
	})
	t.Run("the shard goes meanwhile", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.known()
			r.changed("a", 7, "")
			r.changed("a", 8, "")
			r.onLent = func() { r.events[1].gone = true }
			r.start()
			r.wait(time.Second)
			if err := r.d.Release(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
			if n := len(r.d.foreseen); n > 0 || r.floor() != 0 {
				t.Errorf("%d are foreseen, settled up to %d", n, r.floor())
			}
		})
	})
}

// A deletion of a customer whom the provider has goes out, whatever follows it.
func TestDeletionsAreNotPutOff(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.known()
		r.hold("a", heldAt(1, ""))
		r.changed("a", 2, "")
		r.deleted("a", 3)
		r.changed("a", 4, "")
		r.changed("a", 5, "")
		r.start()
		r.wait(time.Minute)
		r.wantSent("a:3-", "a:5")
		r.wantOutcome("a", "delivered 5")
		r.wantSettled()
	})
}

// An explicit version after one made of time is a dead letter, also where that
// one was put off.
func TestPutOffVersionsOfTwoKinds(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.known()
		r.publish("a", eventJSON("a", -1, false, ""))
		r.changed("a", 5, "")
		r.start()
		r.wait(5 * time.Second)
		r.wantLetter("a", "version_mixed")
		if got := len(r.sink.sent()); got != 1 {
			t.Errorf("%d calls, want one, of the version that is a time", got)
		}
		r.wantSettled()
	})
}

// What an earlier owner may have sent is not called unchanged by the ledger's
// word on an older version.
func TestPutOffKeepsThatItMayHaveBeenSent(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.known()
		r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id", Hash: sinks.Hash([]byte(`{"v":3,"note":""}`))},
			Settled: &ledger.Settled{Version: 1, Outcome: ledger.Delivered}})
		r.changed("a", 2, "") // which may have been sent, and has another hash
		r.mu.Lock()
		r.lent["events-0"] = 1
		r.mu.Unlock()
		r.changed("a", 3, "")
		r.start()
		r.wait(time.Minute)
		r.wantSent("a:3", "a:3!") // once more when version 2 can't arrive any more
	})
}

// What can't be put off any more is rendered and sent.
func TestOnlySoManyArePutOff(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.known()
		const customers = maxAwaiting + 500
		r.backlog(customers, 2)
		r.start()
		r.wait(10 * time.Minute)
		rows := 0
		for _, call := range r.sink.asked() {
			rows += len(call.rows)
		}
		if rows < customers || rows == 2*customers {
			t.Errorf("%d rows were sent of %d customers", rows, customers)
		}
		r.wantOutcome("c0", "delivered 2")
		r.wantOutcome(fmt.Sprint("c", customers-1), "delivered 2")
		r.wantSettled()
	})
}
