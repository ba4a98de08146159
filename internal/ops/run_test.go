package ops

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// bare is a result without what to go on by.
func (r ReplayResult) bare() ReplayResult   { r.Began = Began{}; return r }
func (r DiscardResult) bare() DiscardResult { r.Began = Began{}; return r }
func (r EditResult) bare() EditResult       { r.Began = Began{}; return r }

// buried starts a worker and has so many customers die at the first destination,
// which nobody works on then.
func buried(t *testing.T, n int) *fleet {
	t.Helper()
	f := newFleet(t, "")
	f.desk.Config.Destinations = f.desk.Config.Destinations[:1]
	f.start()
	f.bury("c", n)
	return f
}

func (f *fleet) bury(name string, n int) {
	f.t.Helper()
	before := len(f.letters(Filter{}))
	for i := range n {
		f.publish(fmt.Sprint(name, i), 1, "")
	}
	until(f.t, "all are dead", func() bool { return len(f.letters(Filter{})) == before+n })
}

// cut ends an act as soon as ten are done.
func cut(t *testing.T, b Bulk) (context.Context, Bulk) {
	ctx, cancel := context.WithCancel(testContext(t))
	b.Progress = func(done int) {
		if done >= 10 {
			cancel()
		}
	}
	return ctx, b
}

// Whoever loses sight of an act knows all the same what to go on by.
func TestAnActSaysFirstWhatToGoOnBy(t *testing.T) {
	const n = 40
	f := buried(t, n)
	f.halt()
	var began Began
	told := 0
	ctx, b := cut(t, Bulk{Rate: 40, Began: func(as Began) { began = as; told++ }})
	progress := b.Progress
	b.Progress = func(done int) {
		if told != 1 {
			t.Errorf("told %d times how it began before the first letter was done", told)
		}
		progress(done)
	}
	first, err := f.desk.Replay(ctx, Filter{}, b)
	if err == nil || told != 1 || began.Run == "" || began.UpTo == 0 || first.Began != began {
		t.Fatalf("got %+v, %+v, told %d times, and error %v", first, began, told, err)
	}
	rest, err := f.desk.ResumeReplay(testContext(t), began.Run, Bulk{})
	if err != nil || rest.QueuedBefore != first.Queued || rest.QueuedBefore+rest.Queued != n || rest.Run != "" {
		t.Errorf("got %+v and error %v, want the other %d", rest, err, n-first.Queued)
	}
	// A worker that was killed tells nothing more.
	killed := replayNote{Run: "KILLED", UpTo: began.UpTo}
	if err := f.desk.note(testContext(t), verbReplay, "", killed); err != nil {
		t.Fatal(err)
	}
	if all, err := f.desk.ResumeReplay(testContext(t), killed.Run, Bulk{}); err != nil || all.Queued != n {
		t.Errorf("after a kill: got %+v and error %v, want all", all, err)
	}
	for name, act := range map[string]func(Bulk) error{
		"replay": func(b Bulk) error { _, err := f.desk.Replay(testContext(t), Filter{Customer: "nobody"}, b); return err },
		"discard": func(b Bulk) error {
			_, err := f.desk.Discard(testContext(t), Filter{Customer: "nobody"}, b)
			return err
		},
		"dry": func(b Bulk) error { b.DryRun = true; _, err := f.desk.Discard(testContext(t), Filter{}, b); return err },
	} {
		if err := act(Bulk{Began: func(Began) { t.Errorf("%s: nothing is done, but it began", name) }}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Letters that come after a person has looked are left alone.
func TestAnActKeepsToWhatWasSeen(t *testing.T) {
	f := buried(t, 3)
	ctx := testContext(t)
	patch := []byte(`{"note":"a"}`)
	seen := map[string]uint64{}
	replay, err := f.desk.Replay(ctx, Filter{}, Bulk{DryRun: true})
	seen["replay"] = replay.UpTo
	edit, err2 := f.desk.Edit(ctx, Filter{}, patch, Bulk{DryRun: true})
	seen["edit"] = edit.UpTo
	discard, err3 := f.desk.Discard(ctx, Filter{}, Bulk{DryRun: true})
	seen["discard"] = discard.UpTo
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	f.bury("late", 2)
	f.halt()
	if done, err := f.desk.Edit(ctx, Filter{UpTo: seen["edit"]}, patch, Bulk{DryRun: true}); err != nil || done.Selected != 3 || done.UpTo != seen["edit"] {
		t.Errorf("edit: got %+v and error %v, want the three that were there", done, err)
	}
	if done, err := f.desk.Replay(ctx, Filter{UpTo: seen["replay"]}, Bulk{}); err != nil || done.bare() != (ReplayResult{Selected: 3, Queued: 3}) {
		t.Errorf("replay: got %+v and error %v, want the three that were there", done, err)
	}
	if done, err := f.desk.Discard(ctx, Filter{UpTo: seen["discard"]}, Bulk{}); err != nil || done.bare() != (DiscardResult{Selected: 3, Discarded: 3}) {
		t.Errorf("discard: got %+v and error %v, want the three that were there", done, err)
	}
	looked, err := f.desk.Undo(ctx, Filter{}, Bulk{DryRun: true})
	if err != nil || looked.Restored != 3 {
		t.Fatalf("got %+v and error %v", looked, err)
	}
	if done, err := f.desk.Discard(ctx, Filter{}, Bulk{}); err != nil || done.Discarded != 2 {
		t.Errorf("got %+v and error %v, want the late ones", done, err)
	}
	if done, err := f.desk.Undo(ctx, Filter{UpTo: looked.UpTo}, Bulk{}); err != nil || done != (UndoResult{Restored: 3}) {
		t.Errorf("undo: got %+v and error %v, want the three that were seen", done, err)
	}
}

// What is told to be discarded is, though not all was, and an undo of it restores
// that and nothing that was discarded before.
func TestADiscardIsCutShortAndUndone(t *testing.T) {
	const n = 40
	f := buried(t, n)
	f.bury("before", 2)
	f.halt()
	for _, c := range []string{"before0", "before1"} {
		if _, err := f.desk.Discard(testContext(t), Filter{Customer: c}, Bulk{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, b := cut(t, Bulk{Rate: 40})
	done, err := f.desk.Discard(ctx, Filter{}, b)
	if !errors.Is(err, context.Canceled) || done.Discarded < 10 || done.Discarded >= n || done.Run == "" || done.UpTo == 0 {
		t.Fatalf("cut short: got %+v and error %v", done, err)
	}
	if got := len(f.letters(Filter{})); got != n-done.Discarded {
		t.Errorf("%d letters are open, want all but the %d that it told", got, done.Discarded)
	}
	if undone, err := f.desk.Undo(testContext(t), Filter{Run: done.Run}, Bulk{}); err != nil || undone != (UndoResult{Restored: done.Discarded}) {
		t.Errorf("got %+v and error %v, want the %d that it discarded", undone, err, done.Discarded)
	}
	if got := len(f.letters(Filter{})); got != n {
		t.Errorf("%d letters are open, want %d", got, n)
	}
}

func TestEditKeepsToItsRate(t *testing.T) {
	const n = 40
	f := buried(t, n)
	ctx, b := cut(t, Bulk{Rate: 40})
	done, err := f.desk.Edit(ctx, Filter{}, []byte(`{"last_name":"Adams"}`), b)
	if !errors.Is(err, context.Canceled) || done.Edited < 10 || done.Edited >= n {
		t.Fatalf("got %+v and error %v, want a part", done, err)
	}
	edited := 0
	for _, l := range f.letters(Filter{}) {
		if l.Edited {
			edited++
		}
	}
	if edited != done.Edited {
		t.Errorf("%d letters are edited, want the %d that it told", edited, done.Edited)
	}
	rest, err := f.desk.Edit(testContext(t), Filter{UpTo: done.UpTo}, []byte(`{"last_name":"Adams"}`), Bulk{})
	if err != nil || rest.Edited != n-done.Edited {
		t.Errorf("once more: got %+v and error %v, want the rest", rest, err)
	}
}
