package events

import (
	"strconv"

	"github.com/custsync/custsync/internal/scan"
)

// customer writes data: all of it, or id and version only for a deletion.
func (e *encoder) customer(c *Customer, version Opt[int64], t Type) {
	e.b = append(e.b, '{')
	e.name("id")
	e.string("id", c.ID)
	if e.begin("version", version.State) {
		e.b = strconv.AppendInt(e.b, version.V, 10)
	}
	if t != Deleted {
		e.person(c)
		e.business(c)
	}
	e.b = append(e.b, '}')
}

func (e *encoder) person(c *Customer) {
	e.text("email", c.Email)
	e.texts("emails", c.Emails)
	e.text("phone", c.Phone)
	e.texts("phones", c.Phones)
	e.text("first_name", c.FirstName)
	e.text("last_name", c.LastName)
	e.text("middle_name", c.MiddleName)
	e.text("full_name", c.FullName)
	e.text("gender", c.Gender)
	e.text("birth_date", c.BirthDate)
	e.text("company", c.Company)
	e.text("job_title", c.JobTitle)
	e.text("website", c.Website)
	e.text("tax_id", c.TaxID)
	e.text("national_id", c.NationalID)
	e.text("note", c.Note)
	e.text("group", c.Group)
	e.text("type", c.Type)
	e.text("account_manager", c.AccountManager)
	e.text("locale", c.Locale)
	e.text("ip", c.IP)
}

func (e *encoder) business(c *Customer) {
	e.bool("vip", c.VIP)
	if c.RegisteredAt.State == Set {
		e.time("registered_at", c.RegisteredAt.V)
	} else {
		e.begin("registered_at", c.RegisteredAt.State)
	}
	e.number("total_spent", c.TotalSpent)
	e.address("address", &c.Address)
	e.address("invoice_address", &c.InvoiceAddress)
	e.address("mailing_address", &c.MailingAddress)
	if e.begin("consents", c.Consents.State) {
		e.object("consents", func() {
			e.bool("email", c.Consents.V.Email)
			e.bool("sms", c.Consents.V.SMS)
			e.bool("push", c.Consents.V.Push)
		})
	}
	if e.begin("discount", c.Discount.State) {
		e.object("discount", func() {
			e.number("percent", c.Discount.V.Percent)
			e.bool("active", c.Discount.V.Active)
			e.text("valid_until", c.Discount.V.ValidUntil)
			e.text("status", c.Discount.V.Status)
		})
	}
	if e.begin("balance", c.Balance.State) {
		e.object("balance", func() {
			e.number("amount", c.Balance.V.Amount)
			e.text("currency", c.Balance.V.Currency)
		})
	}
	if e.begin("cards", c.Cards.State) {
		e.list(len(c.Cards.V), func(i int) { e.card(&c.Cards.V[i]) })
	}
	if e.begin("bonuses", c.Bonuses.State) {
		e.list(len(c.Bonuses.V), func(i int) {
			e.object("bonuses", func() {
				e.text("program_id", c.Bonuses.V[i].ProgramID)
				e.number("amount", c.Bonuses.V[i].Amount)
			})
		})
	}
	if e.begin("attributes", c.Attributes.State) {
		e.attributes(c.Attributes.V)
	}
}

func (e *encoder) object(name string, fields func()) {
	outer := e.in
	e.in = outer + name + "."
	e.b = append(e.b, '{')
	fields()
	e.b = append(e.b, '}')
	e.in = outer
}

func (e *encoder) address(name string, o *Opt[Address]) {
	if !e.begin(name, o.State) {
		return
	}
	e.object(name, func() {
		e.text("street", o.V.Street)
		e.text("building", o.V.Building)
		e.text("flat", o.V.Flat)
		e.text("postcode", o.V.Postcode)
		e.text("city", o.V.City)
		e.text("state", o.V.State)
		e.text("country", o.V.Country)
	})
}

func (e *encoder) card(c *Card) {
	e.object("cards", func() {
		e.text("id", c.ID)
		e.text("number", c.Number)
		e.text("barcode", c.Barcode)
		e.text("medium", c.Medium)
		e.text("status", c.Status)
		e.text("type", c.Type)
		e.text("activated_at", c.ActivatedAt)
		e.text("blocked_at", c.BlockedAt)
	})
}

func (e *encoder) attributes(list []Attribute) {
	var names uniq
	e.b = append(e.b, '{')
	for i, a := range list {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		if names.has(list[:i], a.Name) {
			e.fail("attributes", "one is given twice")
		}
		e.string("attributes", a.Name)
		e.b = append(e.b, ':')
		if !scalar(a.Value) {
			e.fail("attributes", "want string, number, bool or null in JSON")
		}
		e.b = append(e.b, a.Value...)
	}
	e.b = append(e.b, '}')
}

func scalar(value []byte) bool {
	s := scan.New(value)
	if kind := s.Kind(); kind == scan.Object || kind == scan.Array {
		return false
	}
	s.Skip()
	return s.End() == nil
}
