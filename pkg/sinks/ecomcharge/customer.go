package ecomcharge

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// Map writes a customer as eComCharge takes it. There is one mail address and one
// phone; where the shop keeps further ones only, the first of them is taken. What
// is null is left out, since a customer who is created has nothing to clear. A
// state outside the US and Canada is left out too: there is no place for it.
//
// Two customers with one mail address never share a batch, since they may be
// looked for by it.
func (s *Sink) Map(ev *events.Event, rec *sinks.Record) {
	c := &ev.Customer
	setText(rec, "first_name", c.FirstName)
	setText(rec, "last_name", c.LastName)
	address := &c.Address.V
	setText(rec, "address", addressLine(address))
	country := upper(address.Country)
	setText(rec, "country", country)
	setText(rec, "city", address.City)
	setText(rec, "zip", address.Postcode)
	if hasStates(country.V) {
		setText(rec, "state", upper(address.State))
	}
	setText(rec, "phone", first(c.Phone, c.Phones))
	email := first(c.Email, c.Emails)
	setText(rec, "email", email)
	rec.Apart("email")
	setText(rec, "ip", c.IP)
	switch {
	case s.options.ExternalIDWithShop:
		rec.Text("external_id", ev.Shop+"/"+c.ID)
	case s.options.ExternalID:
		rec.Text("external_id", c.ID)
	}
}

// setText writes what has a value, without the space around it.
func setText(rec *sinks.Record, name string, field events.Opt[string]) {
	if value := strings.TrimSpace(field.V); field.Has() && value != "" {
		rec.Text(name, value)
	}
}

func first(primary events.Opt[string], more events.Opt[[]string]) events.Opt[string] {
	if primary.State == events.Absent && len(more.V) > 0 {
		return events.Some(more.V[0])
	}
	return primary
}

func upper(field events.Opt[string]) events.Opt[string] {
	field.V = strings.ToUpper(strings.TrimSpace(field.V))
	return field
}

// addressLine is street, building and flat in one line.
func addressLine(a *events.Address) events.Opt[string] {
	var line []string
	for _, part := range []events.Opt[string]{a.Street, a.Building, a.Flat} {
		if part.Has() && part.V != "" {
			line = append(line, part.V)
		}
	}
	return events.Some(strings.Join(line, " "))
}

func hasStates(country string) bool { return country == "US" || country == "CA" }

// names are the fields that there are, in the order of the document.
var names = [...]string{"first_name", "last_name", "address", "country", "city", "zip", "state", "phone", "email", "ip", "external_id"}

// Check judges a record by eComCharge's documented rules.
func (s *Sink) Check(rec *sinks.Record) []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	value := func(name string) string { return valueIn(rec, name) }
	switch email := value("email"); {
	case email == "":
		add("email", "is required")
	case !isEmail(email):
		add("email", "must be an e-mail address")
	}
	switch ip := value("ip"); {
	case ip == "":
		add("ip", "is required: the address of the customer's device")
	case !isIP(ip):
		add("ip", "must be an IP address")
	}
	country := value("country")
	if country != "" && !isTwoLetters(country) {
		add("country", "must be two capital letters, as ISO 3166-1 has them")
	}
	if zip := value("zip"); country == "US" && zip != "" && !isUSZip(zip) {
		add("zip", "must be NNNNN or NNNNN-NNNN in the US")
	}
	switch state := value("state"); {
	case state == "":
	case !hasStates(country):
		add("state", "is for the US and CA only")
	case !isTwoLetters(state):
		add("state", "must be two capital letters")
	}
	if utf8.RuneCountInString(value("external_id")) > 255 {
		add("external_id", "must be 255 characters or less")
	}
	fields := rec.Fields()
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Group != "" || !slices.Contains(names[:], f.Name):
			add(f.Name, "is not a field of eComCharge's customers")
		case f.Kind != sinks.KindText && f.Kind != sinks.KindNull:
			add(f.Name, "must be a text")
		}
	}
	return broken
}

// valueIn returns a text of the record, empty if it has none of that name.
func valueIn(rec *sinks.Record, name string) string {
	if f := rec.Get("", name); f != nil && f.Kind == sinks.KindText {
		return f.Text
	}
	return ""
}

func isEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && !strings.Contains(domain, "@") && !strings.ContainsAny(s, " \t\r\n,;<>")
}

func isIP(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Zone() == ""
}

func isTwoLetters(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

func isUSZip(s string) bool {
	five, four, long := strings.Cut(s, "-")
	isDigits := func(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }
	return isDigits(five, 5) && (!long || isDigits(four, 4))
}

// Schema is what a map may set.
func Schema() *sinks.Schema { return &sinks.Schema{Fields: names[:]} }
