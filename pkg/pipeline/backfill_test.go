package pipeline

import (
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
