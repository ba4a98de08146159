package aplaut

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/custsync/custsync/pkg/sinks"
)

// Whatever Aplaut answers: a consumer is read from JSON with an id only, what is
// said to be kept is words of ours, and no field's name is anything but a name.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"id":"592ee4696dbfd69acd73c0be","type":"consumers","attributes":{"email":"a@example.com","phone":"1"}}}`,
		`{"data":{"id":5,"attributes":{"email":null,"phone":7}}}`, `{"data":[]}`, `{"data":{"attributes":{}}}`,
		`{"errors":{"status":422,"title":"t","details":{"email":["x"],"model":"m","a@b":"c"}}}`,
		`{"errors":[{"title":"t","details":["x","y"]},"z",{"detail":"d","source":{"pointer":"/data/attributes/email"}}]}`,
		`HTTP Token: Access denied.`, `<html>`, `{`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	sent := new(sinks.Record)
	sent.Text("email", "anna@example.com")
	sent.Text("phone", "+7 555")
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := readConsumer(body)
		if ok && (!json.Valid(body) || got.id == "") {
			t.Error("read a consumer out of nothing")
		}
		switch reason := kept(sent, got.attributes); reason {
		case "", "kept email", "kept phone", "kept email, phone":
		default:
			t.Errorf("got %q, want words of ours", reason)
		}
		words, broken := readErrors(body)
		if !json.Valid(body) && (words != "" || len(broken) > 0) {
			t.Error("read errors out of what is not JSON")
		}
		for _, e := range broken {
			if strings.ContainsAny(e.Field, "@+ ") || len(e.Field) > 64 {
				t.Errorf("got the name %q", e.Field)
			}
		}
		mayBeTaken(body)
	})
}

// Whatever the shop's fields hold, what Check admits can be read back and has an
// id that a path carries.
func FuzzRow(f *testing.F) {
	f.Add(`{"external_id":"c1","email":"a@example.com"}`)
	f.Add(`{"external_id":1.5,"custom_attributes":{"a":[1]}}`)
	f.Add(`{"external_id":"a/b","phone":"+7","created_at":"x"}`)
	f.Fuzz(func(t *testing.T, body string) {
		rec, err := sinks.ReadRecord([]byte(body))
		if err != nil {
			return
		}
		broken := (&Sink{}).Check(&rec)
		for _, e := range broken {
			if e.Field == "" || e.Message == "" {
				t.Errorf("got %+v, want a field and a rule", e)
			}
		}
		if id := externalIDIn(&rec); len(broken) == 0 && (id == "" || strings.ContainsAny(id, "./")) {
			t.Errorf("admits the id %q", id)
		}
	})
}
