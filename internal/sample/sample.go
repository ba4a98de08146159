// Package sample invents customers for the demo and for tests.
//
// It promises that the same seed gives the same customers on every machine, that
// nobody in it exists (mail addresses under example.com and its kin, IP addresses
// from the documentation's ranges, phones from ranges kept for fiction or, where
// a country has none, from codes that it has not given out), and that the list is
// as untidy as a real one: a few malformed phones and mail addresses, surnames and
// other fields that are missing, fields that are null, names in three alphabets.
package sample

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// Shops returns the names of the five shops, each with customers of its own
// countries mostly.
func Shops() []string { return []string{"acme", "bukiet", "kvitka", "polka", "zimmer"} }

// Customers yields n customers and the shops they belong to, each at version 1.
func Customers(seed uint64, n int) iter.Seq2[string, events.Customer] {
	return func(yield func(string, events.Customer) bool) {
		for i := range n {
			if !yield(Customer(seed, i)) {
				return
			}
		}
	}
}

// Customer returns the customer of that place in the list, 0 being the first.
func Customer(seed uint64, i int) (shop string, c events.Customer) {
	d := dice{rand.New(rand.NewPCG(seed, uint64(i)))}
	shops := Shops()
	shop = shops[i%len(shops)]
	home := d.home(shop)
	c.ID = fmt.Sprintf("%s-%d", home.country, 100_000+i)
	c.Version = events.Some[int64](1)
	d.person(&c, home, i)
	d.reach(&c, home)
	d.place(&c, home)
	d.trade(&c, home)
	d.loyalty(&c, i)
	return shop, c
}

// dice are the throws that make one customer, always in the same order.
type dice struct{ *rand.Rand }

// chance is true for that share of customers.
func (d dice) chance(share float64) bool { return d.Float64() < share }

// pick returns one of the list.
func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }

// home chooses a country: the shop's own for most, another for the rest.
func (d dice) home(shop string) *country {
	own := map[string]*country{"acme": &america, "bukiet": &poland, "kvitka": &ukraine, "polka": &russia, "zimmer": &germany}[shop]
	if d.chance(0.85) {
		return own
	}
	return pick(d, []*country{&america, &britain, &poland, &ukraine, &russia, &germany})
}

// person gives the names, the birthday and the mail address made of them.
func (d dice) person(c *events.Customer, home *country, i int) {
	female := d.chance(0.55)
	n := home.name(d, female)
	c.FirstName = events.Some(n.first)
	if n.middle != "" && d.chance(0.6) {
		c.MiddleName = events.Some(n.middle)
	}
	switch r := d.Float64(); {
	case r < 0.02: // gave none
	case r < 0.025:
		c.LastName = events.Clear[string]()
	default:
		c.LastName = events.Some(n.last)
	}
	if d.chance(0.05) && c.LastName.Has() { // shops that keep one field only
		c.FullName = events.Some(n.first + " " + n.last)
		c.FirstName, c.LastName, c.MiddleName = events.Opt[string]{}, events.Opt[string]{}, events.Opt[string]{}
	}
	switch r := d.Float64(); {
	case r < 0.7 && female:
		c.Gender = events.Some("female")
	case r < 0.7:
		c.Gender = events.Some("male")
	case r < 0.72:
		c.Gender = events.Some("other")
	}
	if d.chance(0.6) {
		born := time.Date(1940+d.IntN(66), time.January, 1+d.IntN(365), 0, 0, 0, 0, time.UTC)
		c.BirthDate = events.Some(born.Format(time.DateOnly))
	}
	// The place in the list makes the address unique, as providers that know
	// customers by it need.
	mail := fmt.Sprintf("%s.%s.%d@%s", ascii(n.first), ascii(n.last), i, pick(d, []string{"example.com", "example.org", "example.net", "mail.example.com"}))
	switch r := d.Float64(); {
	case r < 0.01:
		c.Email = events.Some(d.spoilMail(mail))
	case r < 0.04: // gave none
	case r < 0.045:
		c.Email = events.Clear[string]()
	default:
		c.Email = events.Some(mail)
		if d.chance(0.08) {
			c.Emails = events.Some([]string{fmt.Sprintf("%s.%d@work.example.org", ascii(n.last), i)})
		}
	}
}

// reach gives phones, in the forms that people type.
func (d dice) reach(c *events.Customer, home *country) {
	switch r := d.Float64(); {
	case r < 0.01:
		c.Phone = events.Some(pick(d, []string{"n/a", "12-34", "call me maybe", "+48 55x 010", "0", "555-CALL", "+", "—"}))
	case r < 0.07: // gave none
	case r < 0.08:
		c.Phone = events.Clear[string]()
	default:
		c.Phone = events.Some(d.phone(home))
		if d.chance(0.1) {
			c.Phones = events.Some([]string{d.phone(home)})
		}
	}
	if d.chance(0.7) {
		c.Consents = events.Some(events.Consents{Email: events.Some(d.chance(0.6)), SMS: events.Some(d.chance(0.4)), Push: events.Some(d.chance(0.3))})
	}
	c.Locale = events.Some(home.locale)
	if d.chance(0.9) {
		c.IP = events.Some(fmt.Sprintf("%s.%d", pick(d, []string{"192.0.2", "198.51.100", "203.0.113"}), 1+d.IntN(254)))
	}
}

// phone is a number of the country: E.164 for most.
func (d dice) phone(home *country) string {
	code, national := home.calling, home.number(d)
	if d.chance(0.7) {
		return "+" + code + national
	}
	half := len(national) / 2
	return pick(d, []string{
		"+" + code + " " + national[:3] + " " + national[3:half+1] + " " + national[half+1:],
		"+" + code + " (" + national[:3] + ") " + national[3:],
		"00" + code + national,
		code + "-" + national[:3] + "-" + national[3:],
	})
}

// spoilMail breaks a mail address in a way that people do.
func (d dice) spoilMail(mail string) string {
	switch d.IntN(4) {
	case 0:
		return mail[:len(mail)-len(".com")] + ",com"
	case 1:
		return "none"
	case 2:
		return mail + "@"
	}
	return " @" + mail
}
