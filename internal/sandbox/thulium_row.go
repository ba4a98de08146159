package sandbox

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// thuliumRow is what the stand-in needs to know of a row.
type thuliumRow struct {
	raw        []byte
	id         string // customer_id
	identifier string
	named      bool // the row has an identifier field
	surname    []byte
	version    int64
	refusal    string // the first rule broken
}

// read reads a row that comes by itself.
func (t *Thulium) read(raw []byte) thuliumRow {
	c := thuliumRow{version: -1}
	err := fields(raw, c.visitor(&t.Switches, t.book.Lean))
	c.done(raw, err == nil)
	return c
}

func (c *thuliumRow) done(raw []byte, isObject bool) {
	c.raw = raw
	if !isObject {
		c.refusal = "Customer must be an object."
	}
}

// visitor reads the row's fields and judges each by itself. A lean one does not
// look into dates and addresses.
func (c *thuliumRow) visitor(s *ThuliumSwitches, lean bool) func(quoted, value []byte) {
	carrier := s.VersionField
	if carrier == "" {
		carrier = "custom_fields.version"
	}
	group, field, nested := strings.Cut(carrier, ".")
	return func(quoted, value []byte) {
		name := quoted[1 : len(quoted)-1]
		refusal := ""
		switch string(name) {
		case "customer_id":
			c.id = text(value)
		case "identifier":
			c.identifier, c.named = clearedText(value), true
			if value[0] != '"' && value[0] != 'n' {
				refusal = "Identifier must be a text."
			}
		case "surname":
			c.surname = value
		case "phone_number":
			if !eachText(value, numeric) {
				refusal = "Phone number must be numeric."
			}
		case "email":
			if !eachText(value, mail) {
				refusal = "Wrong format of e-mail address."
			}
		case "birthdate":
			if !lean && !s.AnyBirthdate && !date(cleared(value)) {
				refusal = "Wrong format of birthdate."
			}
		case "vip", "fill_read_only_custom_fields":
			if value[0] != 't' && value[0] != 'f' && value[0] != 'n' {
				refusal = "Field " + string(name) + " must be a flag."
			}
		case "group":
			if g := clearedText(value); g != "" && len(s.Groups) > 0 && !slices.Contains(s.Groups, g) {
				refusal = "Group does not exist."
			}
		case "custom_fields":
			if lean {
				break
			}
			refusal = objectOf(value, "custom_fields")
		case "address", "invoice_address", "mail_drop_address":
			if lean {
				break
			}
			refusal = objectOf(value, string(name), "street", "building", "flat", "postcode", "city", "country")
		case "name", "company_id", "type", "gender", "homepage", "nip", "note", "pesel", "job", "job_title", "account_manager":
			if value[0] != '"' && value[0] != 'n' {
				refusal = "Field " + string(name) + " must be a text."
			}
		}
		if c.refusal == "" {
			c.refusal = refusal
		}
		switch {
		case nested && string(name) == group && value[0] == '{':
			fields(value, func(quoted, value []byte) {
				if string(quoted[1:len(quoted)-1]) == field {
					c.version = versionIn(value)
				}
			})
		case !nested && string(name) == group:
			c.version = versionIn(value)
		}
	}
}

// apply creates or updates the row's customer, or says why not. The id of a
// customer that was created is left in c.
func (t *Thulium) apply(c *thuliumRow, create bool) (status int, refusal string) {
	empty := len(c.surname) == 0 && create || len(c.surname) > 0 && len(bytes.TrimSpace(cleared(c.surname))) == 0
	var e *entry
	switch {
	case !create && c.id == "":
		return http.StatusBadRequest, "Customer id is required."
	case !create:
		if e = t.book.records[c.id]; e == nil {
			return http.StatusNotFound, "Customer not found."
		}
	}
	switch {
	case empty:
		return http.StatusBadRequest, "Surname is required."
	case c.refusal != "":
		return http.StatusBadRequest, c.refusal
	case create && t.Switches.UniqueIdentifier && c.identifier != "" && len(t.book.under(c.identifier)) > 0:
		return http.StatusBadRequest, "Customer with this identifier already exists."
	}
	if create {
		t.last++
		c.id = strconv.Itoa(t.last)
		t.book.create(t.key(c), c.id, c.raw, c.version, thuliumRules)
		return http.StatusCreated, ""
	}
	if c.named && t.key(c) != e.owner.key {
		t.book.disown(e)
		t.book.own(e, t.key(c))
	}
	t.book.update(e, c.raw, c.version, false)
	return http.StatusOK, ""
}

// key is the external key of a row's customer; those without an identifier have
// one made of their id, so that they are seen.
func (t *Thulium) key(c *thuliumRow) string {
	if c.identifier == "" {
		return "without identifier: " + c.id
	}
	return c.identifier
}

// clearedText is the text of a value, empty for null.
func clearedText(value []byte) string { return string(cleared(value)) }

// cleared is clearedText without a copy.
func cleared(value []byte) []byte {
	if value[0] == 'n' {
		return nil
	}
	return raw(value)
}

// eachText reports whether rule holds for a text, for all texts of a list, or
// for the digits of a number; null and empty ones clear and need no rule.
func eachText(value []byte, rule func([]byte) bool) bool {
	switch value[0] {
	case 'n':
		return true
	case '[':
		good := true
		err := elements(value, func(one []byte) { good = good && one[0] != '[' && eachText(one, rule) })
		return err == nil && good
	case '{', 't', 'f':
		return false
	}
	s := raw(value)
	return len(s) == 0 || rule(s)
}

func numeric(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}

// mail is as strict as a mail address has to be for any provider.
func mail(s []byte) bool {
	at := bytes.IndexByte(s, '@')
	if at < 1 || bytes.ContainsAny(s, " \t\r\n,;<>()") {
		return false
	}
	domain := s[at+1:]
	dot := bytes.IndexByte(domain, '.')
	return dot > 0 && domain[len(domain)-1] != '.' && bytes.IndexByte(domain, '@') < 0 && !bytes.Contains(domain, []byte(".."))
}

// date accepts YYYY-MM-DD and nothing.
func date(s []byte) bool {
	if len(s) == 0 {
		return true
	}
	_, err := time.Parse(time.DateOnly, string(s))
	return err == nil
}

// objectOf says what is wrong with a value that is to be an object of scalars,
// with these fields only where known names are given.
func objectOf(value []byte, name string, known ...string) string {
	if value[0] == 'n' {
		return ""
	}
	if value[0] != '{' {
		return "Field " + name + " must be an object."
	}
	refusal := ""
	fields(value, func(quoted, value []byte) {
		field := raw(quoted)
		switch {
		case value[0] == '{' || value[0] == '[':
			refusal = "Field " + name + "." + string(field) + " must be a text."
		case len(known) > 0 && !slices.ContainsFunc(known, func(k string) bool { return k == string(field) }):
			refusal = "Field " + name + "." + string(field) + " is unknown."
		}
	})
	return refusal
}
