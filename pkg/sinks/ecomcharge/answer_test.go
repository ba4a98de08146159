package ecomcharge

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/custsync/custsync/pkg/sinks"
)

// Whatever eComCharge answers: ids and lists are read from JSON only, everyone in
// a list has an id, no field's name is anything but a name, and whoever is found
// is in the list.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"id":"cst_7aee5afb954c7ef7","first_name":"John","email":"customer@example.com"}`,
		`[{"id":"cst_1","email":"a@example.com","first_name":null},{"id":2,"email":"A@example.com"}]`,
		`{"customers":[{"id":"cst_1","external_id":"c1"}],"page":1}`, `[]`, `{}`, `[1]`, `{`, `<html>`, ``,
		`{"message":"m","errors":{"ip":["x","y"],"base":["z"],"plan":{"base":["w"]},"a@b":"v"}}`,
		`{"response":{"message":"m","errors":{"customer":{"ip":"x"}}}}`, `{"errors":[["x"]]}`,
	} {
		f.Add([]byte(seed))
	}
	sent := new(sinks.Record)
	sent.Text("email", "a@example.com")
	sent.Text("external_id", "c1")
	f.Fuzz(func(t *testing.T, body []byte) {
		if id := readCreated(body); id != "" && !json.Valid(body) {
			t.Error("read an id out of what is not JSON")
		}
		if all, ok := readList(body); ok {
			if !json.Valid(body) {
				t.Error("read a list out of what is not JSON")
			}
			for _, c := range all.customers {
				if c.id == "" {
					t.Error("somebody in the list has no id")
				}
			}
			if found, _ := all.find(sent); len(found) > len(all.customers) {
				t.Error("found more than there are")
			}
		}
		words, broken := readErrors(body)
		if !json.Valid(body) && (words != "" || len(broken) > 0) {
			t.Error("read errors out of what is not JSON")
		}
		for _, e := range broken {
			if e.Message == "" || strings.ContainsAny(e.Field, "@+ ") {
				t.Errorf("got %+v, want a name and a message", e)
			}
		}
	})
}
