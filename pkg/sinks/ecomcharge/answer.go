package ecomcharge

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/sinks"
)

// customer is one of the list, with its fields in the order of names.
type customer struct {
	id     string
	fields [len(names)]string
}

func (c *customer) field(name string) string { return c.fields[slices.Index(names[:], name)] }

// list is what GET /customers answers. A partial one may leave customers out.
type list struct {
	customers []customer
	partial   bool
}

// readCreated reads the id of the customer that was created, empty if there is none.
func readCreated(body []byte) string {
	s := scan.New(body)
	c, ok := readCustomer(&s)
	if !ok || s.End() != nil {
		return ""
	}
	return c.id
}

// readList reads a list of customers, bare as documented or the first list in an
// object. What the object says beside it may be that there are more pages. It
// reports whether the body is such a list, with an id for everyone in it.
func readList(body []byte) (*list, bool) {
	l := &list{}
	listed, good := false, true
	read := func(s *scan.Scanner) {
		listed = true
		for more := s.Array(); more; more = s.More() {
			c, ok := readCustomer(s)
			good = good && ok
			l.customers = append(l.customers, c)
		}
	}
	s := scan.New(body)
	if s.Kind() == scan.Array {
		read(&s)
	} else {
		for _, ok := s.Object(); ok; _, ok = s.Field() {
			if s.Kind() == scan.Array && !listed {
				read(&s)
			} else {
				s.Skip()
				l.partial = true
			}
		}
	}
	return l, s.End() == nil && listed && good
}

// readCustomer reads a customer and reports whether it is one, with an id. Its
// texts are its own, so that a long list isn't kept by them.
func readCustomer(s *scan.Scanner) (c customer, ok bool) {
	if s.Kind() != scan.Object {
		s.Skip()
		return c, false
	}
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		if key == "id" {
			c.id = strings.Clone(scalar(s))
		} else if i := slices.Index(names[:], key); i >= 0 {
			c.fields[i] = strings.Clone(scalar(s))
		} else {
			s.Skip()
		}
	}
	return c, c.id != ""
}

// scalar reads a text or a number as text; anything else is empty.
func scalar(s *scan.Scanner) string {
	switch s.Kind() {
	case scan.String:
		return s.Text()
	case scan.Number:
		return string(s.Skip())
	case scan.Invalid, scan.Null, scan.Bool, scan.Array, scan.Object:
	}
	s.Skip()
	return ""
}

// readErrors reads what is wrong in any of the forms that the platform's errors
// have, each of them also inside "response":
//
//	{"message":"Ip can't be blank","errors":{"ip":["can't be blank"]}}   documented here
//	{"message":"…","errors":{"base":["…"]}}                              documented for sister calls
//	{"message":"…","errors":{"plan":{"base":["…"]}}}                     the same
//
// It finds nothing in anything else. The words are the provider's and may hold
// anything.
func readErrors(body []byte) (words string, broken []sinks.FieldError) {
	if !json.Valid(body) {
		return "", nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return "", nil
	}
	answer, _ := v.(map[string]any)
	if inner, ok := answer["response"].(map[string]any); ok {
		answer = inner
	}
	words = text(answer["message"])
	if words == "" {
		words = text(answer["error"])
	}
	return words, appendErrors(nil, "", answer["errors"], 0)
}

// maxNesting bounds how deep errors are followed; two levels are documented.
const maxNesting = 4

func appendErrors(broken []sinks.FieldError, field string, v any, depth int) []sinks.FieldError {
	switch v := v.(type) {
	case string:
		if v != "" {
			broken = append(broken, sinks.FieldError{Field: field, Message: v})
		}
	case []any:
		for _, e := range v {
			if s := text(e); s != "" {
				broken = append(broken, sinks.FieldError{Field: field, Message: s})
			}
		}
	case map[string]any:
		if depth == maxNesting {
			return broken
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			broken = appendErrors(broken, below(field, name), v[name], depth+1)
		}
	}
	return broken
}

// below names a field in an object. The base is the object itself, and the
// customer is the whole row. What is no name might be a value, which does not
// belong there.
func below(field, name string) string {
	switch {
	case name == "base", field == "" && name == "customer", !isName(name):
		return field
	case field == "":
		return name
	}
	return field + "." + name
}

func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
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
