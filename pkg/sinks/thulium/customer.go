package thulium

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// Map writes a customer as Thulium takes it.
//
// The surname is last_name. Where a shop keeps only full names it is the last
// word of full_name, and the words before it are the name, unless first_name says
// otherwise; a last_name of null is not made up for. The middle name has no place.
// Attributes become custom fields with the values that they have; attributes of
// null as a whole clear nothing, since which fields are meant is not known.
func (s *Sink) Map(ev *events.Event, rec *sinks.Record) {
	c := &ev.Customer
	rec.Text("identifier", s.identifierOf(ev.Shop, c.ID))
	mapNames(c, rec)
	setList(rec, "email", c.Email, c.Emails, strings.TrimSpace)
	setList(rec, "phone_number", c.Phone, c.Phones, digits)
	setText(rec, "type", c.Type)
	setText(rec, "group", c.Group)
	s.mapGender(c.Gender, rec)
	s.mapBirthdate(c.BirthDate, rec)
	setText(rec, "homepage", c.Website)
	setText(rec, "nip", c.TaxID)
	setText(rec, "pesel", c.NationalID)
	setText(rec, "note", c.Note)
	setText(rec, "job", c.Company)
	setText(rec, "job_title", c.JobTitle)
	setText(rec, "account_manager", c.AccountManager)
	switch c.VIP.State {
	case events.Set:
		rec.Set(sinks.Field{Name: "vip", Kind: sinks.KindBool, Bool: c.VIP.V})
	case events.Null:
		rec.Null("vip")
	case events.Absent:
	}
	mapAddress(rec, "address", &c.Address)
	mapAddress(rec, "invoice_address", &c.InvoiceAddress)
	mapAddress(rec, "mail_drop_address", &c.MailingAddress)
	if s.options.FillReadOnlyCustomFields {
		rec.Set(sinks.Field{Name: "fill_read_only_custom_fields", Kind: sinks.KindBool, Bool: true})
	}
	for _, a := range c.Attributes.V {
		f := sinks.Field{Group: "custom_fields", Name: a.Name, Kind: sinks.KindRaw, Raw: json.RawMessage(a.Value)}
		if string(a.Value) == "null" {
			f = sinks.Field{Group: f.Group, Name: f.Name}
		}
		rec.Set(f)
	}
}

func mapNames(c *events.Customer, rec *sinks.Record) {
	first, last := c.FirstName, c.LastName
	if words := strings.Fields(c.FullName.V); last.State == events.Absent && c.FullName.Has() && len(words) > 0 {
		last = events.Some(words[len(words)-1])
		if first.State == events.Absent && len(words) > 1 {
			first = events.Some(strings.Join(words[:len(words)-1], " "))
		}
	}
	setText(rec, "name", first)
	setText(rec, "surname", last)
}

func (s *Sink) mapGender(gender events.Opt[string], rec *sinks.Record) {
	if s.options.Gender == nil {
		return
	}
	if gender.State == events.Null {
		rec.Null("gender")
	} else if name, ok := s.options.Gender[gender.V]; ok && gender.Has() {
		rec.Text("gender", name)
	}
}

// mapBirthdate writes the date in the system's format. What is no date is left as
// it is, for Check to find.
func (s *Sink) mapBirthdate(date events.Opt[string], rec *sinks.Record) {
	if date.Has() && s.birthdate != time.DateOnly {
		if day, err := time.Parse(time.DateOnly, date.V); err == nil {
			date.V = day.Format(s.birthdate)
		}
	}
	setText(rec, "birthdate", date)
}

func mapAddress(rec *sinks.Record, group string, address *events.Opt[events.Address]) {
	if address.State == events.Absent {
		return
	}
	a := &address.V
	for i, field := range [len(addressFields)]events.Opt[string]{a.Street, a.Building, a.Flat, a.Postcode, a.City, a.Country} {
		switch {
		case address.State == events.Null || field.State == events.Null:
			rec.Set(sinks.Field{Group: group, Name: addressFields[i]})
		case field.Has():
			rec.Set(sinks.Field{Group: group, Name: addressFields[i], Kind: sinks.KindText, Text: field.V})
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

// setList writes one value as text and several as a list, each in the form that
// it is to have, without empty ones and repetitions.
func setList(rec *sinks.Record, name string, primary events.Opt[string], more events.Opt[[]string], form func(string) string) {
	one, list := "", []string(nil)
	add := func(value string) {
		if value = form(value); value == "" || value == one {
			return
		}
		if one == "" {
			one = value
			return
		}
		for _, v := range list {
			if v == value {
				return
			}
		}
		list = append(list, value)
	}
	add(primary.V)
	for _, v := range more.V {
		add(v)
	}
	switch {
	case len(list) > 0:
		raw := scan.AppendText([]byte{'['}, one)
		for _, v := range list {
			raw = scan.AppendText(append(raw, ','), v)
		}
		rec.Set(sinks.Field{Name: name, Kind: sinks.KindRaw, Raw: append(raw, ']')})
	case one != "":
		rec.Text(name, one)
	case primary.State != events.Absent: // without it the shop manages further ones only
		rec.Null(name)
	}
}

// digits takes away what people write between the digits of a phone number, and
// the plus before it. Anything else stays, for Check to find.
func digits(phone string) string {
	isDigits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if bare := strings.TrimPrefix(phone, "+"); isDigits(bare) {
		return bare
	}
	bare := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '-', '\u2013', '.', '/', '(', ')':
			return -1
		}
		return r
	}, phone)
	if bare = strings.TrimPrefix(bare, "+"); isDigits(bare) {
		return bare
	}
	return strings.TrimSpace(phone)
}

// Check judges a record by what is known of Thulium's rules.
func (s *Sink) Check(rec *sinks.Record) []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	if identifierIn(rec) == "" {
		add("identifier", "is required, since the customer is found by it")
	}
	if rec.Get("", "customer_id") != nil {
		add("customer_id", "is set by custsync and can't be mapped")
	}
	if f := rec.Get("", "surname"); f == nil || f.Kind != sinks.KindNumber && strings.TrimSpace(f.Text) == "" {
		add("surname", "is required")
	}
	if f := rec.Get("", "phone_number"); f != nil && !eachText(f, func(s string) bool { return strings.Trim(s, "0123456789") == "" }) {
		add("phone_number", "must hold digits only")
	}
	if f := rec.Get("", "email"); f != nil && !eachText(f, func(s string) bool { return !strings.ContainsAny(s, " \t\r\n") && strings.Count(s, "@") == 1 }) {
		add("email", "must be an e-mail address, or a list of them")
	}
	if f := rec.Get("", "birthdate"); f != nil && f.Kind != sinks.KindNull && f.Text != "" {
		if _, err := time.Parse(s.birthdate, f.Text); err != nil {
			add("birthdate", "must be a date, "+s.options.BirthdateFormat)
		}
	}
	for _, flag := range []string{"vip", "fill_read_only_custom_fields"} {
		if f := rec.Get("", flag); f != nil && f.Kind != sinks.KindBool && f.Kind != sinks.KindNull {
			add(flag, "must be true or false")
		}
	}
	return broken
}

// eachText reports whether the rule holds for a field's text, or for each text
// of its list. What clears the field needs no rule; a number is its digits.
func eachText(f *sinks.Field, rule func(string) bool) bool {
	switch f.Kind {
	case sinks.KindNull:
		return true
	case sinks.KindText:
		return f.Text == "" || rule(f.Text)
	case sinks.KindNumber:
		return rule(string(scan.AppendFloat(nil, f.Number)))
	case sinks.KindRaw:
		s := scan.New(f.Raw)
		good := true
		for more := s.Array(); more; more = s.More() {
			good = rule(s.Text()) && good
		}
		return good && s.End() == nil
	case sinks.KindBool:
	}
	return false
}

// Schema is what a map may set. The customer_id is not in it: it is from the ledger.
func Schema() *sinks.Schema {
	s := &sinks.Schema{
		Fields: []string{
			"identifier", "name", "surname", "email", "phone_number", "company_id", "type", "group", "gender", "homepage", "birthdate",
			"nip", "note", "pesel", "job", "job_title", "account_manager", "vip", "fill_read_only_custom_fields",
		},
		Lists: []string{"email", "phone_number", "custom_fields.*"},
		Open:  []string{"custom_fields"},
	}
	for _, group := range []string{"address", "invoice_address", "mail_drop_address"} {
		for _, field := range addressFields {
			s.Fields = append(s.Fields, group+"."+field)
		}
	}
	return s
}
