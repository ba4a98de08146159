package mapping

import (
	"github.com/expr-lang/expr/types"

	"github.com/custsync/custsync/pkg/events"
)

// contractField is a field of the contract as expressions see it.
type contractField struct {
	name string
	kind types.Type
	of   func(*events.Customer) any // nil where it is absent or null
}

// contract returns every field of the contract. A test holds it against
// events.Customer.
func contract() []contractField {
	text := func(name string, of func(*events.Customer) events.Opt[string]) contractField {
		return contractField{name, types.String, func(c *events.Customer) any { return value(of(c)) }}
	}
	address := func(name string, of func(*events.Customer) events.Opt[events.Address]) contractField {
		return contractField{name, addressType(), func(c *events.Customer) any { return object(of(c), addressValue) }}
	}
	return []contractField{
		{"id", types.String, func(c *events.Customer) any { return c.ID }},
		{"version", types.Int, func(c *events.Customer) any {
			if c.Version.Has() {
				return int(c.Version.V)
			}
			return nil
		}},
		text("email", func(c *events.Customer) events.Opt[string] { return c.Email }),
		{"emails", types.Array(types.String), func(c *events.Customer) any { return texts(c.Emails) }},
		text("phone", func(c *events.Customer) events.Opt[string] { return c.Phone }),
		{"phones", types.Array(types.String), func(c *events.Customer) any { return texts(c.Phones) }},
		text("first_name", func(c *events.Customer) events.Opt[string] { return c.FirstName }),
		text("last_name", func(c *events.Customer) events.Opt[string] { return c.LastName }),
		text("middle_name", func(c *events.Customer) events.Opt[string] { return c.MiddleName }),
		{"full_name", types.String, fullName},
		text("gender", func(c *events.Customer) events.Opt[string] { return c.Gender }),
		text("birth_date", func(c *events.Customer) events.Opt[string] { return c.BirthDate }),
		text("company", func(c *events.Customer) events.Opt[string] { return c.Company }),
		text("job_title", func(c *events.Customer) events.Opt[string] { return c.JobTitle }),
		text("website", func(c *events.Customer) events.Opt[string] { return c.Website }),
		text("tax_id", func(c *events.Customer) events.Opt[string] { return c.TaxID }),
		text("national_id", func(c *events.Customer) events.Opt[string] { return c.NationalID }),
		text("note", func(c *events.Customer) events.Opt[string] { return c.Note }),
		text("group", func(c *events.Customer) events.Opt[string] { return c.Group }),
		text("type", func(c *events.Customer) events.Opt[string] { return c.Type }),
		text("account_manager", func(c *events.Customer) events.Opt[string] { return c.AccountManager }),
		text("locale", func(c *events.Customer) events.Opt[string] { return c.Locale }),
		text("ip", func(c *events.Customer) events.Opt[string] { return c.IP }),
		{"vip", types.Bool, func(c *events.Customer) any { return value(c.VIP) }},
		{"registered_at", types.TypeOf(events.Customer{}.RegisteredAt.V), func(c *events.Customer) any { return value(c.RegisteredAt) }},
		{"total_spent", types.Float64, func(c *events.Customer) any { return value(c.TotalSpent) }},
		address("address", func(c *events.Customer) events.Opt[events.Address] { return c.Address }),
		address("invoice_address", func(c *events.Customer) events.Opt[events.Address] { return c.InvoiceAddress }),
		address("mailing_address", func(c *events.Customer) events.Opt[events.Address] { return c.MailingAddress }),
		{"consents", types.Map{"email": types.Bool, "sms": types.Bool, "push": types.Bool},
			func(c *events.Customer) any { return object(c.Consents, consentsValue) }},
		{"discount", types.Map{"percent": types.Float64, "active": types.Bool, "valid_until": types.String, "status": types.String},
			func(c *events.Customer) any { return object(c.Discount, discountValue) }},
		{"balance", types.Map{"amount": types.Float64, "currency": types.String},
			func(c *events.Customer) any { return object(c.Balance, balanceValue) }},
		{"cards", types.Array(cardType()), func(c *events.Customer) any { return list(c.Cards, cardValue) }},
		{"bonuses", types.Array(types.Map{"program_id": types.String, "amount": types.Float64}),
			func(c *events.Customer) any { return list(c.Bonuses, bonusValue) }},
	}
}

// What expressions see, and the two objects of customer whose names the contract
// leaves open.
const (
	customer   = "customer"
	shop       = "shop"
	attributes = "attributes" // the shop's own fields
	extra      = "extra"      // fields beside the contract's
)

func fullName(c *events.Customer) any {
	if c.FullName.State == events.Null {
		return nil
	}
	if name := c.DisplayName(); name != "" {
		return name
	}
	return nil
}

func value[T any](o events.Opt[T]) any {
	if o.Has() {
		return o.V
	}
	return nil
}

func texts(o events.Opt[[]string]) any {
	return list(o, func(s *string) any { return *s })
}

func list[T any](o events.Opt[[]T], of func(*T) any) any {
	if !o.Has() {
		return nil
	}
	out := make([]any, len(o.V))
	for i := range o.V {
		out[i] = of(&o.V[i])
	}
	return out
}

func object[T any](o events.Opt[T], of func(*T) any) any {
	if o.Has() {
		return of(&o.V)
	}
	return nil
}

func addressType() types.Type {
	return types.Map{
		"street": types.String, "building": types.String, "flat": types.String, "postcode": types.String,
		"city": types.String, "state": types.String, "country": types.String,
	}
}

func addressValue(a *events.Address) any {
	return map[string]any{
		"street": value(a.Street), "building": value(a.Building), "flat": value(a.Flat), "postcode": value(a.Postcode),
		"city": value(a.City), "state": value(a.State), "country": value(a.Country),
	}
}

func consentsValue(c *events.Consents) any {
	return map[string]any{"email": value(c.Email), "sms": value(c.SMS), "push": value(c.Push)}
}

func discountValue(d *events.Discount) any {
	return map[string]any{
		"percent": value(d.Percent), "active": value(d.Active), "valid_until": value(d.ValidUntil), "status": value(d.Status),
	}
}

func balanceValue(b *events.Balance) any {
	return map[string]any{"amount": value(b.Amount), "currency": value(b.Currency)}
}

func cardType() types.Type {
	return types.Map{
		"id": types.String, "number": types.String, "barcode": types.String, "medium": types.String,
		"status": types.String, "type": types.String, "activated_at": types.String, "blocked_at": types.String,
	}
}

func cardValue(c *events.Card) any {
	return map[string]any{
		"id": value(c.ID), "number": value(c.Number), "barcode": value(c.Barcode), "medium": value(c.Medium),
		"status": value(c.Status), "type": value(c.Type), "activated_at": value(c.ActivatedAt), "blocked_at": value(c.BlockedAt),
	}
}

func bonusValue(b *events.Bonus) any {
	return map[string]any{"program_id": value(b.ProgramID), "amount": value(b.Amount)}
}
