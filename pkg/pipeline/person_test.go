package pipeline

import (
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// Whatever a person's command writes into the ledger beside the owner, the
// owner learns of it and nothing of the provider's word gets lost.

func TestEntryRewrittenDuringACallKeepsWhatTheProviderTook(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = func(sinks.Row) sinks.Lane { return sinks.Lane{Name: "create", Once: true} }
		r.sink.took = time.Second
		r.start()
		r.changed("a", 1, "")
		r.wait(500 * time.Millisecond)
		r.hold("a", ledger.Entry{Settled: &ledger.Settled{Version: 1, Outcome: ledger.Discarded}})
		r.wait(5 * time.Second)
		r.wantSent("a:1")
		r.wantOutcome("a", "delivered 1")
		if h := r.entry("a").Held; h == nil || h.ProviderID != "id-a" {
			t.Errorf("the ledger holds %+v, want what the provider took", h)
		}
		if took := r.halt(); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		r.wantSettled()
		if got, want := len(r.d.slots.free), r.d.slots.next; got != want {
			t.Errorf("%d of %d places in the journal are free", got, want)
		}
	})
}

func TestEntryRewrittenBesideADecisionIsDecidedAnew(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.hold("a", ledger.Entry{Settled: &ledger.Settled{Version: 200_000_000_000_000, Seq: 0, Outcome: ledger.Delivered}})
		r.delay(2 * time.Second) // the letter takes its time
		r.start()
		r.changed("a", 1, "")
		for range 1000 {
			r.wait(10 * time.Millisecond)
			if r.letter("a") != "" {
				break
			}
		}
		r.wantLetter("a", "version_mixed")
		r.hold("a", ledger.Entry{}) // forgotten before the ledger is written
		r.wait(time.Minute)
		r.wantOutcome("a", "delivered 1")
		r.wantLetter("a", "")
		r.wantSettled()
	})
}

func TestReplayReadsTheEntryAnew(t *testing.T) {
	forgotten := func(r *rig) {
		r.mu.Lock()
		r.entries[key("a")] = Found{Revision: 1000}
		r.mu.Unlock()
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
	}
	t.Run("of a customer that is not in memory", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.start()
			r.changed("a", 7, "")
			r.wait(time.Second)
			forgotten(r)
			r.wait(time.Second)
			r.wantSent("a:7", "a:7")
			r.wantOutcome("a", "delivered 7")
		})
	})
	t.Run("of a customer in line", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.d.Batch.Linger = 5 * time.Second
			r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 6, ProviderID: "gone"}})
			r.start()
			r.changed("a", 7, "")
			r.wait(time.Second)
			forgotten(r)
			r.wait(10 * time.Second)
			r.wantSent("a:7")
			if row := r.sink.asked()[0].rows[0]; row.Held {
				t.Errorf("sent as %+v, want as one that the ledger does not know", row)
			}
		})
	})
	t.Run("of a parked customer", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.d.Retry.Initial = 15 * time.Second
			r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
				if n == 1 {
					return []sinks.Outcome{{Verdict: sinks.Retryable}}, nil
				}
				return allTaken(rows), nil
			}
			r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 6, ProviderID: "gone"}})
			r.start()
			r.changed("a", 7, "")
			r.wait(time.Second)
			forgotten(r)
			r.wait(time.Minute)
			r.wantSent("a:7", "a:7")
			if row := r.sink.asked()[1].rows[0]; row.Held {
				t.Errorf("sent as %+v, want as one that the ledger does not know", row)
			}
		})
	})
}

func TestReplayBesideADeathThatIsBeingStoredIsHeard(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				return []sinks.Outcome{{Verdict: sinks.Rejected}}, nil
			}
			return allTaken(rows), nil
		}
		r.delay(2 * time.Second)
		r.start()
		r.changed("a", 7, "")
		for range 1000 {
			r.wait(10 * time.Millisecond)
			if r.letter("a") != "" {
				break
			}
		}
		r.wantOutcome("a", "") // not in the ledger yet
		r.mu.Lock()
		r.slow = 0
		r.wakes = append(r.wakes, woken{Wakeup: Wakeup{Key: key("a"), Cause: Replay}})
		r.signal()
		r.mu.Unlock()
		r.wait(time.Minute)
		r.wantSent("a:7", "a:7")
		r.wantOutcome("a", "delivered 7")
		r.wantLetter("a", "")
		r.wantSettled()
	})
}

func TestForceOutlastsAWakeUp(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Retry.Initial = time.Minute
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 2 {
				return []sinks.Outcome{{Verdict: sinks.Retryable}}, nil
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Second)
		r.wake(Wakeup{Key: key("a"), Cause: Backfill, Force: true})
		r.wait(10 * time.Minute)
		r.wantSent("a:7", "a:7", "a:7")
		r.wantOutcome("a", "delivered 7")
	})
}
