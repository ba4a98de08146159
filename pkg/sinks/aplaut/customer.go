package aplaut

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

const attributeGroup = "custom_attributes"

// Map writes a customer as Aplaut takes it. There is one mail address and one
// phone; where the shop keeps further ones only, the first of them is taken. A
// consent to e-mail that is cleared is none. When a customer registered can't be
// cleared: null leaves it alone.
func (s *Sink) Map(ev *events.Event, rec *sinks.Record) {
	c := &ev.Customer
	rec.Text("external_id", s.externalIDOf(ev.Shop, c.ID))
	setText(rec, "name", name(c))
	if s.options.FirstName {
		setText(rec, "first_name", c.FirstName)
	}
	setText(rec, "email", first(c.Email, c.Emails))
	setText(rec, "phone", first(c.Phone, c.Phones))
	if c.RegisteredAt.Has() {
		rec.Text("created_at", c.RegisteredAt.V.Format(time.RFC3339Nano))
	}
	if email := c.Consents.V.Email; c.Consents.State == events.Null || email.State != events.Absent {
		rec.Set(sinks.Field{Name: "unsubscribed", Kind: sinks.KindBool, Bool: !email.V})
	}
	s.mapAttributes(c, rec)
}

func (s *Sink) externalIDOf(shop, customer string) string {
	if s.options.ExternalIDWithShop {
		return shop + ":" + customer
	}
	return customer
}

// name is the full name, or what the parts make of it.
func name(c *events.Customer) events.Opt[string] {
	if c.FullName.State == events.Null {
		return c.FullName
	}
	if name := c.DisplayName(); name != "" {
		return events.Some(name)
	}
	if c.FirstName.State == events.Null || c.LastName.State == events.Null {
		return events.Clear[string]()
	}
	return events.Opt[string]{}
}

// first is the one that there is a place for. An empty one is none, which Aplaut
// might take for another consumer's, since mail addresses have to be unique.
func first(primary events.Opt[string], more events.Opt[[]string]) events.Opt[string] {
	if primary.State == events.Absent && len(more.V) > 0 {
		primary = events.Some(more.V[0])
	}
	if primary.V = strings.TrimSpace(primary.V); primary.Has() && primary.V == "" {
		return events.Clear[string]()
	}
	return primary
}

func (s *Sink) mapAttributes(c *events.Customer, rec *sinks.Record) {
	if c.Attributes.State == events.Null {
		rec.Null(attributeGroup)
	}
	for _, a := range c.Attributes.V {
		f := sinks.Field{Group: attributeGroup, Name: a.Name}
		switch {
		case string(a.Value) == "null":
		case s.options.TextAttributes && a.Value[0] != '"':
			f.Kind, f.Text = sinks.KindText, string(a.Value)
		default:
			f.Kind, f.Raw = sinks.KindRaw, json.RawMessage(a.Value)
		}
		rec.Set(f)
	}
}

func setText(rec *sinks.Record, name string, field events.Opt[string]) {
	switch field.State {
	case events.Set:
		rec.Text(name, field.V)
	case events.Null:
		rec.Null(name)
	case events.Absent:
	}
}

// Check judges a record by what is known of Aplaut's rules.
func (s *Sink) Check(rec *sinks.Record) []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	if message := unfit(externalIDIn(rec)); message != "" {
		add("external_id", message)
	}
	if f := rec.Get("", "email"); f != nil && f.Kind != sinks.KindNull && !isEmail(f.Text) {
		add("email", "must be an e-mail address")
	}
	if f := rec.Get("", "phone"); f != nil && f.Kind != sinks.KindNull && !isPhone(f.Text) {
		add("phone", "must be a phone number: only its digits are stored")
	}
	for _, name := range []string{"created_at", "updated_at"} {
		if f := rec.Get("", name); f != nil && f.Kind != sinks.KindNull {
			if _, err := time.Parse(time.RFC3339, f.Text); err != nil {
				add(name, "must be a time, as RFC 3339 has it")
			}
		}
	}
	for _, name := range []string{"unsubscribed", "complained"} {
		if f := rec.Get("", name); f != nil && f.Kind != sinks.KindBool && f.Kind != sinks.KindNull {
			add(name, "must be true or false")
		}
	}
	fields := rec.Fields()
	for i := range fields {
		if f := &fields[i]; f.Group == attributeGroup && f.Kind == sinks.KindRaw && len(f.Raw) > 0 && (f.Raw[0] == '{' || f.Raw[0] == '[') {
			add(attributeGroup+"."+f.Name, "must be a text, a number, or true or false: there is one level only")
		}
	}
	return broken
}

// externalIDIn returns the external id of a record, empty if it has none.
func externalIDIn(rec *sinks.Record) string {
	f := rec.Get("", "external_id")
	if f == nil {
		return ""
	}
	switch f.Kind {
	case sinks.KindText:
		return f.Text
	case sinks.KindNumber:
		return string(scan.AppendFloat(nil, f.Number))
	case sinks.KindNull, sinks.KindBool, sinks.KindRaw:
	}
	return ""
}

// unfit says why an external id can't be in a path, or nothing if it can.
func unfit(id string) string {
	switch {
	case id == "":
		return "is required, since the consumer is known by it"
	case strings.Contains(id, "."):
		return "can't hold a dot: aplaut cuts the id there and would change another consumer"
	case strings.Contains(id, "/"):
		return "can't hold a slash: aplaut's addresses don't carry it"
	}
	return ""
}

func isEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && !strings.Contains(domain, "@") && !strings.ContainsAny(s, " \t\r\n,;<>")
}

// isPhone reports whether a phone is digits and what people write between them.
// Seven digits are a local number.
func isPhone(s string) bool {
	return len(digits(s)) >= 7 && strings.Trim(s, "0123456789+-–./() \u00a0") == ""
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// Schema is what a map may set.
func Schema() *sinks.Schema {
	return &sinks.Schema{
		Fields: []string{
			"external_id", "name", "first_name", "email", "phone", "created_at", "updated_at", "unsubscribed", "complained", "avatar_url",
		},
		Open: []string{attributeGroup},
	}
}
