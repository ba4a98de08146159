package pipeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// heldAt is an entry of a customer that the provider has at a version.
func heldAt(version int64, body string) ledger.Entry {
	h := &ledger.Held{Version: version, ProviderID: "id"}
	if body != "" {
		h.Hash = sinks.Hash([]byte(body))
	}
	return ledger.Entry{Held: h, Settled: &ledger.Settled{Version: version, Outcome: ledger.Delivered}}
}

func TestChangesThatWaitCostOneRow(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.Linger = 5 * time.Second
		r.start()
		for v := range int64(100) {
			r.changed("a", v, "")
		}
		r.wait(10 * time.Second)
		r.wantSent("a:99")
		r.wantSettled()
		if got := r.d.Snapshot().Counts.Superseded; got != 99 {
			t.Errorf("%d superseded, want 99", got)
		}
	})
}

func TestOlderThanTheLedgerIsNeverSent(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.hold("a", heldAt(7, ""))
		r.start()
		r.changed("a", 6, "")
		r.wait(time.Second)
		r.wake(Wakeup{Key: key("a"), Cause: Replay, Force: true})
		r.wait(time.Second)
		r.wantSent()
		r.wantSettled()
	})
}

func TestReplayOfTheSameVersionPasses(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				return always(sinks.Outcome{Verdict: sinks.Rejected})(n, rows)
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Second)
		r.wantLetter("a", "rejected")
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Second)
		r.wantSent("a:7", "a:7")
		r.wantLetter("a", "")
	})
}

func TestSameRowIsUnchanged(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.hold("a", heldAt(7, `{"v":8,"note":""}`))
		r.start()
		r.changed("a", 8, "")
		r.wait(time.Second)
		r.wantSent()
		r.wantOutcome("a", "unchanged 8")
		r.wake(Wakeup{Key: key("a"), Cause: Backfill, Force: true})
		r.wait(time.Second)
		r.wantSent("a:8")
	})
}

func TestNewerWaitsWhileTheOlderIsInFlight(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = time.Second
		r.start()
		r.changed("a", 1, "")
		r.wait(500 * time.Millisecond)
		r.changed("a", 2, "")
		r.changed("a", 3, "")
		r.wait(5 * time.Second)
		r.wantSent("a:1", "a:3")
		if r.sink.atOnce() != 1 {
			t.Errorf("%d calls at once for one customer", r.sink.atOnce())
		}
		r.wantSettled()
	})
}

func TestDeletionIsABarrierWhereTheLedgerHoldsTheCustomer(t *testing.T) {
	tests := []struct {
		name  string
		entry ledger.Entry
		want  []string
	}{
		{"held", heldAt(1, ""), []string{"a:2-", "a:3"}},
		{"not held", ledger.Entry{}, []string{"a:3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.hold("a", tt.entry)
				r.start()
				r.deleted("a", 2)
				r.changed("a", 3, "")
				r.wait(5 * time.Second)
				r.wantSent(tt.want...)
				r.wantOutcome("a", "delivered 3")
				r.wantSettled()
			})
		})
	}
	t.Run("being created", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.sink.took = time.Second
			r.start()
			r.changed("a", 1, "")
			r.wait(500 * time.Millisecond)
			r.deleted("a", 2)
			r.changed("a", 3, "")
			r.wait(10 * time.Second)
			r.wantSent("a:1", "a:2-", "a:3")
		})
	})
}

// A shop that creates and deletes one customer all day must not fill the memory.
func TestRowsOfOneCustomerAreFew(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.hold("a", heldAt(1, ""))
		r.d.SetPaused(true, time.Now(), "")
		r.start()
		for v := int64(2); v < 200; v += 2 {
			r.deleted("a", v)
			r.changed("a", v+1, "")
		}
		r.wait(time.Minute)
		if got := r.d.Snapshot().Bytes; got > 3000 {
			t.Errorf("one customer takes %d bytes", got)
		}
		r.d.SetPaused(false, time.Now(), "")
		r.wait(time.Minute)
		r.wantSent("a:198-", "a:199")
		r.wantSettled()
	})
}

func TestCustomerThatIsNoLongerAdmitted(t *testing.T) {
	tests := []struct {
		leave   OnLeave
		sent    []string
		outcome string
		held    bool
	}{
		{LeaveUpdate, []string{"a:2"}, "delivered 2", true},
		{LeaveDelete, []string{"a:2-"}, "delivered 2", false},
		{LeaveKeep, nil, "filtered 2", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.leave), func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.d.OnLeave = tt.leave
				r.hold("a", heldAt(1, ""))
				r.start()
				r.changed("a", 2, "out")
				r.changed("b", 2, "out") // whom the provider never had
				r.wait(5 * time.Second)
				r.wantSent(tt.sent...)
				r.wantOutcome("a", tt.outcome)
				r.wantOutcome("b", "filtered 2")
				if got := r.entry("a").Held != nil; got != tt.held {
					t.Errorf("held is %v, want %v", got, tt.held)
				}
			})
		})
	}
}

func TestExplicitVersionAfterATimeVersionIsADeadLetter(t *testing.T) {
	for name, wait := range map[string]time.Duration{"that has ended": 5 * time.Second, "that waits too": 0} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.start()
				r.publish("a", eventJSON("a", -1, false, ""))
				r.wait(wait)
				r.changed("a", 5, "")
				r.wait(5 * time.Second)
				r.wantLetter("a", "version_mixed")
				r.wantSettled()
				if got := len(r.sink.sent()); got != 1 {
					t.Errorf("%d calls, want one, of the version that is a time", got)
				}
			})
		})
	}
}

func TestUnreadableEvents(t *testing.T) {
	t.Run("with a version supersede older ones", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.d.Batch.Linger = 2 * time.Second
			r.start()
			r.changed("a", 5, "")
			r.publish("a", eventJSON("a", 6, false, `,"email":{}`))
			r.changed("a", 4, "")
			r.wait(10 * time.Second)
			r.wantSent()
			r.wantOutcome("a", "dead 6")
			r.wantLetter("a", "undecodable")
			r.wantSettled()
		})
	})
	t.Run("without one take no place in the order", func(t *testing.T) {
		inWorld(t, func(r *rig) {
			r.start()
			r.changed("a", 5, "")
			r.wait(time.Second)
			r.publish("a", []byte(`not JSON`))
			r.wait(time.Second)
			r.wantLetter("a", "undecodable")
			r.changed("a", 6, "")
			r.wait(time.Second)
			r.wantSent("a:5", "a:6")
			r.wantLetter("a", "")
			r.wantSettled()
		})
	})
}

func TestLoansOfManyWakeUpsForOneCustomerAreSettled(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.took = 2 * time.Second
		r.start()
		r.changed("a", 1, "")
		for range 20 {
			r.wait(200 * time.Millisecond)
			r.wake(Wakeup{Key: key("a"), Cause: Backfill})
		}
		r.wait(time.Minute)
		r.wantSent("a:1")
		r.wantSettled()
	})
}
