package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

var errLost = &retry.Error{Code: "reset"}

// onceUnlessHeld makes calls for customers that the ledger doesn't hold ones
// that create.
func onceUnlessHeld(row sinks.Row) sinks.Lane {
	if row.Held {
		return sinks.Lane{Name: "update"}
	}
	return sinks.Lane{Name: "create", Once: true}
}

func loseFirst(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
	if n == 1 {
		return nil, errLost
	}
	return allTaken(rows), nil
}

func TestCallThatCreatesIsInTheJournalBeforeItIsMade(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = onceUnlessHeld
		var noted []CallRow
		r.sink.answer = func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			noted = append(noted, r.journal[0].Rows...)
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Second)
		if len(noted) != 1 || noted[0] != (CallRow{Key: key("a"), Version: 7, Seq: 1}) {
			t.Errorf("the journal had %+v when the call was made", noted)
		}
	})
}

func TestLostAnswerIsLookedIntoWhenItsTimeIsOver(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = onceUnlessHeld
		r.sink.answer = loseFirst
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Minute)
		r.wantSent("a:7", "a:7!")
		if at := r.sink.times(); len(at) == 2 && at[1].Sub(at[0]) < r.d.Timeout {
			t.Errorf("looked into after %v, when the call might still have arrived", at[1].Sub(at[0]))
		}
		r.wantOutcome("a", "delivered 7")
	})
}

// A provider that can't delete says nothing of whether the customer is there.
func TestSkippedDeletionKeepsTheDoubt(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = func(row sinks.Row) sinks.Lane {
			if row.Delete {
				return sinks.Lane{Name: "none", Local: true}
			}
			return onceUnlessHeld(row)
		}
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if rows[0].Delete {
				return []sinks.Outcome{{Verdict: sinks.Skipped, Reason: "no_delete"}}, nil
			}
			return loseFirst(n, rows)
		}
		r.start()
		r.changed("a", 7, "")
		r.wait(time.Second)
		r.deleted("a", 8)
		r.wait(time.Minute)
		r.wantOutcome("a", "skipped 8")
		r.restart()
		r.changed("a", 9, "")
		r.wait(time.Minute)
		if sent := r.sink.sent(); sent[len(sent)-1] != "a:9!" {
			t.Errorf("sent %q, want the last one in doubt", sent)
		}
		r.wantOutcome("a", "delivered 9")
		if p := r.entry("a").Pending; p != nil {
			t.Errorf("still pending: %+v", p)
		}
	})
}

func TestNewestIsSentAgainAfterALostOlderCallsTime(t *testing.T) {
	for name, lost := range map[string]int{"one lost call": 1, "the older of two": 2} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
					if n <= lost {
						return nil, errLost
					}
					return allTaken(rows), nil
				}
				r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
				r.start()
				r.changed("a", 7, "")
				r.wait(100 * time.Millisecond)
				r.changed("a", 8, "")
				r.wait(5 * time.Minute)
				sent, at := r.sink.sent(), r.sink.times()
				last := len(sent) - 1
				if sent[last] != "a:8!" || at[last].Sub(at[0]) < r.d.Timeout {
					t.Errorf("sent %q, the last one after %v; want version 8 after %v", sent, at[last].Sub(at[0]), r.d.Timeout)
				}
				if r.entry("a").Pending != nil {
					t.Errorf("still pending: %+v", r.entry("a").Pending)
				}
				r.wantSettled()
			})
		})
	}
}

func TestNobodyHurriesTheSecondSending(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = loseFirst
		r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
		r.start()
		r.changed("a", 7, "")
		r.wait(100 * time.Millisecond)
		r.changed("a", 8, "")
		r.wait(5 * time.Second)
		r.wake(Wakeup{Key: key("a"), Cause: Backfill, Force: true})
		r.wait(5 * time.Minute)
		at := r.sink.times()
		if last := at[len(at)-1]; last.Sub(at[0]) < r.d.Timeout {
			t.Errorf("sent for the last time after %v, while version 7 might still have arrived; sent %q", last.Sub(at[0]), r.sink.sent())
		}
	})
}

func TestSecondSendingClosesTheLetterToo(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			switch n {
			case 1:
				return []sinks.Outcome{{Verdict: sinks.Rejected}}, nil
			case 2:
				return nil, errLost
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 6, "")
		r.wait(time.Second)
		r.wantLetter("a", "rejected")
		r.changed("a", 7, "")
		r.wait(100 * time.Millisecond)
		r.changed("a", 8, "")
		r.wait(5 * time.Minute)
		r.wantOutcome("a", "delivered 8")
		r.wantLetter("a", "")
	})
}

// A customer may be dead, or filtered, at just the version that a person asks for
// again: the end before the call is no end of the call.
func TestReplayThatDiedOnTheWireIsInDoubt(t *testing.T) {
	tests := []struct {
		name   string
		before sinks.Outcome
		reason string
	}{
		{"after a refusal", sinks.Outcome{Verdict: sinks.Rejected}, "rejected"},
		{"after a doubt that a person has settled", sinks.Outcome{Verdict: sinks.Rejected, InDoubt: true}, "in_doubt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.lane = onceUnlessHeld
				r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
					if n == 1 {
						return []sinks.Outcome{tt.before}, nil
					}
					return allTaken(rows), nil
				}
				r.start()
				r.changed("a", 7, "")
				r.wait(time.Second)
				r.wantLetter("a", tt.reason)
				r.sink.hold = make(chan struct{})
				r.wake(Wakeup{Key: key("a"), Cause: Replay})
				r.wait(2 * time.Second)
				r.wantSent("a:7", "a:7")
				r.restart()
				close(r.sink.hold)
				r.wait(5 * time.Minute)
				r.wantSent("a:7", "a:7", "a:7!")
				r.wantOutcome("a", "delivered 7")
				r.wantLetter("a", "")
			})
		})
	}
}

func TestUnsentCallLeavesNoDoubtBehind(t *testing.T) {
	refusals := map[string]func(rows []sinks.Row) ([]sinks.Outcome, error){
		"outage": func([]sinks.Row) ([]sinks.Outcome, error) {
			return nil, &retry.Error{Code: "http_503", Unsent: true, Over: true}
		},
		"retryable": func(rows []sinks.Row) ([]sinks.Outcome, error) {
			return []sinks.Outcome{{Verdict: sinks.Retryable, After: 10 * time.Second}}, nil
		},
		"rejected": func(rows []sinks.Row) ([]sinks.Outcome, error) {
			return []sinks.Outcome{{Verdict: sinks.Rejected}}, nil
		},
	}
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.lane = onceUnlessHeld
				r.sink.answer = func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) { return refuse(rows) }
				r.start()
				r.changed("a", 7, "")
				r.wait(300 * time.Millisecond)
				r.sink.say(nil)
				r.restart()
				if p := r.entry("a").Pending; p != nil && p.Doubt {
					t.Errorf("in doubt after a call without effect: %+v", p)
				}
			})
		})
	}
}

func TestDoubtOutlivesADeletion(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.lane = func(row sinks.Row) sinks.Lane {
			if row.Delete {
				return sinks.Lane{Name: "delete"}
			}
			return onceUnlessHeld(row)
		}
		r.sink.answer = loseFirst
		r.start()
		r.changed("a", 7, "")
		r.wait(100 * time.Millisecond)
		r.deleted("a", 8)
		r.wait(5 * time.Minute)
		sent, at := r.sink.sent(), r.sink.times()
		if last := len(sent) - 1; last < 1 || sent[last] != "a:8-!" || at[last].Sub(at[0]) < r.d.Timeout {
			t.Errorf("sent %q; want the deletion once the call that creates can't arrive any more", sent)
		}
		r.wantOutcome("a", "delivered 8")
	})
}

// A worker that was killed may have had a call under way that arrives late. What its
// successor sends of a newer version is sent once more when that is over.
func TestNewerVersionIsSentOnceMoreAfterAKilledWorkersCall(t *testing.T) {
	for name, later := range map[string]time.Duration{"folded": 0, "after it": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.took = time.Second
				r.start()
				r.changed("a", 1, "")
				r.changed("b", 1, "")
				r.wait(2 * time.Second)
				r.changed("a", 2, "")
				r.wait(500 * time.Millisecond) // it is under way
				if later == 0 {
					r.changed("a", 3, "")
				}
				r.restart()
				if later > 0 {
					r.wait(later)
					r.changed("a", 3, "")
				}
				r.changed("b", 2, "") // of whom nothing was under way
				r.wait(5 * time.Second)
				r.wantOutcome("a", "delivered 3")
				before := len(r.sink.sent())
				r.wait(time.Minute)
				sent := r.sink.sent()[before:]
				if len(sent) != 1 || !strings.HasPrefix(sent[0], "a:3") {
					t.Errorf("after the killed worker's call was over: sent %q, want a:3 once more", sent)
				}
				r.wantOutcome("a", "delivered 3")
				r.wantOutcome("b", "delivered 2")
				if p := r.entry("a").Pending; p != nil {
					t.Errorf("got pending %+v, want none", p)
				}
				r.wantSettled()
			})
		})
	}
}
