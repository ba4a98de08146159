package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/ops"
)

const oneLetter = "destination=one&shop=acme&customer="

// A person finds a group, opens a letter, asks for the values, mends the phone,
// replays, and sees it delivered; then discards another and takes that back.
func TestAPersonMendsALetter(t *testing.T) {
	r := newRig(t, "")
	r.publish("a", 1, "call me")
	r.publish("b", 1, "call me")
	r.dead(2)

	var groups struct{ Groups []ops.Group }
	r.ok(r.get("/deadletters/groups")).into(t, &groups)
	if len(groups.Groups) != 1 || groups.Groups[0].Letters != 2 {
		t.Fatalf("got %+v, want one group of two", groups)
	}
	list := r.ok(r.get("/deadletters?fingerprint=" + groups.Groups[0].Fingerprint))
	clean(t, "the list", list.body)
	if n := strings.Count(list.body, `"reason":"invalid"`); n != 2 {
		t.Errorf("got %d letters of the group: %s", n, list.body)
	}

	shown := r.ok(r.get("/deadletters/show?" + oneLetter + "a"))
	clean(t, "a masked letter", shown.body)
	for _, want := range []string{`"phone":"xxxx xx"`, `"email":"xxxxxx@xxxxxx.xxxxxxx"`, `"surname":"Xxxxxxxxx"`, `"country":"PL"`, `"identifier":"a"`, `"masked":true`} {
		if !strings.Contains(shown.body, want) {
			t.Errorf("a masked letter lacks %s: %s", want, shown.body)
		}
	}
	var full letterView
	r.ok(r.post("/deadletters/unmask?"+oneLetter+"a", `{"note":"she called"}`, "Custsync-By: Łucja")).into(t, &full)
	if full.Masked || full.Grant == "" || !strings.Contains(string(full.Event), "Ковальчук") {
		t.Errorf("unmasked: got %+v", full)
	}
	if a := r.ok(r.get("/deadletters/show?"+oneLetter+"a", "Custsync-Grant: "+full.Grant)); !strings.Contains(a.body, "Ковальчук") {
		t.Errorf("with the grant: got %s", a.body)
	}
	clean(t, "another customer with this one's grant", r.ok(r.get("/deadletters/show?"+oneLetter+"b", "Custsync-Grant: "+full.Grant)).body)

	// As she types.
	rows, last := r.ok(r.post("/deadletters/edit?dry_run=true&"+oneLetter+"a", `{"patch":{"phone":"+48 12a"}}`, "Custsync-Grant: "+full.Grant)).lines(t)
	if len(rows) != 1 || rows[0]["would"] != "refuse" || last["done"]["refused"] != 1.0 {
		t.Fatalf("got %v %v", rows, last)
	}
	if e := rows[0]["errors"].([]any)[0].(map[string]any); e["field"] != "phone_number" || e["path"] != "phone" {
		t.Errorf("got %v, want the field at fault", e)
	}
	rows, _ = r.ok(r.post("/deadletters/edit?dry_run=true&"+oneLetter+"a", `{"patch":{"phone":"+48 12"}}`, "Custsync-Grant: "+full.Grant)).lines(t)
	if rows[0]["would"] != "send" || rows[0]["row"].(map[string]any)["phone_number"] != "4812" {
		t.Errorf("got %v, want the row as it would be sent", rows[0])
	}
	masked := r.ok(r.post("/deadletters/edit?dry_run=true&"+oneLetter+"a", `{"patch":{"phone":"+48 12"}}`))
	clean(t, "a dry run without the grant", masked.body)
	if strings.Contains(masked.body, "4812") {
		t.Errorf("a dry run without the grant tells %s", masked.body)
	}
	if a := r.post("/deadletters/edit?"+oneLetter+"a", `{"patch":{"phone":"nobody"}}`); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"phone_number"`) {
		t.Errorf("an edit that would not be valid: got %d %s", a.status, a.body)
	}
	_, last = r.ok(r.post("/deadletters/edit?"+oneLetter+"a", `{"patch":{"phone":"+48 12"},"note":"by phone"}`, "Custsync-By: Łucja")).lines(t)
	if last["done"]["edited"] != 1.0 {
		t.Errorf("got %v", last)
	}
	if a := r.ok(r.get("/deadletters/show?" + oneLetter + "a")); !strings.Contains(a.body, `"patch":{"phone":"+00 00"}`) || !strings.Contains(a.body, `"by":"Łucja"`) {
		t.Errorf("the letter tells of its edit: %s", a.body)
	}
	_, last = r.ok(r.post("/deadletters/replay?"+oneLetter+"a", "")).lines(t)
	if last["done"]["queued"] != 1.0 {
		t.Errorf("got %v", last)
	}
	r.until("it is delivered", func() bool { return r.at("a") == "in_step" })
	r.dead(1)

	_, last = r.ok(r.post("/deadletters/discard?"+oneLetter+"b", `{"note":"left us"}`)).lines(t)
	if last["done"]["discarded"] != 1.0 {
		t.Errorf("got %v", last)
	}
	r.dead(0)
	rows, _ = r.ok(r.post("/deadletters/undo?dry_run=true", "")).lines(t)
	if len(rows) != 1 || rows[0]["would"] != "restore" {
		t.Errorf("got %v", rows)
	}
	r.ok(r.post("/deadletters/undo?"+oneLetter+"b", ""))
	r.dead(1)

	var told struct{ Actions []map[string]any }
	actions := r.ok(r.get("/actions"))
	actions.into(t, &told)
	clean(t, "the record", actions.body)
	var verbs []string
	for _, a := range told.Actions {
		verbs = append(verbs, a["verb"].(string))
	}
	if want := []string{"undo", "discard", "replayed", "replay", "edit", "unmask"}; !slices.Equal(verbs, want) {
		t.Errorf("recorded %v, want %v", verbs, want)
	}
	for _, i := range []int{4, 5} {
		if told.Actions[i]["by"] != "Łucja" || told.Actions[i]["customer"] != "a" {
			t.Errorf("recorded %v, want who did it", told.Actions[i])
		}
	}
	clean(t, "the log", r.logged.String())
	if strings.Contains(r.logged.String(), `"4812"`) || strings.Contains(r.logged.String(), "48 12") {
		t.Error("the log repeats the patch")
	}
}

// Every operation of the document answers as it says.
func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	r := newRig(t, "top-secret")
	r.publish("a.b@c", 1, "call me")
	r.publish("good", 1, "+48123")
	r.dead(1)
	r.until("the other is delivered", func() bool { return r.at("good") == "in_step" })
	id := url.PathEscape("a.b@c")
	for _, path := range []string{
		"/openapi.json", "/session", "/destinations", "/destinations/history", "/deadletters", "/deadletters/groups",
		"/deadletters/show?" + oneLetter + id, "/customers/acme/" + id, "/customers/acme/" + id + "/history", "/audit", "/workers", "/actions",
	} {
		clean(t, path, r.ok(r.get(path)).body)
	}
	for _, test := range [][2]string{
		{"/session", `{"token":"top-secret","name":"Ann"}`}, {"/destinations/one/pause", `{"note":"x"}`}, {"/destinations/one/resume", ""},
		{"/deadletters/unmask?" + oneLetter + id, ""}, {"/customers/acme/" + id + "/unmask", `{"note":"asked"}`},
		{"/deadletters/edit", `{"patch":{"phone":"+48"}}`}, {"/deadletters/replay?dry_run=true", ""}, {"/deadletters/discard?dry_run=true", ""},
		{"/deadletters/undo", ""},
	} {
		r.ok(r.post(test[0], test[1]))
	}
	r.ok(r.ask(http.MethodDelete, "/session", ""))

	// Server-sent events: what is known comes at once.
	req, err := http.NewRequestWithContext(testContext(t), http.MethodGet, r.url+base+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer top-secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	kinds := map[string]bool{}
	kind := ""
	for lines := bufio.NewScanner(resp.Body); len(kinds) < 3 && lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kind = name
		} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			kinds[kind] = true
			operation := map[string]string{"status": "/destinations", "workers": "/workers"}[kind]
			if operation == "" {
				continue
			}
			r.documented(must(http.NewRequest(http.MethodGet, base+operation, nil)), &answer{200, http.Header{"Content-Type": {"application/json"}}, data})
		}
	}
	if !kinds["status"] || !kinds["workers"] || !kinds["letters"] {
		t.Errorf("live tells of %v", kinds)
	}
	r.seen["get "+base+"/live"] = resp.Header.Get("Content-Type") == "text/event-stream"
	if history := r.ok(r.get("/destinations/history")).body; !strings.Contains(history, `"one":[{"at":`) {
		t.Errorf("got history %s", history)
	}

	for path, operations := range readOpenAPI(t).Paths {
		for method := range operations {
			if !r.seen[method+" "+path] {
				t.Errorf("%s %s was not answered", method, path)
			}
		}
	}
	if strings.Contains(r.logged.String(), "top-secret") || strings.Contains(r.logged.String(), "pass-word") {
		t.Error("the log repeats a secret")
	}
	clean(t, "the log", r.logged.String())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatIsUsedWronglyIsRefused(t *testing.T) {
	r := newRig(t, "")
	r.publish("a", 1, "call me")
	r.dead(1)
	before := r.ok(r.get("/deadletters")).body
	long := strings.Repeat("x", 2<<20)
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		words              string
	}{
		"a parameter":         {"POST", "/deadletters/discard?custmer=b", "", nil, 400, `did you mean \"customer\"?`},
		"an empty parameter":  {"POST", "/deadletters/discard?customer=", "", nil, 400, "leave it out"},
		"twice":               {"POST", "/deadletters/discard?customer=a&customer=b", "", nil, 400, "give it once"},
		"a semicolon":         {"POST", "/deadletters/discard?shop=x;customer=a", "", nil, 400, "part them by &"},
		"a lone percent":      {"POST", "/deadletters/discard?destination=d&shop=x%", "", nil, 400, "write % as %25"},
		"a wrong escape":      {"POST", "/deadletters/discard?dry_run=true&customer=%zz", "", nil, 400, "write % as %25"},
		"a reason":            {"GET", "/deadletters?reason=rejekted", "", nil, 400, "rejected"},
		"an age":              {"GET", "/deadletters?older_than=soon", "", nil, 400, "90m, 12h or 7d"},
		"a limit":             {"GET", "/deadletters?limit=5000", "", nil, 400, "from 1 to 500"},
		"a cursor":            {"GET", "/deadletters?cursor=x", "", nil, 400, "begin with the first page"},
		"a flag":              {"POST", "/deadletters/replay?dry_run=yes", "", nil, 400, "true or false"},
		"a rate":              {"POST", "/deadletters/replay?rate=0", "", nil, 400, "above 0"},
		"a destination":       {"POST", "/deadletters/replay?destination=onr", "", nil, 404, `did you mean \"one\"?`},
		"a pause":             {"POST", "/destinations/none/pause", "", nil, 404, "no destination"},
		"an unknown letter":   {"POST", "/deadletters/replay?" + oneLetter + "nobody", "", nil, 404, "no dead letter"},
		"an unknown edit":     {"POST", "/deadletters/edit?" + oneLetter + "nobody", `{"patch":{}}`, nil, 404, "no dead letter"},
		"an unknown show":     {"GET", "/deadletters/show?" + oneLetter + "nobody", "", nil, 404, "no dead letter"},
		"half a name":         {"GET", "/deadletters/show?customer=a", "", nil, 400, "destination, shop and customer"},
		"an unknown undo":     {"POST", "/deadletters/undo?" + oneLetter + "a", "", nil, 404, "no discarded letter"},
		"a run":               {"POST", "/deadletters/replay?resume=NONE", "", nil, 400, "no replay NONE is known"},
		"a run and a filter":  {"POST", "/deadletters/replay?resume=X&customer=a", "", nil, 400, "leave the selecting parameters out"},
		"no patch":            {"POST", "/deadletters/edit", `{}`, nil, 400, "say what to change"},
		"no body":             {"POST", "/deadletters/edit", "", nil, 415, "JSON object"},
		"a form":              {"POST", "/deadletters/edit", "patch=1", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "application/json"},
		"a field":             {"POST", "/deadletters/edit", `{"patch":{},"notes":"x"}`, nil, 400, `no field \"notes\"`},
		"no JSON":             {"POST", "/deadletters/edit", `{"patch":`, nil, 400, "as documented"},
		"too long":            {"POST", "/deadletters/edit", `{"patch":{"note":"` + long + `"}}`, nil, 413, "1024 KiB"},
		"a long patch":        {"POST", "/deadletters/edit", `{"patch":{"note":"` + long[:80_000] + `"}}`, nil, 400, "64 KiB"},
		"more than one":       {"POST", "/deadletters/edit", `{"patch":{}} ]`, nil, 400, "as documented"},
		"another encoding":    {"POST", "/deadletters/edit", "{\"patch\":{\"note\":\"\xa3\"}}", nil, 400, "UTF-8"},
		"a patch of the id":   {"POST", "/deadletters/edit", `{"patch":{"id":"b"}}`, nil, 400, "leave it out"},
		"a patch that is one": {"POST", "/deadletters/edit", `{"patch":[1]}`, nil, 400, "no JSON object"},
		"a customer":          {"GET", "/customers/acme/nobody", "", nil, 404, "check both ids"},
		"a history":           {"GET", "/customers/acme/nobody/history", "", nil, 404, "check both ids"},
		"a verb":              {"GET", "/actions?verb=a.b", "", nil, 400, "no action"},
		"another site":        {"POST", "/deadletters/discard", "", []string{"Sec-Fetch-Site: cross-site"}, 403, "another site"},
		"another origin":      {"POST", "/deadletters/discard", "", []string{"Origin: http://evil.example"}, 403, "another site"},
		"a foreign name":      {"GET", "/deadletters", "", []string{"Host: evil.example"}, 403, "set a token"},
		"a method":            {"PUT", "/deadletters", "", nil, 405, "takes GET"},
		"an address":          {"GET", "/deadleters", "", nil, 404, "openapi.json"},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			a := r.ask(test.method, test.path, test.body, test.headers...)
			if a.status != test.status || !strings.Contains(a.body, test.words) {
				t.Errorf("got %d %s, want %d with %q", a.status, a.body, test.status, test.words)
			}
			if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("got %s", kind)
			}
		})
	}
	r.t = t
	if after := r.ok(r.get("/deadletters")).body; after != before {
		t.Errorf("something changed: %s", after)
	}
	if a := r.ok(r.get("/actions")).body; !strings.Contains(a, `"actions":[]`) {
		t.Errorf("something was recorded: %s", a)
	}
}

func TestToken(t *testing.T) {
	r := newRig(t, "top-secret")
	for name, header := range map[string]string{
		"none": "Authorization: ", "a wrong one": "Authorization: Bearer wrong", "another kind": "Authorization: Basic top-secret",
		"a forged session": "Cookie: " + cookieName + "=" + (&keys{secret: []byte("other")}).sign(signed{For: sessionWords, Until: time.Now().Add(time.Hour)}),
	} {
		headers := []string{header}
		if !strings.HasPrefix(header, "Authorization") {
			headers = append(headers, "Authorization: ")
		}
		a := r.get("/deadletters", headers...)
		if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("Www-Authenticate"), "Bearer") || !strings.Contains(a.body, "http.token") {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	if a := r.post("/session", `{"token":"wrong"}`, "Authorization: "); a.status != http.StatusUnauthorized || len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("a wrong login: got %d %s %v", a.status, a.body, a.header)
	}
	if a := r.get("/session", "Authorization: "); !strings.Contains(a.body, `"authenticated":false,"token_required":true`) {
		t.Errorf("got %s", a.body)
	}
	login := r.ok(r.post("/session", `{"token":"top-secret","name":" Ann\n B. "}`, "Authorization: "))
	cookie := login.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie)
		}
	}
	value, _, _ := strings.Cut(cookie, ";")
	session := []string{"Authorization: ", "Cookie: " + value}
	if a := r.ok(r.get("/session", session...)); !strings.Contains(a.body, `"authenticated":true,"token_required":true,"name":"Ann B."`) {
		t.Errorf("got %s", a.body)
	}
	r.ok(r.post("/destinations/one/pause", `{"note":"n"}`, session...))
	if a := r.ok(r.get("/actions", session...)); !strings.Contains(a.body, `"by":"Ann B."`) {
		t.Errorf("the record does not say who: %s", a.body)
	}
	// Another worker of the fleet knows the session, and the next start does.
	other := newKeys("top-secret")
	_, text, _ := strings.Cut(value, "=")
	if _, ok := other.read(text, sessionWords, time.Now()); !ok {
		t.Error("another worker does not know the session")
	}
	if _, ok := other.read(text, sessionWords, time.Now().Add(sessionTime+time.Minute)); ok {
		t.Error("the session does not end")
	}
	if _, ok := other.read(text, grantWords, time.Now()); ok {
		t.Error("a session is a grant")
	}
	if out := r.ok(r.ask(http.MethodDelete, "/session", "", session...)); !strings.Contains(out.header.Get("Set-Cookie"), "Expires=Thu, 01 Jan 1970") {
		t.Errorf("got %v", out.header)
	}
}

func TestPages(t *testing.T) {
	r := newRig(t, "")
	const n = 7
	for i := range n {
		r.publish(fmt.Sprint("c", i), 1, "call me")
	}
	r.dead(n)
	var got []string
	for path := "/deadletters?limit=3"; ; {
		var page struct {
			Letters []ops.Letter `json:"deadletters"`
			Next    *string
		}
		r.ok(r.get(path)).into(t, &page)
		for _, l := range page.Letters {
			got = append(got, l.Customer)
		}
		if page.Next == nil {
			break
		}
		path = "/deadletters?limit=3&cursor=" + *page.Next
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != n {
		t.Errorf("got %v, want each once", got)
	}
	rows, last := r.ok(r.post("/deadletters/replay?dry_run=true&rows=2", "")).lines(t)
	if len(rows) != 2 || fmt.Sprint(last["done"]["would"]) != "map[refuse:7]" {
		t.Errorf("got %d rows and %v", len(rows), last)
	}
}

// What the commands write is what the HTTP answers.
func TestSameJSONAsTheCommands(t *testing.T) {
	r := newRig(t, "")
	r.publish("a", 1, "call me")
	r.dead(1)
	desk := &ops.Desk{Config: r.server.Config, Streams: r.server.Streams}
	for l, err := range desk.Letters(testContext(t), ops.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		want := must(json.Marshal(l))
		if got := r.ok(r.get("/deadletters")).body; !strings.Contains(got, string(want)) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	st := must(desk.Customer(testContext(t), "acme", "a"))
	if got := r.ok(r.get("/customers/acme/a")).body; got != string(must(json.Marshal(st)))+"\n" {
		t.Errorf("got %s", got)
	}
}

func TestUnavailable(t *testing.T) {
	r := newRig(t, "")
	r.server.Connected = func() bool { return false }
	if a := r.get("/deadletters"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", a.status, a.header)
	}
	r.ok(r.get("/session"))
	r.server.Connected = nil
	for range heavyAtOnce {
		r.server.heavy <- struct{}{}
	}
	if a := r.get("/deadletters"); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", a.status, a.header)
	}
}

// What was done is told beside why not all was.
func TestPartOfALotIsDone(t *testing.T) {
	r := newRig(t, "")
	r.publish("a", 1, "call me")
	r.dead(1)
	later := *r.server.Config
	later.Destinations = nil // it is in the configuration no more
	r.server.Config = &later
	a := r.ok(r.post("/deadletters/replay", ""))
	lines := slices.Collect(strings.Lines(a.body))
	n := len(lines)
	if n < 2 || !strings.Contains(lines[n-2], `"done":{`) || !strings.Contains(lines[n-2], `"queued":0`) || !strings.Contains(lines[n-1], `"problem":{`) || !strings.Contains(lines[n-1], "no destination") {
		t.Errorf("got %s", a.body)
	}
	if a := r.post("/deadletters/edit?"+oneLetter+"a", `{"patch":{"phone":"+48"}}`); a.status != http.StatusNotFound {
		t.Errorf("an edit: got %d %s", a.status, a.body)
	}
	rows, _ := r.ok(r.post("/deadletters/edit?dry_run=true", `{"patch":{"phone":"+48"}}`)).lines(t)
	if len(rows) != 1 || rows[0]["would"] != "refuse" {
		t.Errorf("got %v", rows)
	}
}

func TestHide(t *testing.T) {
	for doc, want := range map[string]string{
		`{"b":"Łódź +48","a":[1.5,true,null,{"id":"x9"}],"version":7}`: `{"b":"Xxxx +00","a":["0.0",true,null,{"id":"x0"}],"version":7}`,
		`"<html>"`: `"<xxxx>"`,
		`nonsense`: `"xxxxxxxx"`,
		`{"a":`:    `"{\"x\":"`,
		`{}`:       `{}`,
	} {
		if got := string(hideData(json.RawMessage(doc))); got != want {
			t.Errorf("%s: got %s, want %s", doc, got, want)
		}
	}
	if got := hideRow(nil, "x"); got != nil {
		t.Errorf("of nothing: got %s", got)
	}
}
