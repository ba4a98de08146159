package ops

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/deadletter"
)

func TestLettersAreListedAndShown(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("a.b@c", 1, "")
	f.publish("good", 1, "Adams")
	for _, at := range []string{"one", "two"} {
		f.becomes("a.b@c", at, Dead)
		f.becomes("good", at, InStep)
	}
	all := f.letters(Filter{})
	if len(all) != 2 {
		t.Fatalf("got %d letters, want one at each destination", len(all))
	}
	l := f.letters(Filter{Destination: "one"})[0]
	if l.Shop != "acme" || l.Customer != "a.b@c" || l.Version != 1 || l.Reason != deadletter.Invalid || len(l.Errors) == 0 || l.Fingerprint == "" || l.LastAt.IsZero() {
		t.Errorf("got %+v", l)
	}
	for name, none := range map[string]Filter{
		"reason": {Reason: deadletter.Rejected}, "shop": {Shop: "other"},
		"customer": {Customer: "good"}, "fingerprint": {Fingerprint: "00"}, "age": {OlderThan: time.Hour},
	} {
		if got := f.letters(none); len(got) != 0 {
			t.Errorf("by %s: got %+v, want none", name, got)
		}
	}
	for _, err := range f.desk.Letters(testContext(t), Filter{Destination: "three"}) {
		if !errors.As(err, new(*UnknownDestination)) {
			t.Errorf("of a destination that is not there: got error %v", err)
		}
	}
	if got := f.letters(Filter{Shop: "acme", Customer: "a.b@c", Reason: deadletter.Invalid, Fingerprint: l.Fingerprint}); len(got) != 1 {
		t.Errorf("by all that is true of one: got %+v", got)
	}

	shown := 0
	for w, err := range f.desk.Show(testContext(t), Filter{Destination: "one", Customer: "a.b@c"}) {
		if err != nil {
			t.Fatal(err)
		}
		if shown++; !strings.Contains(string(w.Event), `"subject":"a.b@c"`) || !json.Valid(w.Row) {
			t.Errorf("got event %s and row %s", w.Event, w.Row)
		}
	}
	if shown != 1 {
		t.Errorf("%d letters were shown, want 1", shown)
	}

	groups, err := f.desk.Groups(testContext(t), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(groups) != 2 || groups[0].Letters != 1 || groups[0].Field != "surname" || groups[0].Example != (Example{"acme", "a.b@c"}) {
		t.Errorf("got groups %+v, want one for each destination", groups)
	}
}

func TestGroupsCountByCause(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	for _, c := range []string{"a", "b", "c"} {
		f.publish(c, 1, "")
	}
	for _, c := range []string{"a", "b", "c"} {
		f.becomes(c, "one", Dead)
	}
	groups, err := f.desk.Groups(testContext(t), Filter{Destination: "one"})
	if err != nil {
		t.Fatal(err)
	}
	if len(groups) != 1 || groups[0].Letters != 3 || groups[0].LastAt.Before(groups[0].FirstAt) {
		t.Errorf("got %+v, want one group of three", groups)
	}
}

func TestWhatIsNoJSONIsShownAsText(t *testing.T) {
	for in, want := range map[string]string{`{"a":1}`: `{"a":1}`, "<html>": `"\u003chtml\u003e"`, "\xff": `"\ufffd"`} {
		if got := string(asJSON([]byte(in))); got != want {
			t.Errorf("asJSON(%q): got %s, want %s", in, got, want)
		}
	}
	if got := asJSON(nil); got != nil {
		t.Errorf("of nothing: got %s", got)
	}
}

// The provider's rules are mended in the meantime, so that the same version gets
// through: to the letter's destination, and to no other.
func TestReplayTouchesItsDestinationOnly(t *testing.T) {
	f := newFleet(t, "")
	refuse(f.one, "x")
	refuse(f.two, "x")
	f.start()
	f.publish("x", 1, "Adams")
	f.becomes("x", "one", Dead)
	f.becomes("x", "two", Dead)
	f.one.Faults().Clear()
	f.two.Faults().Clear()
	calls := f.two.Book().Counters().Calls

	dry, err := f.desk.Replay(testContext(t), Filter{Destination: "one"}, Bulk{DryRun: true})
	if want := (ReplayResult{Selected: 1, DryRun: true}); err != nil || dry.bare() != want {
		t.Errorf("dry: got %+v and error %v, want %+v", dry, err, want)
	}
	told := 0
	done, err := f.desk.Replay(testContext(t), Filter{Destination: "one"}, Bulk{Progress: func(n int) { told = n }})
	if want := (ReplayResult{Selected: 1, Queued: 1}); err != nil || done.bare() != want || told != 1 {
		t.Errorf("got %+v, error %v and progress %d, want %+v", done, err, told, want)
	}
	f.becomes("x", "one", InStep)
	until(t, "the letter is gone", func() bool { return len(f.letters(Filter{Destination: "one"})) == 0 })
	if got := f.letters(Filter{}); len(got) != 1 || got[0].Destination != "two" {
		t.Errorf("got %+v, want the other destination's letter", got)
	}
	if got := f.two.Book().Counters().Calls; got != calls {
		t.Errorf("the other provider got %d calls", got-calls)
	}
}

func TestReplayTellsWhatItCouldNotQueue(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1, "")
	f.becomes("x", "one", Dead)
	f.becomes("x", "two", Dead)
	f.desk.Config.Destinations = f.desk.Config.Destinations[:1]
	done, err := f.desk.Replay(testContext(t), Filter{}, Bulk{})
	if done.Selected != 2 || done.Queued != 1 || err == nil {
		t.Errorf("got %+v and error %v, want one of two queued", done, err)
	}
}

// refuse makes a stand-in refuse a customer's rows.
func refuse(p *sandbox.Thulium, customer string) {
	p.Faults().Set(sandbox.Fault{Kind: sandbox.RowError, Key: customer, Status: 422})
}

func TestDiscardAndUndo(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1, "")
	f.publish("y", 1, "")
	for _, c := range []string{"x", "y"} {
		f.becomes(c, "one", Dead)
		f.becomes(c, "two", Dead)
	}
	ctx := testContext(t)
	before := f.letters(Filter{Destination: "one", Customer: "x"})
	select1 := Filter{Destination: "one", Customer: "x"}
	if done, err := f.desk.Discard(ctx, select1, Bulk{DryRun: true}); err != nil || done.bare() != (DiscardResult{Selected: 1, DryRun: true}) {
		t.Errorf("dry: got %+v and error %v", done, err)
	}
	if done, err := f.desk.Discard(ctx, select1, Bulk{Note: "as agreed"}); err != nil || done.bare() != (DiscardResult{Selected: 1, Discarded: 1}) {
		t.Fatalf("got %+v and error %v", done, err)
	}
	if got := f.at("x", "one").State; got != Discarded {
		t.Errorf("got state %s, want discarded", got)
	}
	if got := f.letters(Filter{}); len(got) != 3 {
		t.Errorf("got letters %+v, want the three others", got)
	}
	if done, err := f.desk.Discard(ctx, select1, Bulk{}); err != nil || done.bare() != (DiscardResult{}) {
		t.Errorf("again: got %+v and error %v", done, err)
	}

	if done, err := f.desk.Undo(ctx, Filter{Customer: "y"}, Bulk{}); err != nil || done != (UndoResult{}) {
		t.Errorf("undo of what was not discarded: got %+v and error %v", done, err)
	}
	if done, err := f.desk.Undo(ctx, select1, Bulk{}); err != nil || done != (UndoResult{Restored: 1}) {
		t.Fatalf("undo: got %+v and error %v", done, err)
	}
	after := f.letters(select1)
	if len(after) != 1 || after[0].Fingerprint != before[0].Fingerprint || !after[0].LastAt.Equal(before[0].LastAt) {
		t.Errorf("after undo: got %+v, want %+v", after, before)
	}
	if got := f.at("x", "one").State; got != Dead {
		t.Errorf("after undo: got state %s, want dead", got)
	}

	// The owner's own entry is of before; the next version goes out all the same.
	if _, err := f.desk.Discard(ctx, select1, Bulk{}); err != nil {
		t.Fatal(err)
	}
	if done, err := f.desk.Undo(ctx, select1, Bulk{DryRun: true}); err != nil || done.Restored != 1 || !done.DryRun || done.UpTo == 0 {
		t.Errorf("dry undo of what was discarded twice: got %+v and error %v", done, err)
	}
	f.publish("x", 2, "Adams")
	f.becomes("x", "one", InStep)
	if done, err := f.desk.Undo(ctx, select1, Bulk{}); err != nil || done != (UndoResult{}) {
		t.Errorf("undo of what a newer version has reached: got %+v and error %v", done, err)
	}

	var verbs []string
	for a, err := range f.desk.Streams.Actions(ctx, "", "one") {
		if err != nil {
			t.Fatal(err)
		}
		verbs = append(verbs, a.Verb)
		var told struct {
			At       time.Time `json:"at"`
			By       string    `json:"by"`
			Customer string    `json:"customer"`
		}
		if err := json.Unmarshal(a.Body, &told); err != nil || told.By != "tester" || told.Customer != "x" || told.At.IsZero() {
			t.Errorf("got action %s, error %v", a.Body, err)
		}
	}
	if want := []string{"discard", "undo", "discard"}; !slices.Equal(verbs, want) {
		t.Errorf("got actions %v, want %v", verbs, want)
	}
}
