package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/retry"
)

// After a restart everything that an earlier owner may have been lent counts as
// possibly sent; a version that the ledger names as held is not in question.
func TestBackfillAfterARestartSendsNothingThatIsHeld(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.changed("a", 1, "")
		r.wait(time.Minute)
		r.wake(Wakeup{Key: key("a"), Cause: Backfill})
		r.wait(time.Minute)
		r.halt()
		r.wake(Wakeup{Key: key("a"), Cause: Backfill})
		r.restart()
		r.wait(time.Minute)
		r.wantSent("a:1")
		r.wantOutcome("a", ledger.Unchanged+" 1")
	})
}

func TestBackfillPassesOverWhatAPersonDiscarded(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		e := r.entry("a")
		settled := *e.Settled
		settled.Outcome = ledger.Discarded
		e.Settled = &settled
		r.hold("a", e)
		r.wake(Wakeup{Key: key("a"), Cause: Backfill})
		r.wait(time.Minute)
		r.wantOutcome("a", ledger.Discarded+" 1")
		r.wantSettled()
	})
}

// A block that comes after a long outage is tried soon, as any fresh block.
func TestGateThatFailsInAnotherWayWaitsFromTheBeginning(t *testing.T) {
	now := time.Now()
	g := newGate(now)
	waits := retry.Policy{Initial: time.Second, Max: time.Hour, Jitter: -1}
	for range 8 {
		g.close(now, Outage, "reset", 0, true, waits)
	}
	g.close(now, Refusing, "http_401", 0, true, waits)
	if got := g.Until.Sub(now); got != time.Second {
		t.Errorf("got %v until the first probe of the block, want 1s", got)
	}
}

// While a backfill waits for its calls, what shops change goes before it.
func TestChangesGoBeforeABackfill(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows, r.d.Concurrency = 1, 1
		r.sink.took = time.Second
		r.d.Sink = r.sink
		const n = 40
		for i := range n {
			r.publish(fmt.Sprint("old", i), eventJSON(fmt.Sprint("old", i), 1, false, ""))
		}
		r.mu.Lock()
		r.floors["events-0"], r.lent["events-0"] = n, n // settled once, and not held
		r.mu.Unlock()
		r.start()
		for i := range n {
			r.wake(Wakeup{Key: key(fmt.Sprint("old", i)), Cause: Backfill})
		}
		r.wait(5 * time.Second)
		began := r.sink.count()
		r.changed("new", 1, "")
		r.changed("old39", 2, "") // whom the backfill would come to last
		r.wait(4 * time.Second)
		sent := r.sink.sent()[began:]
		if len(sent) < 3 || !slices.Contains(sent[:3], "new:1") || !slices.Contains(sent[:3], "old39:2") {
			t.Errorf("after the changes came: sent %q, want them first", sent)
		}
		r.wait(2 * time.Minute)
		if got := r.sink.count(); got != n+1 {
			t.Errorf("%d calls, want %d: each customer once, and one more", got, n+1)
		}
		r.wantSettled()
	})
}

// A backfill leaves a delivery free where there are several, so that a change does
// not wait for a slow call of it.
func TestBackfillLeavesADeliveryFree(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows, r.d.Concurrency = 1, 3
		r.sink.took = time.Hour
		r.d.Timeout = 2 * time.Hour
		for i := range 10 {
			r.publish(fmt.Sprint("old", i), eventJSON(fmt.Sprint("old", i), 1, false, ""))
		}
		r.mu.Lock()
		r.floors["events-0"], r.lent["events-0"] = 10, 10
		r.mu.Unlock()
		r.start()
		for i := range 10 {
			r.wake(Wakeup{Key: key(fmt.Sprint("old", i)), Cause: Backfill})
		}
		r.wait(time.Minute)
		if got := r.sink.count(); got != 2 {
			t.Errorf("%d deliveries of the backfill at once, want 2 of 3", got)
		}
		r.changed("new", 1, "")
		r.wait(time.Second)
		if sent := r.sink.sent(); sent[len(sent)-1] != "new:1" {
			t.Errorf("sent %q, want the change at once", sent)
		}
		r.kill()
	})
}

// Rows of a backfill fill up the batches of changes.
func TestBackfillFillsBatches(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows = 5
		r.d.Batch.Linger = time.Second
		r.publish("old0", eventJSON("old0", 1, false, ""))
		r.publish("old1", eventJSON("old1", 1, false, ""))
		r.mu.Lock()
		r.floors["events-0"], r.lent["events-0"] = 2, 2
		r.mu.Unlock()
		r.start()
		r.wake(Wakeup{Key: key("old0"), Cause: Backfill})
		r.wake(Wakeup{Key: key("old1"), Cause: Backfill})
		r.wait(700 * time.Millisecond)
		r.changed("new", 1, "")
		r.wait(time.Minute)
		r.wantSent("new:1 old0:1 old1:1")
	})
}
