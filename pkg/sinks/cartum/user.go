package cartum

import (
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// Map writes a customer as Cartum takes it. There is one mail address and one
// phone; where the shop keeps further ones only, the first of them is taken.
func (s *Sink) Map(ev *events.Event, rec *sinks.Record) {
	c := &ev.Customer
	setText(rec, "title", title(c))
	email := first(c.Email, c.Emails)
	email.V = strings.TrimSpace(email.V)
	setText(rec, "email", email)
	rec.Apart("email")
	phone := first(c.Phone, c.Phones)
	phone.V = international(phone.V)
	setText(rec, "phone", phone)
	mapAddress(&c.Address, rec)
	mapDiscount(&c.Discount, rec)
	setText(rec, "note", c.Note)
	if s.options.Newsletter {
		setFlag(rec, "newsletter_subscription", &c.Consents)
	}
	if s.options.B2B {
		s.mapB2B(c, rec)
	}
}

// title is the full name, or what the parts make of it. It can't be cleared.
func title(c *events.Customer) events.Opt[string] {
	if c.FullName.State == events.Null {
		return c.FullName
	}
	if name := c.DisplayName(); name != "" {
		return events.Some(name)
	}
	return events.Opt[string]{}
}

func first(primary events.Opt[string], more events.Opt[[]string]) events.Opt[string] {
	if primary.State == events.Absent && len(more.V) > 0 {
		return events.Some(more.V[0])
	}
	return primary
}

// mapAddress writes street, building and flat in one line. What is absent of them
// can't be left alone in it: the line is what the shop says of all three.
func mapAddress(address *events.Opt[events.Address], rec *sinks.Record) {
	if address.State == events.Null {
		for _, name := range []string{"country", "city", "address"} {
			rec.Null(name)
		}
		return
	}
	a := &address.V
	setText(rec, "country", a.Country)
	setText(rec, "city", a.City)
	var line []string
	cleared := false
	for _, part := range []events.Opt[string]{a.Street, a.Building, a.Flat} {
		cleared = cleared || part.State == events.Null
		if part.Has() && part.V != "" {
			line = append(line, part.V)
		}
	}
	switch {
	case len(line) > 0:
		rec.Text("address", strings.Join(line, " "))
	case cleared:
		rec.Null("address")
	}
}

// mapDiscount writes the personal discount. A status without a number of its own
// is left as it is, for Check to find.
func mapDiscount(discount *events.Opt[events.Discount], rec *sinks.Record) {
	switch discount.State {
	case events.Absent:
		return
	case events.Null:
		rec.Null("discount_card")
		return
	case events.Set:
	}
	const group = "discount_card"
	d := &discount.V
	setNumber(rec, group, "discount", d.Percent)
	if d.Active.State != events.Absent {
		f := sinks.Field{Group: group, Name: "active"}
		if d.Active.Has() {
			f.Kind, f.Bool = sinks.KindBool, d.Active.V
		}
		rec.Set(f)
	}
	setIn(rec, group, "date_limit", d.ValidUntil)
	switch d.Status.V {
	case "confirmed", "pending", "rejected":
		number := map[string]float64{"confirmed": 1, "pending": 2, "rejected": 3}[d.Status.V]
		setNumber(rec, group, "status", events.Some(number))
	default:
		setIn(rec, group, "status", d.Status)
	}
}

func (s *Sink) mapB2B(c *events.Customer, rec *sinks.Record) {
	setText(rec, "company", c.Company)
	setText(rec, "role", c.JobTitle)
	setText(rec, "site_link", c.Website)
	switch c.Balance.State {
	case events.Null:
		rec.Null("balance")
	case events.Set:
		setNumber(rec, "", "balance", c.Balance.V.Amount)
		setText(rec, "balance_currency", c.Balance.V.Currency)
	case events.Absent:
	}
	setID(rec, "customer_group_id", c.Group, s.options.CustomerGroups)
	setID(rec, "manager_id", c.AccountManager, s.options.Managers)
}

// setID writes the shop's id of what has this name, where it is known.
func setID(rec *sinks.Record, name string, field events.Opt[string], ids map[string]int) {
	if field.State == events.Null {
		rec.Null(name)
	}
	if !field.Has() {
		return
	}
	id, ok := ids[field.V]
	if !ok {
		n, err := strconv.ParseUint(field.V, 10, 31)
		if id, ok = int(n), err == nil; !ok {
			return
		}
	}
	setNumber(rec, "", name, events.Some(float64(id)))
}

func setText(rec *sinks.Record, name string, field events.Opt[string]) { setIn(rec, "", name, field) }

func setIn(rec *sinks.Record, group, name string, field events.Opt[string]) {
	switch field.State {
	case events.Set:
		rec.Set(sinks.Field{Group: group, Name: name, Kind: sinks.KindText, Text: field.V})
	case events.Null:
		rec.Set(sinks.Field{Group: group, Name: name})
	case events.Absent:
	}
}

func setNumber(rec *sinks.Record, group, name string, field events.Opt[float64]) {
	switch field.State {
	case events.Set:
		rec.Set(sinks.Field{Group: group, Name: name, Kind: sinks.KindNumber, Number: field.V})
	case events.Null:
		rec.Set(sinks.Field{Group: group, Name: name})
	case events.Absent:
	}
}

// setFlag writes the consent to e-mail as 1 or 0. A consent that is cleared is none.
func setFlag(rec *sinks.Record, name string, consents *events.Opt[events.Consents]) {
	flag := events.Opt[float64]{State: consents.V.Email.State}
	if consents.State == events.Null || flag.State == events.Null {
		flag.State = events.Set
	} else if consents.V.Email.V {
		flag.V = 1
	}
	setNumber(rec, "", name, flag)
}

// international takes away what people write between the digits of a phone
// number. 00 before the country code is a plus, and a number of 12 digits or more
// has its country code, since no national one is that long. Anything else stays,
// for Check to find: which country a shorter one belongs to would be a guess.
func international(phone string) string {
	bare := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '-', '\u2013', '.', '/', '(', ')':
			return -1
		}
		return r
	}, phone)
	if code, ok := strings.CutPrefix(bare, "00"); ok {
		bare = "+" + code
	} else if len(bare) >= 12 && bare[0] != '+' {
		bare = "+" + bare
	}
	if hasCountryCode(bare) {
		return bare
	}
	return phone
}

// hasCountryCode reports whether a phone can be what the document wants: "with
// the country code", by its sample with a plus before it.
func hasCountryCode(phone string) bool {
	number, ok := strings.CutPrefix(phone, "+")
	return ok && strings.Trim(number, "0123456789") == "" && len(number) >= 8 && len(number) <= 15 && number[0] != '0'
}

// Check judges a record by what is known of Cartum's rules.
func (s *Sink) Check(rec *sinks.Record) []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	if f := rec.Get("", "title"); f == nil || f.Kind != sinks.KindText || strings.TrimSpace(f.Text) == "" {
		add("title", "is required")
	}
	if f := rec.Get("", "email"); f == nil || f.Kind != sinks.KindText || f.Text == "" {
		add("email", "is required, since the user is known by it")
	} else if !isEmail(f.Text) {
		add("email", "must be an e-mail address")
	}
	if f := rec.Get("", "phone"); f != nil && f.Kind != sinks.KindNull && f.Text != "" && !hasCountryCode(f.Text) {
		add("phone", "must begin with + and the country code")
	}
	if f := rec.Get("discount_card", "discount"); f != nil && f.Kind == sinks.KindNumber && (f.Number < 0 || f.Number > 100) {
		add("discount_card.discount", "must be 0 to 100 percent")
	}
	if f := rec.Get("discount_card", "date_limit"); f != nil && f.Kind != sinks.KindNull && f.Text != "" {
		if _, err := time.Parse(time.DateOnly, f.Text); err != nil {
			add("discount_card.date_limit", "must be a date, YYYY-MM-DD")
		}
	}
	if f := rec.Get("discount_card", "status"); f != nil && f.Kind != sinks.KindNull &&
		(f.Kind != sinks.KindNumber || f.Number != 1 && f.Number != 2 && f.Number != 3) {
		add("discount_card.status", "must be confirmed, pending or rejected")
	}
	for _, name := range []string{"customer_group_id", "manager_id", "balance"} {
		if f := rec.Get("", name); f != nil && f.Kind != sinks.KindNumber && f.Kind != sinks.KindNull {
			add(name, "must be a number")
		}
	}
	return broken
}

func isEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && !strings.ContainsAny(domain, "@") && !strings.ContainsAny(s, " \t\r\n,;<>")
}

// Schema is what a map may set, the fields of B2B shops and of newer pages included:
// whoever maps one knows that the shop has it.
func Schema() *sinks.Schema {
	return &sinks.Schema{Fields: []string{
		"title", "email", "phone", "country", "city", "address", "note", "newsletter_subscription",
		"discount_card.discount", "discount_card.active", "discount_card.date_limit", "discount_card.status",
		"customer_group_id", "balance", "balance_currency", "manager_id", "site_link", "company", "role",
	}}
}
