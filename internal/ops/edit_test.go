package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
)

// rows gathers what a dry run tells.
type rows []Would

func (r *rows) take(w *Would) error {
	*r = append(*r, *w)
	return nil
}

// surname is what a provider holds of a customer.
func surname(t testing.TB, p *sandbox.Thulium, customer string) string {
	t.Helper()
	held, _ := p.Book().Held(customer)
	if len(held.Records) != 1 {
		t.Fatalf("%s has %d records, want 1", customer, len(held.Records))
	}
	var name string
	if err := json.Unmarshal(held.Records[0].Fields["surname"], &name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEditMendsForOneDestination(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1, "")
	f.becomes("x", "one", Dead)
	f.becomes("x", "two", Dead)
	ctx := testContext(t)
	patch := []byte(`{"last_name":"Adams"}`)
	one := Filter{Destination: "one"}

	var told rows
	if done, err := f.desk.Edit(ctx, one, patch, Bulk{DryRun: true, Row: told.take}); err != nil || done.bare() != (EditResult{Selected: 1, Edited: 1, DryRun: true}) {
		t.Errorf("dry: got %+v and error %v", done, err)
	}
	if len(told) != 1 || told[0].Would != WouldSend || !strings.Contains(string(told[0].Row), `"surname":"Adams"`) ||
		!strings.Contains(string(told[0].Data), `"last_name":"Adams"`) || !told[0].Edited {
		t.Errorf("dry: told %+v", told)
	}
	if l := f.letters(one); l[0].Edited {
		t.Errorf("a dry run left %+v", l)
	}

	if done, err := f.desk.Edit(ctx, one, patch, Bulk{Note: "as she said"}); err != nil || done.bare() != (EditResult{Selected: 1, Edited: 1}) {
		t.Fatalf("got %+v and error %v", done, err)
	}
	if l := f.letters(one); len(l) != 1 || !l[0].Edited || f.letters(Filter{Destination: "two"})[0].Edited {
		t.Errorf("got %+v, want this letter edited and no other", l)
	}
	for w, err := range f.desk.Show(ctx, one) {
		if err != nil || w.Edit == nil || string(w.Edit.Patch) != string(patch) || w.Edit.By != "tester" || w.Edit.Note != "as she said" ||
			!strings.Contains(string(w.Edit.Customer), `"last_name":"Adams"`) || strings.Contains(string(w.Event), "Adams") {
			t.Errorf("got %+v and error %v", w, err)
		}
	}
	told = nil
	if _, err := f.desk.Replay(ctx, Filter{}, Bulk{DryRun: true, Row: told.take}); err != nil || len(told) != 2 {
		t.Fatalf("told %+v and error %v", told, err)
	}
	for _, w := range told {
		want := map[string]string{"one": WouldSend, "two": WouldRefuse}[w.Destination]
		if w.Would != want {
			t.Errorf("replay would %s at %s, want %s", w.Would, w.Destination, want)
		}
	}

	// Once more, on top of it; then it is replayed by another worker.
	if done, err := f.desk.Edit(ctx, one, []byte(`{"note":"mended"}`), Bulk{}); err != nil || done.Edited != 1 {
		t.Fatalf("got %+v and error %v", done, err)
	}
	f.halt()
	if done, err := f.desk.Replay(ctx, one, Bulk{}); err != nil || done.Queued != 1 || done.Run != "" {
		t.Errorf("got %+v and error %v", done, err)
	}
	f.start()
	f.becomes("x", "one", InStep)
	if got := surname(t, f.one, "x"); got != "Adams" {
		t.Errorf("the provider holds %s", got)
	}
	until(t, "the letter is gone", func() bool { return len(f.letters(one)) == 0 })
	if f.at("x", "two").State != Dead || f.two.Book().Len() != 0 {
		t.Error("the other destination was touched")
	}

	// Nobody sends it as it was published.
	rowsBefore := f.one.Book().Counters().Rows
	if _, err := f.desk.Backfill(ctx, "one", Bulk{}); err != nil {
		t.Fatal(err)
	}
	f.publish("y", 1, "Brown")
	f.becomes("y", "one", InStep)
	until(t, "the backfill is done", func() bool { s, err := f.desk.Status(ctx); return err == nil && s.Destinations[0].Waiting == 0 })
	if got := f.one.Book().Counters().Rows - rowsBefore; got != 1 {
		t.Errorf("%d rows were sent after a backfill, want the new customer's", got)
	}
	audit, err := f.desk.Audit(ctx, nil)
	if err != nil || audit.Lost != 0 || audit.Regressed != 0 || audit.Destinations[0].InStep != 2 {
		t.Errorf("audit: got %+v and error %v", audit, err)
	}

	// The next version is the shop's word again.
	f.publish("x", 2, "Clark")
	until(t, "the next version is there", func() bool { return surname(t, f.one, "x") == "Clark" })
	if e := f.at("x", "one").Ledger; e.Settled.Edit != "" {
		t.Errorf("the ledger says %+v", e.Settled)
	}

	var fields []string
	for a, err := range f.desk.Streams.Actions(ctx, "edit", "one") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(a.Body), "Adams") || strings.Contains(string(a.Body), "mended") {
			t.Errorf("the record repeats the customer's data: %s", a.Body)
		}
		var n editNote
		if err := json.Unmarshal(a.Body, &n); err != nil || n.By != "tester" || n.Customer != "x" || n.Version != 1 {
			t.Errorf("got action %s and error %v", a.Body, err)
		}
		fields = append(fields, n.Fields...)
	}
	if want := []string{"last_name", "last_name", "note"}; !slices.Equal(fields, want) {
		t.Errorf("got fields %v, want %v", fields, want)
	}
}

func TestEditThatIsRefusedChangesNothing(t *testing.T) {
	f := newFleet(t, "")
	refuse(f.one, "x")
	f.start()
	f.publish("x", 1, "Adams")
	f.publish("nameless", 1, "")
	f.becomes("x", "one", Dead)
	f.becomes("nameless", "one", Dead)
	ctx := testContext(t)
	before := f.at("x", "one").Ledger.Settled

	for name, test := range map[string]struct{ patch, words string }{
		"no JSON": {`{`, "no JSON"}, "a list": {`[]`, "no JSON object"}, "id": {`{"id":"y"}`, `"id"`},
		"version": {`{"version":9}`, `"version"`}, "too large": {`{"note":"` + strings.Repeat("x", 70_000) + `"}`, "64 KiB"},
	} {
		if _, err := f.desk.Edit(ctx, Filter{}, []byte(test.patch), Bulk{}); !errors.As(err, new(*Misuse)) || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: got error %v, want a misuse with %q", name, err, test.words)
		}
	}
	if _, err := f.desk.Edit(ctx, Filter{Destination: "none"}, []byte(`{}`), Bulk{}); !errors.As(err, new(*UnknownDestination)) {
		t.Errorf("of a destination that is not there: got error %v", err)
	}
	one := Filter{Destination: "one", Customer: "x"}
	for name, test := range map[string]struct {
		patch, field, path string
	}{
		"breaks a rule":        {`{"phone":"call me"}`, "phone_number", "phone"},
		"misses a field":       {`{"last_name":null}`, "surname", ""},
		"is of another type":   {`{"phone":7}`, "data.phone", ""},
		"breaks another field": {`{"email":"a b"}`, "email", "email"},
	} {
		var told rows
		done, err := f.desk.Edit(ctx, one, []byte(test.patch), Bulk{Row: told.take, Paths: true})
		if err != nil || done.bare() != (EditResult{Selected: 1, Refused: 1}) || len(told) != 1 {
			t.Fatalf("%s: got %+v, %+v and error %v", name, done, told, err)
		}
		if w := told[0]; w.Would != WouldRefuse || len(w.Errors) != 1 || w.Errors[0].Field != test.field || w.Errors[0].Path != test.path || w.Errors[0].Message == "" {
			t.Errorf("%s: told %+v", name, told[0])
		}
	}
	// What is valid among what is not is edited, and nothing else.
	var told rows
	done, err := f.desk.Edit(ctx, Filter{Destination: "one"}, []byte(`{"note":"a"}`), Bulk{Row: told.take})
	if err != nil || done.bare() != (EditResult{Selected: 2, Edited: 1, Refused: 1}) || len(told) != 1 || told[0].Customer != "nameless" {
		t.Errorf("got %+v, %+v and error %v, want one of two", done, told, err)
	}
	if done, err := f.desk.Edit(ctx, Filter{Destination: "one"}, []byte(`{"note":"a"}`), Bulk{}); err != nil || done.bare() != (EditResult{Selected: 2, Unchanged: 1, Refused: 1}) {
		t.Errorf("once more: got %+v and error %v", done, err)
	}
	if done, err := f.desk.Edit(ctx, Filter{Destination: "one"}, []byte(`null`), Bulk{}); err != nil || done.bare() != (EditResult{Selected: 2, Edited: 1, Refused: 1}) {
		t.Errorf("taken back: got %+v and error %v", done, err)
	}
	if after := f.at("x", "one").Ledger.Settled; *after != *before {
		t.Errorf("the ledger says %+v, want %+v", after, before)
	}
	if got := f.letters(one); got[0].Edited {
		t.Errorf("got %+v", got)
	}
}

func TestDryRunsTellEachRow(t *testing.T) {
	f := newFleet(t, "")
	refuse(f.one, "refused")
	f.start()
	f.publish("invalid", 1, "")
	f.publish("refused", 1, "Adams")
	f.publish("overtaken", 1, "")
	if _, err := f.publisher.PublishRaw(testContext(t), "acme", "nonsense", "n", []byte(`{"no":"event"}`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"invalid", "refused", "overtaken", "nonsense"} {
		f.becomes(c, "one", Dead)
	}
	f.halt()
	f.publish("overtaken", 2, "Brown")
	var told rows
	if _, err := f.desk.Replay(testContext(t), Filter{Destination: "one"}, Bulk{DryRun: true, Row: told.take}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"invalid": WouldRefuse, "refused": WouldSend, "overtaken": WouldSupersede, "nonsense": WouldRefuse}
	for _, w := range told {
		if w.Would != want[w.Customer] {
			t.Errorf("%s: would %s, want %s (%+v)", w.Customer, w.Would, want[w.Customer], w)
		}
		if w.Would == WouldRefuse && (w.Reason == "" || len(w.Errors) == 0) {
			t.Errorf("%s: told %+v without a reason", w.Customer, w)
		}
	}
	if len(told) != len(want) {
		t.Errorf("%d rows were told, want %d", len(told), len(want))
	}
	told = nil
	if done, err := f.desk.Discard(testContext(t), Filter{Destination: "one"}, Bulk{DryRun: true, Row: told.take}); err != nil || done.Selected != 4 || len(told) != 4 || told[0].Would != WouldDiscard {
		t.Errorf("discard: got %+v, %+v and error %v", done, told, err)
	}
	told = nil
	done, err := f.desk.Edit(testContext(t), Filter{Destination: "one"}, []byte(`{"last_name":"X"}`), Bulk{DryRun: true, Row: told.take})
	if err != nil || done.bare() != (EditResult{Selected: 4, Edited: 2, Moved: 1, Refused: 1, DryRun: true}) || len(told) != 4 {
		t.Errorf("edit: got %+v, %+v and error %v", done, told, err)
	}
}

func TestReplayIsResumed(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	const n = 40
	for i := range n {
		f.publish(fmt.Sprint("c", i), 1, "")
	}
	until(t, "all are dead", func() bool { return len(f.letters(Filter{Destination: "one"})) == n })
	f.halt()
	ctx, cancel := context.WithCancel(testContext(t))
	done, err := f.desk.Replay(ctx, Filter{Destination: "one"}, Bulk{Rate: 40, Progress: func(done int) {
		if done >= 10 {
			cancel()
		}
	}})
	if err == nil || done.Run == "" || done.Queued < 10 || done.Queued >= n {
		t.Fatalf("cut short: got %+v and error %v", done, err)
	}
	rest, err := f.desk.ResumeReplay(testContext(t), done.Run, Bulk{})
	if err != nil || rest.Run != "" || rest.Queued != n-done.Queued {
		t.Errorf("resumed: got %+v and error %v, want the other %d", rest, err, n-done.Queued)
	}
	for _, run := range []string{done.Run, "NONE", ""} {
		if _, err := f.desk.ResumeReplay(testContext(t), run, Bulk{}); !errors.As(err, new(*Misuse)) {
			t.Errorf("resume of %q: got error %v, want what to do", run, err)
		}
	}
	f.start() // all come back refused, and none is replayed for ever
	until(t, "all came back", func() bool {
		late := 0
		for _, l := range f.letters(Filter{Destination: "one"}) {
			if l.LastAt.Sub(l.FirstAt) > 0 {
				late++
			}
		}
		return late == n
	})
}

// What one bad deploy breaks, one person mends: with one patch and one replay, and
// without overwriting who was mended by the shop meanwhile.
func TestTenThousandLettersAreMendedAtOnce(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	f := newFleet(t, "")
	f.desk.Config.Destinations = f.desk.Config.Destinations[:1]
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	publish := func(i int, version int64, phone string) {
		ev := &events.Event{Type: events.Changed, Shop: "acme", Customer: events.Customer{
			ID: fmt.Sprint("c", i), Version: events.Some(version), LastName: events.Some("Adams"), Phone: events.Some(phone),
		}}
		if err := f.publisher.PublishAsync(ctx, ev, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		publish(i, 1, "n/a")
	}
	if err := f.publisher.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	f.start()
	count := func() uint64 {
		s, err := f.desk.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s.Destinations[0].Dead
	}
	wait := func(what string, cond func() bool) {
		t.Helper()
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for !cond() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("waited too long until %s", what)
			}
		}
	}
	wait("all are dead", func() bool { return count() == uint64(n) })

	began := time.Now()
	groups, err := f.desk.Groups(ctx, Filter{})
	if err != nil || len(groups) != 1 || groups[0].Letters != n {
		t.Fatalf("got groups %+v and error %v", groups, err)
	}
	group := Filter{Destination: "one", Fingerprint: groups[0].Fingerprint, Reason: deadletter.Invalid}
	edited, err := f.desk.Edit(ctx, group, []byte(`{"phone":"+48123456789"}`), Bulk{Note: "by their files"})
	if err != nil || edited.Edited != n {
		t.Fatalf("got %+v and error %v", edited, err)
	}
	edit := time.Since(began)
	const newer = 50
	for i := range newer {
		publish(i*7, 2, "+48000000000")
	}
	if err := f.publisher.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	replayed, err := f.desk.Replay(ctx, group, Bulk{})
	if err != nil || replayed.Queued > n || replayed.Queued < n-newer {
		t.Fatalf("got %+v and error %v", replayed, err)
	}
	replay := time.Since(began)
	wait("none is dead", func() bool { return count() == 0 })
	t.Logf("%d letters: edited in %v, queued in %v, delivered %v after that", n, edit, replay, time.Since(began)-replay)

	audit, err := f.desk.Audit(ctx, nil)
	if err != nil || audit.InStep != n {
		t.Errorf("audit: got %+v and error %v, want all in step", audit, err)
	}
	if c := f.one.Book().Counters(); c.BackSteps > 0 || c.Duplicates > 0 {
		t.Errorf("%d went back, %d were created twice", c.BackSteps, c.Duplicates)
	}
	for i := range n {
		want := `"48123456789"`
		if i%7 == 0 && i/7 < newer {
			want = `"48000000000"`
		}
		held, _ := f.one.Book().Held(fmt.Sprint("c", i))
		if len(held.Records) != 1 || string(held.Records[0].Fields["phone_number"]) != want {
			t.Fatalf("c%d: the provider holds %+v, want %s", i, held.Records, want)
		}
	}
}
