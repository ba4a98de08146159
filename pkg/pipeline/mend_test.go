package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// edit does what a person's edit does: the correction is stored, then the
// ledger says that it is in force, then the owner is told.
func (r *rig) edit(customer, id, note string) {
	r.t.Helper()
	k := key(customer)
	r.mu.Lock()
	data, mark, _ := r.newest(k)
	f := r.entries[k]
	r.mu.Unlock()
	patch := fmt.Appendf(nil, `{"note":%q}`, note)
	as, err := deadletter.Apply(data, patch)
	if err != nil {
		r.t.Fatal(err)
	}
	if f.Entry.Settled == nil || f.Entry.Settled.Outcome != ledger.Dead {
		r.t.Fatalf("%s is %+v, not dead", customer, f.Entry.Settled)
	}
	end := *f.Entry.Settled
	end.Edit = id
	f.Entry.Settled = &end
	r.mu.Lock()
	if r.edits[k] == nil {
		r.edits[k] = map[string]*deadletter.Edit{}
	}
	r.edits[k][id] = &deadletter.Edit{ID: id, Version: mark.Version, Seq: mark.Seq, Of: as.Of, Patch: patch}
	r.mu.Unlock()
	r.hold(customer, f.Entry)
	r.wake(Wakeup{Key: k, Cause: Retry})
}

// notes are what was sent of a customer, by what the renderer made of its note.
func (r *rig) notes() []string {
	var all []string
	for _, call := range r.sink.asked() {
		for _, row := range call.rows {
			all = append(all, string(row.Body))
		}
	}
	return all
}

func (r *rig) wantNotes(want ...string) {
	r.t.Helper()
	if got := r.notes(); !slices.Equal(got, want) {
		r.t.Errorf("sent\n%q, want\n%q", got, want)
	}
}

func (r *rig) wantEdits(customer string, want int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := len(r.edits[key(customer)]); got != want {
		r.t.Errorf("%d edits of %s are kept, want %d", got, customer, want)
	}
}

const mended = `{"v":1,"note":"good"}`

func TestReplayOfACorrectedLetterSendsItAsCorrected(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		r.wantLetter("a", "invalid")
		r.edit("a", "E", "good")
		r.wait(time.Minute)
		r.wantSent() // not before a person asks for it
		r.wantLetter("a", "invalid")
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Minute)
		r.wantNotes(mended)
		r.wantOutcome("a", "delivered 1")
		r.wantLetter("a", "")
		if e := r.entry("a"); e.Settled.Edit != "E" || e.Held.Hash != sinks.Hash([]byte(mended)) {
			t.Errorf("the ledger says %+v %+v, want the corrected row", e.Settled, e.Held)
		}

		// Nobody sends it as it was published after that.
		r.wake(Wakeup{Key: key("a"), Cause: Backfill})
		r.wait(time.Minute)
		r.restart()
		r.wake(Wakeup{Key: key("a"), Cause: Backfill})
		r.wait(time.Minute)
		r.wake(Wakeup{Key: key("a"), Cause: Retry})
		r.wait(time.Minute)
		r.wantNotes(mended)
		r.wake(Wakeup{Key: key("a"), Cause: Backfill, Force: true})
		r.wait(time.Minute)
		r.wantNotes(mended, mended)
		r.wantEdits("a", 1)

		// What comes after it is nobody's correction.
		r.changed("a", 2, "new")
		r.wait(time.Minute)
		r.wantNotes(mended, mended, `{"v":2,"note":"new"}`)
		r.wantEdits("a", 0)
		if e := r.entry("a"); e.Settled.Edit != "" {
			t.Errorf("the ledger says %+v", e.Settled)
		}
		r.wantSettled()
	})
}

func TestNewerVersionIsNotCorrected(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		r.edit("a", "E", "good")
		r.changed("a", 2, "bad")
		r.wait(time.Minute)
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Minute)
		r.wantSent()
		r.wantLetter("a", "invalid")
		r.wantOutcome("a", "dead 2")
		r.changed("a", 3, "fine")
		r.wait(time.Minute)
		r.wantNotes(`{"v":3,"note":"fine"}`)
		r.wantEdits("a", 0)
	})
}

func TestCorrectedRowIsRetriedAsCorrected(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Retry.Initial = 5 * time.Minute // beyond memory: by a wake-up
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			if n < 3 {
				return []sinks.Outcome{{Verdict: sinks.Retryable}}, nil
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		r.edit("a", "E", "good")
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Minute)
		r.wantNotes(mended)
		r.restart() // the event itself may come again to the next owner
		r.wait(time.Hour)
		r.wantNotes(mended, mended, mended)
		r.wantOutcome("a", "delivered 1")
		r.wantSettled()
	})
}

func TestCorrectedRowThatIsRefusedKeepsWhenItBeganAndItsEdit(t *testing.T) {
	inWorld(t, func(r *rig) {
		refused := func(int, []sinks.Row) ([]sinks.Outcome, error) {
			return []sinks.Outcome{{Verdict: sinks.Rejected, Message: "no"}}, nil
		}
		r.sink.answer = refused
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		first := r.letters[key("a")].FirstAt
		r.edit("a", "E", "good")
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Hour)
		r.wantLetter("a", "rejected")
		if l := r.letters[key("a")]; !l.FirstAt.Equal(first) || !l.LastAt.After(first) || string(l.Row) != mended {
			t.Errorf("got a letter from %v to %v with the row %s, want one that began at %v", l.FirstAt, l.LastAt, l.Row, first)
		}
		if s := r.entry("a").Settled; s.Edit != "E" {
			t.Errorf("the ledger says %+v, want the edit", s)
		}
		r.sink.say(nil)
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Minute)
		r.wantNotes(mended, mended)
		r.wantOutcome("a", "delivered 1")
	})
}

// A replay of the row as it was published waits in memory when a person corrects it.
func TestCorrectionReachesARowThatWaits(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Retry.Initial = 15 * time.Second // in memory
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			switch n {
			case 1:
				return []sinks.Outcome{{Verdict: sinks.Rejected}}, nil
			case 2:
				return []sinks.Outcome{{Verdict: sinks.Retryable}}, nil
			}
			return allTaken(rows), nil
		}
		r.start()
		r.changed("a", 1, "typo")
		r.wait(time.Minute)
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(2 * time.Second)
		r.edit("a", "E", "good")
		r.wait(time.Minute)
		typo := `{"v":1,"note":"typo"}`
		r.wantNotes(typo, typo, mended)
		r.wantOutcome("a", "delivered 1")
		r.wantLetter("a", "")
		r.wantSettled()
	})
}

// The same version published once more: the correction is of what it says.
func TestVersionPublishedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		note string
		want []string
		edit string
	}{
		"as it was":           {"bad", []string{mended}, "E"},
		"saying other things": {"other", []string{mended, `{"v":1,"note":"other"}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.start()
				r.changed("a", 1, "bad")
				r.wait(time.Minute)
				r.edit("a", "E", "good")
				r.wake(Wakeup{Key: key("a"), Cause: Replay})
				r.wait(time.Minute)
				r.changed("a", 1, test.note)
				r.wait(time.Minute)
				r.wake(Wakeup{Key: key("a"), Cause: Backfill})
				r.wait(time.Minute)
				r.wantNotes(test.want...)
				s := r.entry("a").Settled
				if s.Seq != 2 || s.Edit != test.edit {
					t.Errorf("the ledger says %+v, want the edit %q", s, test.edit)
				}
				r.wantEdits("a", len(test.edit))
				r.wantSettled()
			})
		})
	}
}

func TestCorrectionTakenBack(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Retry.Initial = 15 * time.Second
		r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
			return []sinks.Outcome{{Verdict: sinks.Retryable}}, nil
		}
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		r.edit("a", "E", "good")
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(2 * time.Second)
		r.wantNotes(mended)
		e := r.entry("a")
		end := *e.Settled
		end.Edit = ""
		e.Settled = &end
		r.hold("a", e)
		r.wake(Wakeup{Key: key("a"), Cause: Retry})
		r.wait(time.Hour)
		r.wantNotes(mended)
		r.wantLetter("a", "invalid")
		r.wantSettled()
	})
}

func TestCorrectionThatIsGoneIsNotPassedOver(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		r.edit("a", "E", "good")
		r.mu.Lock()
		clear(r.edits[key("a")])
		r.mu.Unlock()
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		r.wait(time.Minute)
		r.wantSent()
		r.wantLetter("a", "invalid")
		if got := r.letters[key("a")].Errors; len(got) != 1 || got[0].Message != errEditGone.Error() {
			t.Errorf("got %+v, want what to do", got)
		}
	})
}

// Whatever happens while a correction is read, the customer is not lost.
func TestStoppingWhileACorrectionIsRead(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.start()
		r.changed("a", 1, "bad")
		r.wait(time.Minute)
		r.edit("a", "E", "good")
		r.wait(time.Minute)
		r.delay(10 * time.Second)
		r.wake(Wakeup{Key: key("a"), Cause: Replay})
		for n := 0; r.reading.Load() == 0; n++ {
			if n == 100_000 {
				t.Fatal("nobody reads the correction")
			}
			r.wait(time.Millisecond)
		}
		r.halt()
		r.wantSent()
		r.delay(0)
		r.restart()
		r.wait(time.Minute)
		r.wantNotes(mended, mended) // a call with another correction may have been under way
		r.wantOutcome("a", "delivered 1")
		r.wantSettled()
	})
}
