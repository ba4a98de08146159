package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/internal/ops"
)

// line is one line of an answer of many.
type line struct {
	Began    *ops.Began
	Progress *struct{ Done int }
	Done     map[string]any
	Problem  *problem
}

func (a *answer) told(t *testing.T) (all []line) {
	t.Helper()
	for text := range strings.Lines(a.body) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

// An act on many letters says first what to go on by and keeps to what was seen; a
// discard is undone as a whole, with nothing that was discarded before.
func TestAnActOnManyLetters(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []string{"a", "b", "c", "before"} {
		r.publish(c, 1, "call me")
	}
	r.dead(4)
	if did := r.ok(r.post("/deadletters/discard?"+oneLetter+"before", "")).told(t); did[0].Began != nil {
		t.Errorf("of one letter: told %+v, want its end alone", did)
	}
	look := func(open int) (upTo any) {
		t.Helper()
		r.dead(open)
		looked := r.ok(r.post("/deadletters/discard?dry_run=true", "")).told(t)
		if end := looked[len(looked)-1].Done; looked[0].Began != nil || end["selected"] != float64(open) || end["up_to"] == nil {
			t.Fatalf("a dry run told %+v", looked)
		}
		return looked[len(looked)-1].Done["up_to"]
	}
	act := func(verb string, upTo any, body, word string, want float64) (run string) {
		t.Helper()
		did := r.ok(r.post(fmt.Sprintf("/deadletters/%s?rate=1000&up_to=%v", verb, upTo), body)).told(t)
		b, end := did[0].Began, did[len(did)-1].Done
		if b == nil || fmt.Sprint(b.UpTo) != fmt.Sprint(upTo) || end["selected"] != want || end[word] != want {
			t.Fatalf("%s: told %+v, want %v letters and first what to go on by", verb, did, want)
		}
		return b.Run
	}
	upTo := look(3)
	r.publish("late", 1, "call me")
	r.dead(4)
	act("edit", upTo, `{"patch":{"phone":"+48"}}`, "edited", 3)
	run := act("discard", upTo, "", "discarded", 3)
	undone := r.ok(r.post("/deadletters/undo?run="+run, "")).told(t)
	if got := undone[len(undone)-1].Done["restored"]; got != 3.0 {
		t.Errorf("restored %v, want the three of the run", got)
	}
	upTo = look(4)
	r.publish("later", 1, "call me")
	r.dead(5)
	if run := act("replay", upTo, "", "queued", 4); run == "" {
		t.Error("a replay has no run to go on with")
	}
}

// Who loses the answer of a replay goes on with it by its first line.
func TestAReplayWhoseAnswerIsLost(t *testing.T) {
	const n = 30
	r := newRig(t, "")
	for i := range n {
		r.publish(fmt.Sprint("c", i), 1, "call me")
	}
	r.dead(n)
	ctx, cancel := context.WithCancel(testContext(t))
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, r.url+base+"/deadletters/replay?rate=20", nil))
	resp := must(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	var first line
	lines := json.NewDecoder(resp.Body)
	if err := lines.Decode(&first); err != nil || first.Began == nil || first.Began.Run == "" {
		t.Fatalf("got first %+v and error %v", first, err)
	}
	if err := lines.Decode(new(line)); err != nil { // progress
		t.Fatal(err)
	}
	cancel()
	r.until("its end is recorded", func() bool {
		return strings.Contains(r.ok(r.get("/actions?verb=replayed")).body, `"complete":false`)
	})
	did := r.ok(r.post("/deadletters/replay?resume="+first.Began.Run, "")).told(t)
	end := did[len(did)-1].Done
	before, _ := end["queued_before"].(float64)
	queued, _ := end["queued"].(float64)
	if before == 0 || before == n || before+queued != n || did[0].Began == nil || did[0].Began.Run != first.Began.Run {
		t.Errorf("told %+v, want the rest of %d", did, n)
	}
}

// What a person does to a letter is done to the one that was shown, and the fields
// that its errors come from are told.
func TestALetterThatHasChangedSinceItWasShown(t *testing.T) {
	r := newRig(t, "")
	r.publish("a", 1, "call me")
	r.dead(1)
	var seen ops.Whole
	r.ok(r.get("/deadletters/show?"+oneLetter+"a")).into(t, &seen)
	if len(seen.Errors) != 1 || seen.Errors[0].Field != "phone_number" || seen.Errors[0].Path != "phone" {
		t.Errorf("got errors %+v, want where the phone comes from", seen.Errors)
	}
	r.publish("a", 2, "call me, too")
	var now ops.Whole
	r.until("the next version is refused", func() bool {
		a := r.get("/deadletters/show?" + oneLetter + "a")
		if a.status == http.StatusOK { // while one makes room for the other, neither may be open
			a.into(t, &now)
		}
		return now.Version == 2
	})
	for path, body := range map[string]string{"replay": "", "discard": "", "edit": `{"patch":{"phone":"+48"}}`} {
		a := r.post(fmt.Sprintf("/deadletters/%s?%sa&up_to=%d", path, oneLetter, seen.UpTo), body)
		if a.status != http.StatusNotFound || !strings.Contains(a.body, "a later one has come since") {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	r.ok(r.post(fmt.Sprintf("/deadletters/discard?%sa&up_to=%d", oneLetter, now.UpTo), ""))
	r.dead(0)
}

// The record says who acted as well as can be known.
func TestWhoActs(t *testing.T) {
	r := newRig(t, "top-secret")
	by := func() any {
		t.Helper()
		var told struct{ Actions []map[string]any }
		r.ok(r.get("/actions?limit=1")).into(t, &told)
		return told.Actions[0]["by"]
	}
	pause := func(want string, headers ...string) {
		t.Helper()
		r.ok(r.post("/destinations/one/pause", "", headers...))
		if got := by(); got != want {
			t.Errorf("recorded %v, want %s", got, want)
		}
	}
	pause("http token from 127.0.0.1")
	pause("Ann", "Custsync-By: Ann")
	signIn := func(a *answer) []string {
		value, _, _ := strings.Cut(r.ok(a).header.Get("Set-Cookie"), ";")
		return []string{"Authorization: ", "Cookie: " + value}
	}
	session := signIn(r.post("/session", `{"token":"top-secret"}`, "Authorization: "))
	pause("console from 127.0.0.1", session...)
	if a := r.post("/session", `{"token":"wrong","name":"Zofia"}`, session...); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong token in a session: got %d", a.status)
	}
	var before, after sessionView
	r.ok(r.get("/session", session...)).into(t, &before)
	session = signIn(r.post("/session", `{"name":"Zofia"}`, session...))
	pause("Zofia", session...)
	session = signIn(r.post("/session", `{"name":"Zo\u001b\u202efia"}`, session...)) // which a terminal would obey
	pause("Zofia", session...)
	r.ok(r.get("/session", session...)).into(t, &after)
	if !after.ExpiresAt.Equal(*before.ExpiresAt) {
		t.Errorf("another name made the session last until %v, want %v", after.ExpiresAt, before.ExpiresAt)
	}
	if a := r.post("/session", `{"name":"Zofia"}`, "Authorization: "); a.status != http.StatusUnauthorized {
		t.Errorf("a name alone: got %d %s", a.status, a.body)
	}
}

// restart stops the worker, does something, and starts one again.
func (r *rig) restart(meanwhile func()) {
	r.t.Helper()
	r.halt()
	meanwhile()
	r.halt = r.start()
}

// A destination whose streams are not those of before is told from one that a try
// may help, and goes on when a person accepts them.
func TestResumeAccepts(t *testing.T) {
	r := newRig(t, "")
	r.publish("a", 1, "+48123")
	r.until("it is delivered", func() bool { return r.at("a") == "in_step" })
	if a := r.ok(r.post("/destinations/one/resume", `{"accept":true}`)); a.body != `{"name":"one","was":"running"}`+"\n" {
		t.Errorf("with nothing to accept: got %s", a.body)
	}
	r.restart(func() {
		js := must(jetstream.New(r.publisher.Conn))
		if err := must(js.Stream(testContext(t), "KV_LEDGER")).Purge(testContext(t)); err != nil {
			t.Fatal(err)
		}
	})
	r.until("it is blocked", func() bool {
		return strings.Contains(r.ok(r.get("/destinations")).body, `"state":"blocked"`)
	})
	if a := r.post("/destinations/one/resume", ""); a.status != http.StatusConflict || !strings.Contains(a.body, "was emptied") || !strings.Contains(a.body, `{\"accept\":true}`) {
		t.Errorf("a try: got %d %s", a.status, a.body)
	}
	if a := r.ok(r.post("/destinations/one/resume", `{"accept":true,"note":"the provider was emptied, too"}`)); !strings.Contains(a.body, `"was":"closed","accepted":"the stream KV_LEDGER was emptied`) {
		t.Errorf("got %s", a.body)
	}
	r.until("it goes on", func() bool { return r.at("a") == "in_step" })
}
