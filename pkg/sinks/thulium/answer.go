package thulium

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/sinks"
)

// item is what a batch's answer says of one row. Status 0 is nothing.
type item struct {
	status  int
	id      string
	message string
	codes   []sinks.FieldError
}

// outcome returns the item's verdict. A creation that broke down may have left a
// customer behind.
func (it *item) outcome(create bool) sinks.Outcome {
	switch {
	case it.status >= 200 && it.status <= 299:
		return sinks.Outcome{Verdict: sinks.Delivered, ProviderID: it.id}
	case it.status == http.StatusTooManyRequests, it.status == http.StatusTooEarly, it.status == http.StatusServiceUnavailable:
		return sinks.Outcome{Verdict: sinks.Retryable, Message: it.message, Errors: it.codes}
	case it.status == http.StatusRequestTimeout, it.status >= 500:
		return sinks.Outcome{Verdict: sinks.Retryable, InDoubt: create, Message: it.message, Errors: it.codes}
	case it.status >= 400:
		return sinks.Outcome{Verdict: sinks.Rejected, Message: it.message, Errors: it.codes}
	}
	return sinks.Outcome{} // 1xx and 3xx say nothing of a row
}

// readItems reads a batch's answer into one item per row. It is an object keyed
// by the row's index; a list of as many rows is taken too, since that is what
// PHP makes of such an array. Keys that are no index are passed over. An index
// beyond the batch means that the answer counts in another way than we do: then
// it says nothing of any row. A row named twice has no verdict.
//
// An error means that the answer is not JSON; then no part of it counts.
func readItems(body []byte, rows int) ([]item, error) {
	items := make([]item, rows)
	s := scan.New(body)
	astray := false
	if s.Kind() == scan.Array {
		n := 0
		for more := s.Array(); more; more = s.More() {
			if n < rows {
				items[n].read(&s)
			} else {
				s.Skip()
			}
			n++
		}
		astray = n != rows
	} else {
		var seen []bool
		for key, ok := s.Object(); ok; key, ok = s.Field() {
			n, isIndex := index(key)
			switch {
			case !isIndex:
				s.Skip()
			case n >= rows:
				astray = true
				s.Skip()
			default:
				if seen == nil {
					seen = make([]bool, rows)
				}
				items[n].read(&s)
				if seen[n] {
					items[n] = item{}
				}
				seen[n] = true
			}
		}
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	if astray {
		clear(items)
	}
	return items, nil
}

// index reads the decimal form of an index, without sign or leading zeros.
func index(key string) (int, bool) {
	n, err := strconv.Atoi(key)
	return n, err == nil && n >= 0 && (key[0] != '0' || key == "0") && key[0] != '+'
}

// read reads one row's part of the answer. What has another form than it should
// is passed over.
func (it *item) read(s *scan.Scanner) {
	*it = item{}
	if s.Kind() != scan.Object {
		s.Skip()
		return
	}
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		switch key {
		case "http_status":
			it.status = statusOf(s)
		case "customer_id":
			it.id = strings.Clone(scalar(s))
		case "message":
			it.message = strings.Clone(scalar(s))
		case "errors":
			words, codes := readErrors(s.Skip())
			if it.codes = codes; it.message == "" {
				it.message = words
			}
		default:
			s.Skip()
		}
	}
}

// statusOf reads an HTTP status, a number or a text; 0 is anything else.
func statusOf(s *scan.Scanner) int {
	status := 0
	raw := bytes.Trim(s.Skip(), `"`)
	if len(raw) != 3 {
		return 0
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || status > 599 {
		return 0
	}
	return status
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

// readRefusal reads Thulium's error envelope, {"request_id":…,"errors":[…]}. It
// finds nothing in anything else.
func readRefusal(body []byte) (words string, codes []sinks.FieldError) {
	var envelope struct {
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return "", nil
	}
	return readErrors(envelope.Errors)
}

func readErrors(raw []byte) (words string, codes []sinks.FieldError) {
	var list []struct {
		Message string      `json:"message"`
		Code    json.Number `json:"code"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return "", nil
	}
	for _, e := range list {
		if e.Message != "" {
			if words != "" {
				words += " "
			}
			words += e.Message
		}
		if e.Code != "" {
			codes = append(codes, sinks.FieldError{Message: "code " + e.Code.String()})
		}
	}
	return words, codes
}

// readFound reads the ids out of a search's answer, and reports whether it could
// tell what they are. The list may be bare, the only list in an object, or an
// object of customers; a single customer is one too. Customers that name another
// identifier are passed over, in case that the search is broader than asked.
func readFound(body []byte, identifier string) (ids []string, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // an id is taken as it stands
	var v any
	if !json.Valid(body) || decoder.Decode(&v) != nil {
		return nil, false
	}
	list, ok := customers(v)
	if !ok {
		return nil, false
	}
	for _, c := range list {
		if named, there := c["identifier"]; there && text(named) != identifier {
			continue
		}
		id := text(c["customer_id"])
		if id == "" {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

func customers(v any) ([]map[string]any, bool) {
	switch v := v.(type) {
	case []any:
		return objects(v)
	case map[string]any:
		if _, one := v["customer_id"]; one {
			return []map[string]any{v}, true
		}
		var lists [][]any
		var keyed []any
		for key, value := range v {
			if list, ok := value.([]any); ok {
				lists = append(lists, list)
			}
			if _, isIndex := index(key); isIndex {
				keyed = append(keyed, value)
			}
		}
		if len(keyed) > 0 && len(keyed) == len(v) {
			return objects(keyed)
		}
		if len(lists) == 1 && v["errors"] == nil {
			return objects(lists[0])
		}
	}
	return nil, false
}

func objects(list []any) ([]map[string]any, bool) {
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		c, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
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
