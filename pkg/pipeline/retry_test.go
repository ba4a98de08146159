package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

func TestRetriesAreBounded(t *testing.T) {
	tests := []struct {
		name   string
		policy retry.Policy
		calls  int
	}{
		{"by attempts", retry.Policy{Initial: time.Second, Jitter: -1, MaxAttempts: 4}, 4},
		{"by attempts over wake-ups", retry.Policy{Initial: time.Minute, Jitter: -1, MaxAttempts: 4}, 4},
		{"by time", retry.Policy{Initial: time.Second, Multiplier: 1, Jitter: -1, MaxAttempts: 1000, MaxElapsed: 10 * time.Second}, 11},
		{"by time over wake-ups", retry.Policy{Initial: time.Minute, Multiplier: 1, Jitter: -1, MaxAttempts: 1000, MaxElapsed: 10 * time.Minute}, 11},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.d.Retry = tt.policy
				r.sink.answer = always(sinks.Outcome{Verdict: sinks.Retryable})
				r.start()
				r.changed("a", 7, "")
				r.wait(2 * time.Hour)
				if got := r.sink.count(); got < tt.calls-1 || got > tt.calls {
					t.Errorf("%d calls, want about %d", got, tt.calls)
				}
				r.wantOutcome("a", "dead 7")
				r.wantLetter("a", "exhausted")
				r.wantSettled()
			})
		})
	}
}

func TestNewerVersionStartsAttemptsAnew(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Retry.MaxAttempts = 3
		r.sink.answer = always(sinks.Outcome{Verdict: sinks.Retryable})
		r.start()
		r.changed("a", 7, "")
		r.wait(2 * time.Second) // two attempts, and parked
		r.changed("a", 8, "")
		r.wait(time.Minute)
		r.wantSent("a:7", "a:7", "a:8", "a:8", "a:8")
		r.wantOutcome("a", "dead 8")
	})
}

func TestShortWaitsKeepTheLoanAndLongOnesAreWoken(t *testing.T) {
	tests := []struct {
		name    string
		wait    time.Duration
		settled uint64 // while it waits
		woken   bool
	}{
		{"short", 15 * time.Second, 0, false},
		{"long", 40 * time.Second, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
					if n == 1 {
						return always(sinks.Outcome{Verdict: sinks.Retryable, After: tt.wait})(n, rows)
					}
					return allTaken(rows), nil
				}
				r.start()
				r.changed("a", 7, "")
				r.wait(10 * time.Second)
				if got := r.floor(); got != tt.settled {
					t.Errorf("settled up to %d, want %d", got, tt.settled)
				}
				if got := r.waiting() == 1; got != tt.woken {
					t.Errorf("a wake-up is set: %v, want %v", got, tt.woken)
				}
				r.wait(time.Minute)
				at := r.sink.times()
				if len(at) != 2 || at[1].Sub(at[0]) < tt.wait || at[1].Sub(at[0]) > tt.wait+time.Second {
					t.Errorf("calls at %v, want the second after %v", at, tt.wait)
				}
				r.wantOutcome("a", "delivered 7")
				if got := r.entry("a").Pending; got != nil {
					t.Errorf("still pending: %+v", got)
				}
				r.wantSettled()
			})
		})
	}
}

func TestRetryableRowDoesNotBlockOthers(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) {
			outcomes := allTaken(rows)
			for i := range rows {
				if rows[i].Customer == "c3" {
					outcomes[i] = sinks.Outcome{Verdict: sinks.Retryable}
				}
			}
			return outcomes, nil
		}
		r.start()
		r.many(10, "")
		r.wait(time.Second)
		if got := r.d.Snapshot().Counts.Delivered; got != 9 {
			t.Errorf("%d delivered, want 9", got)
		}
	})
}

// refuseWith refuses whole batches that hold one of the customers.
func refuseWith(customers ...string) func(int, []sinks.Row) ([]sinks.Outcome, error) {
	return func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) {
		for _, row := range rows {
			if slices.Contains(customers, row.Customer) {
				return nil, &retry.Error{Class: retry.Permanent, Code: "http_422", Unsent: true, Over: true}
			}
		}
		return allTaken(rows), nil
	}
}

func TestOneBadRowOfAHundredIsFoundByHalving(t *testing.T) {
	for _, bad := range []string{"c0", "c42", "c99"} {
		t.Run(bad, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.d.Rate = NewRate(2)
				r.sink.answer = refuseWith(bad)
				r.start()
				r.many(100, "")
				r.wait(time.Minute)
				if got := r.sink.count(); got > 16 {
					t.Errorf("%d calls, want 2·log2(100)+2 at most", got)
				}
				at := r.sink.times()
				if took := at[len(at)-1].Sub(at[0]); took < time.Duration(len(at)-2)*500*time.Millisecond {
					t.Errorf("%d calls within %v, at two a second", len(at), took)
				}
				if got := r.d.Snapshot().Counts; got.Delivered != 99 || got.Dead != 1 {
					t.Errorf("got %+v, want 99 delivered", got)
				}
				r.wantLetter(bad, "rejected")
				r.wantSettled()
			})
		})
	}
}

func TestHalvesOutlastAGateThatCloses(t *testing.T) {
	inWorld(t, func(r *rig) {
		refuse := refuseWith("c5")
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n > 2 && n < 8 {
				return nil, &retry.Error{Code: "http_503", Unsent: true, Over: true}
			}
			return refuse(n, rows)
		}
		r.start()
		r.many(16, "")
		r.wait(100 * time.Millisecond)
		r.changed("c1", 2, "")
		r.wait(10 * time.Minute)
		if got := r.d.Snapshot().Counts; got.Dead != 1 || r.gate() != Running {
			t.Errorf("got %+v and a gate that is %s, want one letter", got, r.gate())
		}
		r.wantOutcome("c1", "delivered 2")
		r.wantLetter("c5", "rejected")
		r.wantSettled()
	})
}

func TestRowWithoutAVerdictBesideARefusalIsNotBlamed(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n == 1 {
				return allTaken(rows)[:len(rows)-1], &retry.Error{Class: retry.Permanent, Code: "http_400", Over: true}
			}
			return allTaken(rows), nil
		}
		r.start()
		r.many(10, "")
		r.wait(time.Minute)
		if got := r.d.Snapshot().Counts; got.Delivered != 10 || got.Dead != 0 {
			t.Errorf("got %+v, want all delivered", got)
		}
	})
}

func TestRowsThatAnAnswerLeavesOutAreSentAgain(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			outcomes := allTaken(rows)
			if n == 1 {
				outcomes[3] = sinks.Outcome{}
				outcomes = outcomes[:8]
			}
			return outcomes, nil
		}
		r.start()
		r.many(10, "")
		r.wait(time.Minute)
		sent := r.sink.sent()
		if len(sent) != 2 || len(sent[1]) != len("c3:1! c8:1! c9:1!") || !strings.Contains(sent[1], "c3:1!") {
			t.Errorf("sent %q, want what was left out once more", sent)
		}
		r.wantSettled()
	})
}

// A row that the provider never answers for, while it answers for others, is
// found: it ends alone, in the end as a dead letter, and takes nobody along.
func TestRowThatIsNeverAnsweredEndsAlone(t *testing.T) {
	mute := map[string]func([]sinks.Outcome, int) ([]sinks.Outcome, error){
		"left out": func(o []sinks.Outcome, i int) ([]sinks.Outcome, error) {
			o[i] = sinks.Outcome{}
			return o, nil
		},
		"breaks the call": func([]sinks.Outcome, int) ([]sinks.Outcome, error) { return nil, errLost },
	}
	for name, answer := range mute {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.sink.answer = func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) {
					for i := range rows {
						if rows[i].Customer == "c4" {
							return answer(allTaken(rows), i)
						}
					}
					return allTaken(rows), nil
				}
				r.start()
				for v := range int64(600) {
					for _, c := range []string{"c1", "c2", "c3"} {
						r.changed(c, v, "")
					}
					if v == 0 {
						r.changed("c4", 1, "")
					}
					r.wait(20 * time.Second)
				}
				r.wait(time.Hour)
				r.wantOutcome("c1", "delivered 599")
				r.wantLetter("c4", "exhausted")
				if got := r.d.Snapshot().Counts.Dead; got != 1 {
					t.Errorf("%d letters, want 1", got)
				}
				r.wantSettled()
			})
		})
	}
}

// noteRenderer sends the note alone, so that two versions may be the same row.
type noteRenderer struct{}

func (noteRenderer) Render(ev *events.Event) (Rendered, error) {
	body := fmt.Appendf(nil, `{"note":%q}`, ev.Customer.Note.V)
	return Rendered{Admitted: true, Body: body, Hash: sinks.Hash(body)}, nil
}

// What was applied in part is no longer what the ledger says that the provider
// has: a version that equals the ledger's is sent all the same.
func TestPartlyAppliedRowIsOverwritten(t *testing.T) {
	for name, verdict := range map[string]sinks.Verdict{"rejected": sinks.Rejected, "retryable": sinks.Retryable} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprint(name, restarts), func(t *testing.T) {
				inWorld(t, func(r *rig) {
					r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
						if rows[0].Version == 8 {
							return always(sinks.Outcome{Verdict: verdict, Partly: true})(n, rows)
						}
						return allTaken(rows), nil
					}
					r.d.Renderer = noteRenderer{}
					r.start()
					r.changed("a", 7, "same")
					r.wait(time.Second)
					r.changed("a", 8, "other")
					r.wait(time.Second)
					if restarts {
						r.end()
						r.takeOver()
						r.d = r.destination()
						r.d.Renderer = noteRenderer{}
						r.start()
					}
					r.changed("a", 9, "same")
					r.wait(time.Minute)
					if sent := r.sink.sent(); !strings.HasPrefix(sent[len(sent)-1], "a:9") {
						t.Errorf("got %v, want version 9 last", sent)
					}
					r.wantOutcome("a", "delivered 9")
					r.wantSettled()
				})
			})
		}
	}
}
