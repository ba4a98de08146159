package sample

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/custsync/custsync/pkg/events"
)

// Change returns the customer at a later version: one to three things differ, and
// it is the same change for the same customer and version every time. The one
// given is left as it is. A field that a change empties is null, as the contract
// asks.
func Change(c events.Customer, version int64) events.Customer {
	h := fnv.New64a()
	h.Write([]byte(c.ID))
	d := dice{rand.New(rand.NewPCG(h.Sum64(), uint64(version)))}
	home := homeOf(&c)
	c.Version = events.Some(version)
	for range 1 + d.IntN(3) {
		d.change(&c, home)
	}
	// Money spent differs in every version, so that no version equals another.
	c.TotalSpent = events.Some(c.TotalSpent.V + float64(1+d.IntN(20_000))/100)
	return c
}

// homeOf finds the country again, by the beginning of the id.
func homeOf(c *events.Customer) *country {
	for _, home := range []*country{&britain, &poland, &ukraine, &russia, &germany} {
		if len(c.ID) > 2 && c.ID[:2] == home.country {
			return home
		}
	}
	return &america
}

func (d dice) change(c *events.Customer, home *country) {
	switch d.IntN(9) {
	case 0:
		c.Phone = events.Some(d.phone(home))
	case 1:
		c.Address = events.Some(d.address(home))
	case 2:
		c.Consents = events.Some(events.Consents{Email: events.Some(d.chance(0.5)), SMS: events.Some(d.chance(0.5)), Push: events.Some(d.chance(0.5))})
	case 3:
		c.Note = events.Clear[string]()
		if d.chance(0.7) {
			c.Note = events.Some(pick(d, home.notes))
		}
	case 4:
		c.VIP = events.Some(!c.VIP.V)
	case 5:
		if c.LastName.Has() && d.chance(0.3) { // married
			c.LastName = events.Some(pick(d, home.mothers))
		}
	case 6:
		c.Attributes = events.Some(countOrder(c.Attributes.V))
	case 7:
		d.changeCards(c)
	case 8:
		if c.Bonuses.Has() {
			c.Bonuses = events.Some([]events.Bonus{{ProgramID: events.Some("1"), Amount: events.Some(float64(d.IntN(3000)))}})
		}
	}
}

// countOrder replaces the number of orders by the next.
func countOrder(attributes []events.Attribute) []events.Attribute {
	attributes = slices.Clone(attributes)
	for i, a := range attributes {
		var n int
		if a.Name == "orders" {
			fmt.Sscan(string(a.Value), &n)
			attributes[i].Value = fmt.Append(nil, n+1)
		}
	}
	return attributes
}

// changeCards blocks or unblocks the first card.
func (d dice) changeCards(c *events.Customer) {
	if !c.Cards.Has() || len(c.Cards.V) == 0 {
		return
	}
	cards := slices.Clone(c.Cards.V)
	if cards[0].Status.V == "BLOCKED" {
		cards[0].Status, cards[0].BlockedAt = events.Some("ACTIVE"), events.Clear[string]()
	} else {
		cards[0].Status = events.Some("BLOCKED")
		cards[0].BlockedAt = events.Some(fmt.Sprintf("2026-%02d-%02d", 1+d.IntN(12), 1+d.IntN(28)))
	}
	c.Cards = events.Some(cards)
}
