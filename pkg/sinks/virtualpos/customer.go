package virtualpos

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// The fields of a row that are no fields of VirtualPOS' customers: they go out by
// calls of their own.
const (
	externalID  = "external_id"
	cardList    = "cards"
	bonusList   = "bonuses"
	computedAge = "age"
)

// Map writes a customer as VirtualPOS takes it. There is one mail address and one
// phone; where the shop keeps further ones only, the first of them is taken. A
// consent that is cleared is none. When a customer registered can't be cleared, and
// a gender that is neither female nor male is left alone. Bonuses of null clear
// nothing, since which programmes are meant is not known: their amount is to be 0.
func (s *Sink) Map(ev *events.Event, rec *sinks.Record) {
	c := &ev.Customer
	rec.Text(externalID, s.externalIDOf(ev.Shop, c.ID))
	setText(rec, "fname", c.FirstName)
	setText(rec, "lname", c.LastName)
	setText(rec, "mname", c.MiddleName)
	setText(rec, "email", first(c.Email, c.Emails))
	setText(rec, "phone", first(c.Phone, c.Phones))
	switch {
	case c.Gender.State == events.Null:
		rec.Null("gender")
	case c.Gender.V == "female":
		rec.Text("gender", "F")
	case c.Gender.V == "male":
		rec.Text("gender", "M")
	}
	setText(rec, "custom_information", c.Note)
	mapBirthDate(c.BirthDate, rec)
	if c.RegisteredAt.Has() {
		rec.Text("register_date", c.RegisteredAt.V.In(s.zone).Format(time.DateTime))
	}
	mapConsents(&c.Consents, rec)
	if id, ok := s.options.Groups[c.Group.V]; ok && c.Group.Has() {
		setNumber(rec, "group_id", id)
	} else {
		if c.Group.State == events.Null {
			rec.Null("group_id") // an empty name alone is no name
		}
		setText(rec, "group_name", c.Group)
	}
	if s.options.Cards != cardsNone {
		s.mapCards(&c.Cards, rec)
	}
	mapBonuses(c.Bonuses.V, rec)
}

func (s *Sink) externalIDOf(shop, customer string) string {
	if s.options.ExternalIDWithShop {
		return shop + "/" + customer
	}
	return customer
}

func first(primary events.Opt[string], more events.Opt[[]string]) events.Opt[string] {
	if primary.State == events.Absent && len(more.V) > 0 {
		primary = events.Some(more.V[0])
	}
	primary.V = strings.TrimSpace(primary.V)
	return primary
}

// mapBirthDate writes the date as three numbers. What is no date is left as it
// is, for Check to find.
func mapBirthDate(date events.Opt[string], rec *sinks.Record) {
	day, err := time.Parse(time.DateOnly, date.V)
	switch {
	case date.State == events.Absent:
	case date.State == events.Null:
		rec.Null("birth_day")
		rec.Null("birth_month")
		rec.Null("birth_year")
	case err != nil:
		rec.Text("birth_day", date.V)
	default:
		setNumber(rec, "birth_day", day.Day())
		setNumber(rec, "birth_month", int(day.Month()))
		setNumber(rec, "birth_year", day.Year())
	}
}

func mapConsents(consents *events.Opt[events.Consents], rec *sinks.Record) {
	c := &consents.V
	for _, f := range []struct {
		name  string
		given events.Opt[bool]
	}{{"send_push", c.Push}, {"send_email", c.Email}, {"send_sms", c.SMS}} {
		if consents.State == events.Null || f.given.State != events.Absent {
			rec.Set(sinks.Field{Name: f.name, Kind: sinks.KindBool, Bool: f.given.V})
		}
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

func setNumber(rec *sinks.Record, name string, n int) {
	rec.Set(sinks.Field{Name: name, Kind: sinks.KindNumber, Number: float64(n)})
}

// Check judges a record by what is known of VirtualPOS' rules.
func (s *Sink) Check(rec *sinks.Record) []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	if valueIn(rec, externalID) == "" {
		add(externalID, "is required, since the customer is known by it")
	}
	if rec.Get("", computedAge) != nil {
		add(computedAge, "can't be passed: virtualpos computes it from the birthday")
	}
	if email := valueIn(rec, "email"); email != "" && !isEmail(email) {
		add("email", "must be an e-mail address")
	}
	if gender := valueIn(rec, "gender"); gender != "" && gender != "F" && gender != "M" {
		add("gender", "must be F or M")
	}
	for _, f := range []struct {
		name        string
		least, most int
	}{{"birth_day", 1, 31}, {"birth_month", 1, 12}, {"birth_year", 1800, 2200}, {"group_id", 1, 1<<31 - 1}} {
		value := valueIn(rec, f.name)
		if n, err := strconv.Atoi(value); value != "" && (err != nil || n < f.least || n > f.most) {
			add(f.name, "must be a number from "+strconv.Itoa(f.least)+" to "+strconv.Itoa(f.most))
		}
	}
	if value := valueIn(rec, "register_date"); value != "" && !isDate(value) {
		add("register_date", "must be YYYY-MM-DD HH:MM:SS")
	}
	for _, name := range []string{"send_push", "send_email", "send_sms"} {
		if value := valueIn(rec, name); !slices.Contains([]string{"", "0", "1", "true", "false"}, value) {
			add(name, "must be true or false")
		}
	}
	fields := rec.Fields()
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Group != "":
			add(f.Group+"."+f.Name, "has no place: a form has no objects")
		case f.Name == cardList && f.Kind != sinks.KindNull:
			broken = append(broken, checkList(f, cardList, checkCard, externalID, "uid")...)
		case f.Name == bonusList && f.Kind != sinks.KindNull:
			broken = append(broken, checkList(f, bonusList, checkBonus, "bonus_id")...)
		case f.Name != cardList && f.Name != bonusList && f.Kind == sinks.KindRaw && !isScalar(f.Raw):
			add(f.Name, "must be a text, a number, or true or false")
		}
	}
	return broken
}

// isScalar reports whether raw JSON can be a form's value.
func isScalar(raw []byte) bool { return len(raw) > 0 && raw[0] != '{' && raw[0] != '[' }

// isDate reports whether a text is a date, with a time or without.
func isDate(s string) bool {
	for _, layout := range []string{time.DateTime, time.DateOnly} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func isEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && !strings.Contains(domain, "@") && !strings.ContainsAny(s, " \t\r\n,;<>")
}

// Schema is what a map may set: all fields of a customer but the id, which
// VirtualPOS gives, and the age, which can't be passed.
func Schema() *sinks.Schema {
	return &sinks.Schema{
		Fields: []string{
			externalID, "fname", "lname", "mname", "email", "phone", "gender", "custom_information", "birth_day", "birth_month", "birth_year",
			"register_date", "accumulated_sales", "send_push", "send_email", "send_sms", "group_id", "group_name",
			"created_date", "created_by", "last_update_date", "last_update_by",
		},
		Objects: []string{cardList, bonusList},
	}
}
