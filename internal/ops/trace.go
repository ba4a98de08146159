package ops

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// maxTraced is how many fields of a customer are tried.
const maxTraced = 100

// trace finds the customer's fields that errors come from, by what becomes of the
// row when each is left out: names and mapping of a provider need not be known.
func (s *seer) trace(p *prospect, ev *events.Event) {
	if s.change == nil || !s.change.paths {
		return
	}
	var data map[string]json.RawMessage
	if json.Unmarshal(ev.Data, &data) != nil || len(data) > maxTraced {
		return
	}
	before := fieldsOf(p.Row)
	for name := range data {
		if name == "id" || name == "version" {
			continue
		}
		row, errs := s.without(ev, data, name)
		if row == nil {
			continue
		}
		after := fieldsOf(row)
		for i := range p.Errors {
			e := &p.Errors[i]
			// An error about a field that has no value is about all that could make one.
			gone := before[e.Field] != "" && before[e.Field] != after[e.Field]
			if (gone || before[e.Field] == "" && !slices.Contains(errs, e.Field)) && (e.Path == "" || name < e.Path) {
				e.Path = name
			}
		}
	}
}

// without makes the row of a customer without one field, and names the fields of
// the provider that are at fault then.
func (s *seer) without(ev *events.Event, data map[string]json.RawMessage, name string) (row []byte, errs []string) {
	less := make(map[string]json.RawMessage, len(data))
	for n, v := range data {
		if n != name {
			less[n] = v
		}
	}
	body, err := json.Marshal(less)
	if err != nil {
		return nil, nil
	}
	doc, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": "trace", "source": "/shops/" + ev.Shop, "type": ev.Type, "subject": ev.Customer.ID,
		"time": ev.Time, "data": json.RawMessage(body),
	})
	if err != nil {
		return nil, nil
	}
	var other events.Event
	if events.Decode(doc, events.EscapeToken(ev.Shop), events.EscapeToken(ev.Customer.ID), time.Now(), &other) != nil {
		return nil, nil
	}
	made, err := s.renderer.Render(&other)
	if err != nil {
		return nil, nil
	}
	for _, e := range made.Errors {
		errs = append(errs, e.Field)
	}
	return made.Body, errs
}

// fieldsOf are the values of a row by the provider's names, with dots for nested
// ones, as JSON.
func fieldsOf(row []byte) map[string]string {
	all := map[string]string{}
	var walk func(prefix string, raw json.RawMessage)
	walk = func(prefix string, raw json.RawMessage) {
		all[prefix] = string(raw)
		var object map[string]json.RawMessage
		if strings.HasPrefix(string(raw), "{") && json.Unmarshal(raw, &object) == nil {
			for name, value := range object {
				walk(strings.TrimPrefix(prefix+"."+name, "."), value)
			}
		}
	}
	walk("", row)
	delete(all, "")
	return all
}
