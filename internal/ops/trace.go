package ops

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
)

// maxTraced is how many fields of a customer are tried.
const maxTraced = 100

// trace finds the customer's fields that errors of a row come from, by what becomes
// of it when each is left out: names and mapping of a provider need not be known.
func trace(renderer pipeline.Renderer, ev *events.Event, made *pipeline.Rendered, wrong []FieldError) {
	var data map[string]json.RawMessage
	if json.Unmarshal(ev.Data, &data) != nil || len(data) > maxTraced {
		return
	}
	before, broken := fieldsOf(made.Body), faults(made)
	for name := range data {
		if name == "id" || name == "version" {
			continue
		}
		other := without(renderer, ev, data, name)
		if other == nil || other.Body == nil {
			continue
		}
		after, still := fieldsOf(other.Body), faults(other)
		for i := range wrong {
			e := &wrong[i]
			gone := before[e.Field] != "" && before[e.Field] != after[e.Field]
			// A broken rule of a field that has no value is about all that could make one.
			mended := before[e.Field] == "" && slices.Contains(broken, e.Field) && !slices.Contains(still, e.Field)
			if (gone || mended) && (e.Path == "" || name < e.Path) {
				e.Path = name
			}
		}
	}
}

// faults names the fields of the provider that break its rules.
func faults(made *pipeline.Rendered) (fields []string) {
	for _, e := range made.Errors {
		fields = append(fields, e.Field)
	}
	return fields
}

// without makes the row of a customer without one field; nil: there is none.
func without(renderer pipeline.Renderer, ev *events.Event, data map[string]json.RawMessage, name string) *pipeline.Rendered {
	less := make(map[string]json.RawMessage, len(data))
	for n, v := range data {
		if n != name {
			less[n] = v
		}
	}
	body, err := json.Marshal(less)
	if err != nil {
		return nil
	}
	doc, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": "trace", "source": "/shops/" + ev.Shop, "type": ev.Type, "subject": ev.Customer.ID,
		"time": ev.Time, "data": json.RawMessage(body),
	})
	if err != nil {
		return nil
	}
	var other events.Event
	if events.Decode(doc, events.EscapeToken(ev.Shop), events.EscapeToken(ev.Customer.ID), time.Now(), &other) != nil {
		return nil
	}
	made, err := renderer.Render(&other)
	if err != nil {
		return nil
	}
	return &made
}

// sources fills in the customer's fields that a stored letter's errors come from, as
// far as the destination's rules and mapping of today tell them.
func (d *Desk) sources(l *deadletter.Letter, wrong []FieldError) {
	c := d.Config.Destination(l.Destination)
	if c == nil || d.Renderers == nil || len(wrong) == 0 {
		return
	}
	renderer, err := d.Renderers.of(c)
	if err != nil {
		return
	}
	var ev events.Event
	if events.Decode(l.Event, l.Shop, l.Customer, time.Now(), &ev) != nil {
		return
	}
	made, err := renderer.Render(&ev)
	if err != nil {
		return
	}
	trace(renderer, &ev, &made, wrong)
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
