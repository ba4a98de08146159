// Package golden runs a sink over recorded conversations with its provider: what
// a customer becomes, what is asked, what is answered, and what that means.
//
// A case is a txtar file:
//
//	-- options --   the sink's options in YAML; may be missing
//	-- rows --      a JSON object a line: {"data":{customer},…} is mapped and
//	                checked, {"row":{…}} is sent as it is; beside them shop,
//	                customer, delete, provider_id, held, attempt, doubt
//	-- 1 request -- METHOD /path?query, an empty line, the body
//	-- 1 answer --  the status and perhaps headers, an empty line, the body
//	-- outcomes --  a JSON object a line: what Check found, the outcomes, the error
//
// Bodies are compared as JSON. With -update requests and outcomes are rewritten.
// In every case the error is searched for what the rows hold.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// Sink is what a case needs of a sink.
type Sink interface {
	sinks.Sink
	sinks.Mapper
}

// Run runs every case in testdata.
func Run(t *testing.T, update *bool, open func(t *testing.T, url string, options []byte) Sink) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &conversation{t: t, archive: archive, update: *update}
			c.run(open)
			if *update && !t.Failed() {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// UpdateFlag registers -update. It is called from a test package's variables.
func UpdateFlag() *bool { return flag.Bool("update", false, "rewrite the golden files") }

type conversation struct {
	t       *testing.T
	archive *txtar.Archive
	update  bool
	calls   int
}

func (c *conversation) section(name string) *txtar.File {
	for i := range c.archive.Files {
		if c.archive.Files[i].Name == name {
			return &c.archive.Files[i]
		}
	}
	return nil
}

// want compares a section with what was got, or rewrites it.
func (c *conversation) want(name, got string) {
	c.t.Helper()
	f := c.section(name)
	if f == nil {
		if !c.update {
			c.t.Errorf("%s: got\n%s\nwant none", name, got)
			return
		}
		c.archive.Files = append(c.archive.Files, txtar.File{Name: name})
		f = c.section(name)
	}
	if normal(got) == normal(string(f.Data)) {
		return
	}
	if c.update {
		f.Data = []byte(got)
		return
	}
	c.t.Errorf("%s: got\n%s\nwant\n%s", name, got, f.Data)
}

// normal writes a head and a JSON body without white space; other text trimmed.
func normal(text string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(body)) == nil {
		body = compact.String()
	}
	return strings.TrimSpace(head) + "\n\n" + strings.TrimSpace(body)
}

func (c *conversation) run(open func(t *testing.T, url string, options []byte) Sink) {
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	defer server.Close()
	var options []byte
	if f := c.section("options"); f != nil {
		options = f.Data
	}
	sink := open(c.t, server.URL, options)
	rows, secrets, out := c.rows(sink)
	if len(rows) > 0 {
		outcomes, err := sink.Deliver(c.t.Context(), rows)
		if len(outcomes) != len(rows) {
			c.t.Errorf("got %d outcomes, want %d", len(outcomes), len(rows))
		}
		for i := range outcomes {
			out = append(out, outcomeLine(&outcomes[i]))
		}
		if err != nil {
			out = append(out, errorLine(err))
			for _, secret := range secrets {
				if strings.Contains(err.Error(), secret) {
					c.t.Errorf("the error repeats %q: %v", secret, err)
				}
			}
		}
	}
	for n := c.calls + 1; c.section(fmt.Sprintf("%d request", n)) != nil; n++ {
		c.t.Errorf("request %d was not made", n)
	}
	c.want("outcomes", strings.Join(out, "\n")+"\n")
}

// serve compares the request and answers it.
func (c *conversation) serve(w http.ResponseWriter, r *http.Request) {
	c.calls++
	body, _ := io.ReadAll(r.Body)
	c.want(fmt.Sprintf("%d request", c.calls), r.Method+" "+r.RequestURI+"\n\n"+string(body)+"\n")
	f := c.section(fmt.Sprintf("%d answer", c.calls))
	if f == nil {
		c.t.Errorf("request %d has no answer", c.calls)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	head, answer, _ := strings.Cut(string(f.Data), "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	var status int
	if _, err := fmt.Sscan(lines[0], &status); err != nil {
		c.t.Errorf("answer %d: want a status, got %q", c.calls, lines[0])
		status = http.StatusTeapot
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		w.Header().Set(name, strings.TrimSpace(value))
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.TrimSuffix(answer, "\n"))
}

// rows makes the rows of a case. Those that Check refuses are not sent.
func (c *conversation) rows(sink Sink) (rows []sinks.Row, secrets, out []string) {
	f := c.section("rows")
	if f == nil {
		c.t.Fatal("no rows")
	}
	decoder := json.NewDecoder(bytes.NewReader(f.Data))
	decoder.DisallowUnknownFields()
	for decoder.More() {
		in := struct {
			Shop, Customer string
			Delete, Held   bool
			Doubt          bool
			ProviderID     string `json:"provider_id"`
			Attempt        int
			Version        int64
			Data, Row      json.RawMessage
		}{Shop: "acme", Attempt: 1}
		if err := decoder.Decode(&in); err != nil {
			c.t.Fatalf("rows: %v", err)
		}
		row := sinks.Row{
			Shop: in.Shop, Customer: in.Customer, Version: in.Version, Delete: in.Delete,
			ProviderID: in.ProviderID, Held: in.Held || in.ProviderID != "", Attempt: in.Attempt, Doubt: in.Doubt,
		}
		secrets = append(secrets, texts(in.Data)...)
		secrets = append(secrets, texts(in.Row)...)
		var compact bytes.Buffer
		if in.Row != nil && json.Compact(&compact, in.Row) == nil {
			row.Body = compact.Bytes()
		}
		if in.Data != nil {
			ev := events.Event{Type: events.Changed, Shop: in.Shop, Data: in.Data}
			if err := events.DecodeCustomer(in.Data, &ev.Customer); err != nil {
				c.t.Fatalf("rows: %v", err)
			}
			var rec sinks.Record
			sink.Map(&ev, &rec)
			row.Customer, row.Body, row.Apart = ev.Customer.ID, rec.AppendJSON(nil), rec.ApartKey()
			if broken := sink.Check(&rec); len(broken) > 0 {
				out = append(out, line(map[string]any{"customer": row.Customer, "check": broken}))
				continue
			}
		}
		rows = append(rows, row)
	}
	return rows, secrets, out
}

// texts returns the texts in a JSON value that are long enough to be told from
// what an error says anyway.
func texts(raw []byte) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			if len(v) > 3 {
				out = append(out, v)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

func outcomeLine(o *sinks.Outcome) string {
	return line(struct {
		Verdict    string             `json:"verdict"`
		ProviderID string             `json:"provider_id,omitempty"`
		Reason     string             `json:"reason,omitempty"`
		InDoubt    bool               `json:"in_doubt,omitempty"`
		Partly     bool               `json:"partly,omitempty"`
		Message    string             `json:"message,omitempty"`
		Errors     []sinks.FieldError `json:"errors,omitempty"`
	}{o.Verdict.String(), o.ProviderID, o.Reason, o.InDoubt, o.Partly, o.Message, o.Errors})
}

func errorLine(err error) string {
	e := retry.Of(err)
	wait := ""
	if e.Wait > 0 {
		wait = e.Wait.String()
	}
	return line(struct {
		Error  string `json:"error"`
		Class  string `json:"class"`
		Code   string `json:"code"`
		Wait   string `json:"wait,omitempty"`
		Unsent bool   `json:"unsent,omitempty"`
		Over   bool   `json:"over,omitempty"`
	}{err.Error(), e.Class.String(), e.Code, wait, e.Unsent, e.Over})
}

func line(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}
