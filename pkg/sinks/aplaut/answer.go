package aplaut

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/sinks"
)

// consumer is what an answer tells of the consumer that it is about.
type consumer struct {
	id         string // Aplaut's own
	attributes map[string]any
}

// readConsumer reads an answer of success. Without an id it is about nobody.
func readConsumer(body []byte) (consumer, bool) {
	data := object(object(decode(body))["data"])
	c := consumer{id: text(data["id"]), attributes: object(data["attributes"])}
	return c, c.id != ""
}

// kept names what was sent and is not what Aplaut answers that it has: the mail
// address and the phone, which it takes when a consumer is created and never again.
func kept(sent *sinks.Record, got map[string]any) string {
	var names []string
	for _, field := range []struct {
		name string
		form func(string) string // in which both are alike
	}{{"email", strings.ToLower}, {"phone", digits}} {
		f := sent.Get("", field.name)
		value, told := got[field.name]
		if f != nil && told && field.form(textOf(f)) != field.form(text(value)) {
			names = append(names, field.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "kept " + strings.Join(names, ", ")
}

// textOf is a field's value as Aplaut would answer it; a cleared one is empty.
func textOf(f *sinks.Field) string {
	switch f.Kind {
	case sinks.KindText:
		return f.Text
	case sinks.KindNumber:
		return string(scan.AppendFloat(nil, f.Number))
	case sinks.KindNull, sinks.KindBool, sinks.KindRaw:
	}
	return ""
}

// mayBeTaken reports whether a refusal to create may be about a consumer who is
// there. Only one that names fields, and neither of the two that have to be
// unique, is certainly about something else.
func mayBeTaken(body []byte) bool {
	_, broken := readErrors(body)
	unique := func(e sinks.FieldError) bool { return e.Field == "external_id" || e.Field == "email" }
	named := func(e sinks.FieldError) bool { return e.Field != "" }
	return !slices.ContainsFunc(broken, named) || slices.ContainsFunc(broken, unique)
}

// readErrors reads what is wrong in any of the forms that Aplaut's errors have:
//
//	{"errors":{"status":422,"title":"…","details":{"email":["…"],"model":"…"}}}      observed
//	{"errors":[{"status":"422","title":"…","details":["…"]}]}                        documented
//	{"errors":[{"status":"422","detail":"…","source":{"pointer":"/data/…/email"}}]}  JSON:API
//
// It finds nothing in anything else: nobody at all, a page, a line of text. The
// words are the provider's and may hold anything.
func readErrors(body []byte) (words string, broken []sinks.FieldError) {
	list, _ := object(decode(body))["errors"].([]any)
	if one := object(object(decode(body))["errors"]); one != nil {
		list = []any{one}
	}
	var said []string
	say := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(said, s) {
			said = append(said, s)
		}
	}
	for _, e := range list {
		say(text(e)) // a list of bare texts
		e := object(e)
		say(text(e["title"]))
		say(text(e["detail"]))
		if field := pointed(e["source"]); field != "" {
			message := text(e["detail"])
			if message == "" {
				message = text(e["title"])
			}
			broken = append(broken, sinks.FieldError{Field: field, Message: message})
		}
		for _, s := range texts(e["details"]) {
			say(s)
		}
		details := object(e["details"])
		for _, name := range slices.Sorted(maps.Keys(details)) {
			for _, s := range texts(details[name]) {
				if name == "message" || name == "model" || !isName(name) {
					say(s)
				} else {
					broken = append(broken, sinks.FieldError{Field: name, Message: s})
				}
			}
		}
	}
	return strings.Join(said, " "), broken
}

// pointed returns the attribute that a JSON:API source points to.
func pointed(source any) string {
	pointer := text(object(source)["pointer"])
	name := pointer[strings.LastIndexByte(pointer, '/')+1:]
	if !isName(name) {
		return ""
	}
	return name
}

// isName reports whether a word of an answer can be a field's name. Anything else
// might be a value, which does not belong there.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

// decode returns a JSON document, nil if body is not one. Numbers stay as written.
func decode(body []byte) any {
	if !json.Valid(body) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	return v
}

func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

// text returns a text or a number as text; anything else is empty.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// texts returns a text alone or the texts of a list.
func texts(v any) []string {
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	var out []string
	for _, e := range list {
		if s := text(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}
