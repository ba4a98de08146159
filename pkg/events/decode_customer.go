package events

import (
	"errors"
	"strconv"
	"time"

	"github.com/custsync/custsync/internal/scan"
)

// DecodeCustomer reads a bare customer, that is an event's data without the
// event, as strictly as Decode does, replacing whatever c held. Every error is a
// *DecodeError. c shares memory with data.
func DecodeCustomer(data []byte, c *Customer) error {
	c.reset()
	d := decoder{s: scan.New(data)}
	d.customer(c, Changed)
	d.s.End()
	if err := d.failure(); err != nil {
		return err
	}
	return nil
}

// decoder reads values and remembers where it failed.
type decoder struct {
	s     scan.Scanner
	field string // path of the field at fault, built from the inside on the way out
}

const twice = "given twice"

// under puts a field's name before the path of the failure inside it, if there
// is one. Only names of the contract may be given.
func (d *decoder) under(name string) {
	switch {
	case d.s.Err() == nil:
	case d.field == "":
		d.field = name
	case d.field[0] == '[':
		d.field = name + d.field
	default:
		d.field = name + "." + d.field
	}
}

func (d *decoder) failure() *DecodeError {
	var at *scan.Error
	if !errors.As(d.s.Err(), &at) {
		return nil
	}
	return &DecodeError{Reason: Undecodable, Field: d.field, Message: at.Message, Offset: at.Offset}
}

// customer reads data: all of it, or id and version only for a deletion.
func (d *decoder) customer(c *Customer, t Type) {
	for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
		if t == Deleted && key != "id" && key != "version" {
			d.s.Skip()
			continue
		}
		if !d.known(c, key) {
			d.s.Skip()
			continue
		}
		d.under(key)
	}
	if d.s.Err() == nil && c.ID == "" {
		d.s.Fail("missing")
		d.under("id")
	}
}

// known reads a field that the contract names and reports whether it is one.
func (d *decoder) known(c *Customer, key string) bool {
	switch key {
	case "id":
		d.id(&c.ID)
	case "version":
		d.version(&c.Version)
	case "email":
		d.text(&c.Email)
	case "emails":
		d.texts(&c.Emails)
	case "phone":
		d.text(&c.Phone)
	case "phones":
		d.texts(&c.Phones)
	case "first_name":
		d.text(&c.FirstName)
	case "last_name":
		d.text(&c.LastName)
	case "middle_name":
		d.text(&c.MiddleName)
	case "full_name":
		d.text(&c.FullName)
	case "gender":
		d.text(&c.Gender)
	case "birth_date":
		d.text(&c.BirthDate)
	case "company":
		d.text(&c.Company)
	case "job_title":
		d.text(&c.JobTitle)
	case "website":
		d.text(&c.Website)
	case "tax_id":
		d.text(&c.TaxID)
	case "national_id":
		d.text(&c.NationalID)
	case "note":
		d.text(&c.Note)
	case "group":
		d.text(&c.Group)
	case "type":
		d.text(&c.Type)
	case "account_manager":
		d.text(&c.AccountManager)
	case "locale":
		d.text(&c.Locale)
	case "ip":
		d.text(&c.IP)
	case "vip":
		d.bool(&c.VIP)
	case "registered_at":
		if d.first(&c.RegisteredAt.State) {
			c.RegisteredAt.V = d.time()
		}
	case "total_spent":
		d.number(&c.TotalSpent)
	case "address":
		d.address(&c.Address)
	case "invoice_address":
		d.address(&c.InvoiceAddress)
	case "mailing_address":
		d.address(&c.MailingAddress)
	case "consents":
		d.consents(&c.Consents)
	case "discount":
		d.discount(&c.Discount)
	case "balance":
		d.balance(&c.Balance)
	case "cards":
		d.cards(&c.Cards)
	case "bonuses":
		d.bonuses(&c.Bonuses)
	case "attributes":
		d.attributes(&c.Attributes)
	default:
		return false
	}
	return true
}

// first begins a field that may be left out: it reports whether a value is to be
// read, having noted a null and refused a second one.
func (d *decoder) first(state *State) bool {
	if *state != Absent {
		d.s.Fail(twice)
		return false
	}
	if d.s.Null() {
		*state = Null
		return false
	}
	*state = Set
	return true
}

func (d *decoder) id(id *string) {
	if *id != "" {
		d.s.Fail(twice)
	}
	if *id = d.s.Text(); *id == "" {
		d.s.Fail("empty")
	}
}

func (d *decoder) version(o *Opt[int64]) {
	if !d.first(&o.State) {
		return
	}
	if o.V = d.s.Int(); o.V < 0 || o.V > MaxVersion {
		d.s.Fail("want a whole number from 0 to 2^53-1")
	}
}

func (d *decoder) text(o *Opt[string]) {
	if d.first(&o.State) {
		o.V = d.s.Text()
	}
}

func (d *decoder) texts(o *Opt[[]string]) {
	if !d.first(&o.State) {
		return
	}
	for ok := d.s.Array(); ok; ok = d.s.More() {
		o.V = append(o.V, d.s.Text())
		d.element(len(o.V))
	}
}

// element puts the index of the n-th value of a list before the path of the
// failure inside it, if there is one.
func (d *decoder) element(n int) {
	if d.s.Err() != nil {
		d.under("[" + strconv.Itoa(n-1) + "]")
	}
}

func (d *decoder) bool(o *Opt[bool]) {
	if d.first(&o.State) {
		o.V = d.s.Bool()
	}
}

func (d *decoder) number(o *Opt[float64]) {
	if d.first(&o.State) {
		o.V = d.s.Float()
	}
}

// time reads an RFC 3339 time, in UTC.
func (d *decoder) time() (t time.Time) {
	raw := d.s.Text()
	if d.s.Err() == nil && !readTime(raw, &t) {
		d.s.Fail("want an RFC 3339 time")
	}
	return t
}

// readTime reads what RFC 3339 allows and no more: package time also takes an
// hour of one digit, a comma before the fraction and an offset of any size.
func readTime(raw string, t *time.Time) bool {
	var form [48]byte // longer ones are no times; a copy that does not escape
	if len(raw) < len("2006-01-02T15:04:05Z") || len(raw) > len(form) || raw[13] != ':' || raw[19] == ',' {
		return false
	}
	if offset := raw[len(raw)-6:]; offset[5] != 'Z' && (offset[1:3] > "23" || offset[4:] > "59") {
		return false
	}
	if t.UnmarshalText(form[:copy(form[:], raw)]) != nil {
		return false
	}
	*t = t.UTC()
	return true
}
