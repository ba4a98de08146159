package events

import "github.com/custsync/custsync/internal/scan"

// The objects and lists inside a customer.

func (d *decoder) address(o *Opt[Address]) {
	if !d.first(&o.State) {
		return
	}
	for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
		switch key {
		case "street":
			d.text(&o.V.Street)
		case "building":
			d.text(&o.V.Building)
		case "flat":
			d.text(&o.V.Flat)
		case "postcode":
			d.text(&o.V.Postcode)
		case "city":
			d.text(&o.V.City)
		case "state":
			d.text(&o.V.State)
		case "country":
			d.text(&o.V.Country)
		default:
			d.s.Skip()
			continue
		}
		d.under(key)
	}
}

func (d *decoder) consents(o *Opt[Consents]) {
	if !d.first(&o.State) {
		return
	}
	for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
		switch key {
		case "email":
			d.bool(&o.V.Email)
		case "sms":
			d.bool(&o.V.SMS)
		case "push":
			d.bool(&o.V.Push)
		default:
			d.s.Skip()
			continue
		}
		d.under(key)
	}
}

func (d *decoder) discount(o *Opt[Discount]) {
	if !d.first(&o.State) {
		return
	}
	for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
		switch key {
		case "percent":
			d.number(&o.V.Percent)
		case "active":
			d.bool(&o.V.Active)
		case "valid_until":
			d.text(&o.V.ValidUntil)
		case "status":
			d.text(&o.V.Status)
		default:
			d.s.Skip()
			continue
		}
		d.under(key)
	}
}

func (d *decoder) balance(o *Opt[Balance]) {
	if !d.first(&o.State) {
		return
	}
	for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
		switch key {
		case "amount":
			d.number(&o.V.Amount)
		case "currency":
			d.text(&o.V.Currency)
		default:
			d.s.Skip()
			continue
		}
		d.under(key)
	}
}

func (d *decoder) cards(o *Opt[[]Card]) {
	if !d.first(&o.State) {
		return
	}
	for ok := d.s.Array(); ok; ok = d.s.More() {
		var card Card
		d.card(&card)
		o.V = append(o.V, card)
		d.element(len(o.V))
	}
}

func (d *decoder) card(c *Card) {
	for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
		switch key {
		case "id":
			d.text(&c.ID)
		case "number":
			d.text(&c.Number)
		case "barcode":
			d.text(&c.Barcode)
		case "medium":
			d.text(&c.Medium)
		case "status":
			d.text(&c.Status)
		case "type":
			d.text(&c.Type)
		case "activated_at":
			d.text(&c.ActivatedAt)
		case "blocked_at":
			d.text(&c.BlockedAt)
		default:
			d.s.Skip()
			continue
		}
		d.under(key)
	}
}

func (d *decoder) bonuses(o *Opt[[]Bonus]) {
	if !d.first(&o.State) {
		return
	}
	for ok := d.s.Array(); ok; ok = d.s.More() {
		var bonus Bonus
		for key, ok := d.s.Object(); ok; key, ok = d.s.Field() {
			switch key {
			case "program_id":
				d.text(&bonus.ProgramID)
			case "amount":
				d.number(&bonus.Amount)
			default:
				d.s.Skip()
				continue
			}
			d.under(key)
		}
		o.V = append(o.V, bonus)
		d.element(len(o.V))
	}
}

// attributes reads the shop's own fields. A failure names the attribute's place
// and not its name, which is the shop's and may hold anything.
func (d *decoder) attributes(o *Opt[[]Attribute]) {
	if !d.first(&o.State) {
		return
	}
	var names uniq
	for name, ok := d.s.Object(); ok; name, ok = d.s.Field() {
		if names.has(o.V, name) {
			d.s.Fail(twice)
		}
		if kind := d.s.Kind(); kind == scan.Object || kind == scan.Array {
			d.s.Fail("want string, number, bool or null, got " + kind.String())
		}
		o.V = append(o.V, Attribute{Name: name, Value: d.s.Skip()})
		d.element(len(o.V))
	}
}

// uniq finds attributes given twice: by looking through a few, by a set where
// looking through many would take quadratic time.
type uniq map[string]struct{}

func (u *uniq) has(before []Attribute, name string) bool {
	const few = 32
	if len(before) < few {
		for i := range before {
			if before[i].Name == name {
				return true
			}
		}
		return false
	}
	if *u == nil {
		*u = make(uniq, 2*few)
		for i := range before {
			(*u)[before[i].Name] = struct{}{}
		}
	}
	_, found := (*u)[name]
	(*u)[name] = struct{}{}
	return found
}
