package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// What a lost call may still do is known to whoever has the shard next, also when
// the customer's row has ended, or given way to a newer one, in the meantime.
func TestLostCallIsRememberedByTheNextOwner(t *testing.T) {
	ways := map[string]func(*rig){"stopped": func(r *rig) { r.halt(); r.restart() }, "killed": func(r *rig) { r.kill(); r.halt(); r.restart() }}
	for how, change := range ways {
		t.Run("its version delivered since, "+how, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.answer = loseFirst
				r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
				r.start()
				r.changed("a", 7, "")
				r.wait(3 * time.Second)
				r.wantOutcome("a", "delivered 7")
				change(r)
				r.changed("a", 8, "")
				r.wait(time.Minute)
				r.wantSecondSending("a:8")
			})
		})
		t.Run("a newer version waits, "+how, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.answer = fails(errLost)
				r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
				r.start()
				r.changed("a", 7, "")
				r.wait(100 * time.Millisecond)
				r.d.SetPaused(true, time.Now(), "")
				r.changed("a", 8, "")
				r.wait(100 * time.Millisecond)
				r.sink.say(nil)
				change(r)
				r.wait(time.Minute)
				r.wantSecondSending("a:8")
			})
		})
		t.Run("its version discarded since, "+how, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				dead := &ledger.Settled{Version: 7, Seq: 1, Outcome: ledger.Dead}
				held := &ledger.Held{Version: 1, ProviderID: "id-a"}
				r.sink.answer = fails(errLost)
				r.hold("a", ledger.Entry{Held: held, Settled: dead})
				r.start()
				r.changed("a", 7, "")
				r.wake(Wakeup{Key: key("a"), Cause: Backfill})
				r.wait(time.Second)
				discarded := *dead
				discarded.Outcome = ledger.Discarded
				r.hold("a", ledger.Entry{Held: held, Settled: &discarded})
				r.wake(Wakeup{Key: key("a"), Cause: Backfill})
				r.wait(time.Second)
				r.sink.say(nil)
				change(r)
				r.changed("a", 8, "")
				r.wait(time.Minute)
				r.wantSecondSending("a:8")
				r.wantOutcome("a", "delivered 8")
				r.wantSettled()
			})
		})
	}
}

// wantSecondSending says that the last version was sent when the first call of all
// was over.
func (r *rig) wantSecondSending(want string) {
	r.t.Helper()
	sent, at := r.sink.sent(), r.sink.times()
	last := len(sent) - 1
	if got := sent[last]; got != want && got != want+"!" || at[last].Sub(at[0]) < r.d.Timeout {
		r.t.Errorf("sent %q, the last one %v after the first; want %s once %v are over", sent, at[last].Sub(at[0]), want, r.d.Timeout)
	}
}

// A wake-up that comes again reads the newest state, while an owner before may have
// been sending what was the newest when it read it.
func TestWokenCustomerIsSentOnceMoreAfterAKilledWorkersCall(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				return []sinks.Outcome{{Verdict: sinks.Rejected}}, nil
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 7, "")
		r.changed("b", 7, "")
		r.wait(time.Hour)
		r.sink.took = 5 * time.Second
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wake(Wakeup{Key: key("b"), Cause: Backfill})
		r.wait(2 * time.Second) // a is under way
		began := len(r.sink.sent())
		r.kill()
		r.changed("a", 8, "")
		r.halt()
		r.restart()
		r.wait(time.Minute)
		sent := r.sink.sent()[began:]
		if len(sent) != 2 || !strings.HasPrefix(sent[0], "a:8") || !strings.HasPrefix(sent[1], "a:8") {
			t.Errorf("sent %q, want a:8 twice, and nothing of b", sent)
		}
		r.wantOutcome("a", "delivered 8")
		r.wantOutcome("b", "unchanged 7")
	})
}

// A deletion that an owner before may have under way is not forgotten because there
// is nothing to delete by now.
func TestCreatedAgainAfterAKilledWorkersDeletion(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = func(row sinks.Row) sinks.Lane {
			if row.Delete {
				return sinks.Lane{Name: "delete"}
			}
			return onceUnlessHeld(row)
		}
		r.sink.took = 5 * time.Second
		r.start()
		r.deleted("a", 7)
		r.wait(time.Second) // it is under way
		r.changed("a", 8, "")
		r.wait(time.Second)
		r.kill()
		r.halt()
		r.sink.took = time.Second
		r.restart()
		r.wait(time.Minute)
		r.wantSent("a:7-", "a:8", "a:8!")
		r.wantOutcome("a", "delivered 8")
	})
}

// A wake-up may bring the newest version before the older one comes again that an
// owner before had under way.
func TestSentOnceMoreWhereAnOlderVersionComesAgainLater(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
		r.sink.took = 5 * time.Second
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Second) // it is under way
		r.kill()
		r.changed("a", 8, "")
		r.halt()
		soon := time.Now().Add(time.Millisecond) // by a wake-up
		r.hold("a", ledger.Entry{
			Held:    &ledger.Held{Version: 8, Seq: 2, ProviderID: "id-a", At: soon},
			Settled: &ledger.Settled{Version: 8, Seq: 2, Outcome: ledger.Delivered, At: soon},
		})
		r.restart()
		r.wait(time.Minute)
		r.wantSent("a:7", "a:8!")
		r.wantSecondSending("a:8")
		r.wantOutcome("a", "delivered 8")
		r.wantSettled()
	})
}

// What gives way to a newer version that is here already leaves its trace there.
func TestOlderRowThatCameAgainIsNoted(t *testing.T) {
	old := func() *row { return &row{mark: ledger.Mark{Version: 7, Seq: 1}, again: true} }
	flying := &customer{stage: flying, flight: &row{mark: ledger.Mark{Version: 8, Seq: 2}}}
	flying.fold(old())
	waits := &customer{stage: queued, rows: &row{mark: ledger.Mark{Version: 8, Seq: 2}}}
	waits.fold(old())
	if !flying.flight.over || !waits.rows.over {
		t.Errorf("in a call: %v, waiting: %v, want both noted", flying.flight.over, waits.rows.over)
	}
}

// A deletion that waited for its wake-up may be under way at an owner before as well.
func TestCreatedAgainAfterAKilledWorkersWokenDeletion(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = func(row sinks.Row) sinks.Lane {
			if row.Delete {
				return sinks.Lane{Name: "delete"}
			}
			return onceUnlessHeld(row)
		}
		r.hold("a", ledger.Entry{
			Held:    &ledger.Held{Version: 1, ProviderID: "id-a"},
			Pending: &ledger.Pending{Version: 7, Seq: 1, Attempts: 1, Next: time.Now().Add(time.Second), Delete: true},
		})
		r.sink.took = 5 * time.Second
		r.deleted("a", 7)
		r.changed("a", 8, "")
		r.mu.Lock()
		r.floors["events-0"], r.lent["events-0"] = 2, 2 // both were handed to the wake-up
		r.mu.Unlock()
		r.start()
		r.wait(2 * time.Second)
		r.wake(Wakeup{Key: key("a"), Cause: Retry})
		r.wait(3 * time.Second) // it is under way
		r.kill()
		r.halt()
		r.sink.took = 100 * time.Millisecond
		r.restart()
		r.wait(time.Minute)
		sent := r.sink.sent()
		if want := []string{"a:7-", "a:7-", "a:8", "a:8!"}; !slices.Equal(sent, want) {
			t.Errorf("sent %q, want %q", sent, want)
		}
	})
}

// A version that is sent once more may be under way at a killed worker, its wake-up
// coming again, or having given its place to one that nobody was lent before.
func TestSecondSendingMayBeUnderWayAtAKilledWorker(t *testing.T) {
	for name, another := range map[string]bool{"the same wake-up": false, "another wake-up": true} {
		for word, held := range map[string]*ledger.Held{"a:7-!": nil, "a:7!": {Version: 7, Seq: 1, ProviderID: "id-a"}} {
			t.Run(word+" by "+name, func(t *testing.T) {
				inWorld(t, func(r *rig) {
					r.publish("a", eventJSON("a", 7, held == nil, ""))
					r.wait(time.Hour)
					r.mu.Lock()
					r.floors["events-0"], r.lent["events-0"] = 1, 1
					r.mu.Unlock()
					r.hold("a", ledger.Entry{
						Held:    held,
						Settled: &ledger.Settled{Version: 7, Seq: 1, Outcome: ledger.Delivered},
						Pending: &ledger.Pending{Version: 7, Seq: 1, Next: time.Now().Add(time.Second), Doubt: true, Delete: held == nil},
					})
					r.sink.took = 5 * time.Second
					r.start()
					r.wait(2 * time.Second)
					r.wake(Wakeup{Key: key("a"), Cause: Retry})
					r.wait(time.Second) // it is under way
					r.kill()
					r.halt()
					if another {
						r.wake(Wakeup{Key: key("a"), Cause: Retry})
						r.wait(time.Second)
					}
					r.sink.took = 100 * time.Millisecond
					r.restart()
					r.wait(2 * time.Second)
					r.changed("a", 8, "")
					r.wait(time.Minute)
					r.wantSent(word, word, "a:8", "a:8!")
					r.wantSecondSending("a:8")
					r.wantSettled()
				})
			})
		}
	}
}

// A letter may be on its way again at a killed worker, and its wake-up gone.
func TestNewerVersionIsSentOnceMoreAfterAKilledWorkersReplay(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				return []sinks.Outcome{{Verdict: sinks.Rejected}}, nil
			}
			return allTaken(rows), nil
		}
		r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Hour)
		r.sink.took = 5 * time.Second
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Second) // it is under way
		r.kill()
		r.halt()
		r.wake(Wakeup{Key: key("a"), Cause: Retry}) // takes the other's place
		r.wait(time.Second)
		r.changed("a", 8, "")
		r.sink.took = 100 * time.Millisecond
		r.restart()
		r.wait(time.Minute)
		r.wantSent("a:7", "a:7", "a:8", "a:8!")
		r.wantOutcome("a", "delivered 8")
		r.wantSettled()
	})
}
