package sample

import (
	"fmt"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// place gives addresses.
func (d dice) place(c *events.Customer, home *country) {
	if d.chance(0.8) {
		c.Address = events.Some(d.address(home))
	}
	if d.chance(0.1) {
		c.InvoiceAddress = events.Some(d.address(home))
	}
	if d.chance(0.05) {
		c.MailingAddress = events.Some(d.address(home))
	}
}

func (d dice) address(home *country) events.Address {
	town := pick(d, home.towns)
	a := events.Address{
		Street:   events.Some(pick(d, home.streets)),
		Building: events.Some(fmt.Sprint(1 + d.IntN(120))),
		Postcode: events.Some(town.postcode),
		City:     events.Some(town.name),
		Country:  events.Some(home.country),
	}
	if d.chance(0.5) {
		a.Flat = events.Some(fmt.Sprint(1 + d.IntN(90)))
	}
	if town.state != "" {
		a.State = events.Some(town.state)
	}
	return a
}

// trade gives what the shop knows of the customer's dealings.
func (d dice) trade(c *events.Customer, home *country) {
	if d.chance(0.12) {
		c.Company = events.Some(pick(d, home.companies))
		c.JobTitle = events.Some(pick(d, home.jobs))
		c.Website = events.Some("https://" + pick(d, []string{"shop", "office", "studio"}) + ".example.com")
		c.TaxID = events.Some(fmt.Sprintf("%010d", d.IntN(1_000_000))) // leading zeros: no office gave it
		c.Type = events.Some("company")
	} else {
		c.Type = events.Some("person")
	}
	c.VIP = events.Some(d.chance(0.03))
	c.Group = events.Some(pick(d, []string{"retail", "retail", "retail", "wholesale", "staff"}))
	if d.chance(0.15) {
		c.Note = events.Some(pick(d, home.notes))
	} else if d.chance(0.02) {
		c.Note = events.Clear[string]()
	}
	since := time.Date(2015, time.March, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(d.Int64N(int64(10 * 365 * 24 * time.Hour))))
	c.RegisteredAt = events.Some(since.Truncate(time.Second))
	c.TotalSpent = events.Some(float64(d.IntN(500_000)) / 100)
	c.Attributes = events.Some([]events.Attribute{
		{Name: "orders", Value: fmt.Append(nil, d.IntN(60))},
		{Name: "source", Value: fmt.Appendf(nil, "%q", pick(d, []string{"web", "app", "store", "phone"}))},
		{Name: "subscriber", Value: fmt.Append(nil, d.chance(0.3))},
	})
}

// loyalty gives cards, bonuses, discounts and balances.
func (d dice) loyalty(c *events.Customer, i int) {
	if d.chance(0.35) {
		number := fmt.Sprintf("29%010d", i)
		card := events.Card{
			ID: events.Some("card-" + number), Number: events.Some(number), Barcode: events.Some(ean13(number)),
			Medium: events.Some(pick(d, []string{"PLASTIC", "APP", "MAGNET"})), Status: events.Some("ACTIVE"),
			Type: events.Some(pick(d, []string{"silver", "gold"})), ActivatedAt: events.Some(fmt.Sprintf("20%02d-%02d-%02d", 18+d.IntN(8), 1+d.IntN(12), 1+d.IntN(28))),
		}
		c.Cards = events.Some([]events.Card{card})
		c.Bonuses = events.Some([]events.Bonus{{ProgramID: events.Some("1"), Amount: events.Some(float64(d.IntN(3000)))}})
	}
	if d.chance(0.2) {
		c.Discount = events.Some(events.Discount{
			Percent: events.Some(float64(1 + d.IntN(20))), Active: events.Some(d.chance(0.9)),
			ValidUntil: events.Some(fmt.Sprintf("20%02d-12-31", 26+d.IntN(4))), Status: events.Some(pick(d, []string{"confirmed", "confirmed", "pending", "rejected"})),
		})
	}
	if d.chance(0.05) {
		c.Balance = events.Some(events.Balance{Amount: events.Some(float64(d.IntN(20_000)-5_000) / 100), Currency: events.Some(pick(d, []string{"EUR", "PLN", "UAH", "USD"}))})
	}
}

// ean13 adds the check digit to twelve digits.
func ean13(twelve string) string {
	sum := 0
	for i, c := range twelve {
		weight := 1
		if i%2 == 1 {
			weight = 3
		}
		sum += weight * int(c-'0')
	}
	return twelve + fmt.Sprint((10-sum%10)%10)
}

// ascii writes a name as a mail address has it.
func ascii(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
		case r == ' ' || r == '-':
			b.WriteByte('-')
		default:
			b.WriteString(latin[r])
		}
	}
	return b.String()
}

// latin writes the other letters that occur in the names.
var latin = map[rune]string{
	'ą': "a", 'ć': "c", 'ę': "e", 'ł': "l", 'ń': "n", 'ó': "o", 'ś': "s", 'ź': "z", 'ż': "z",
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'ß': "ss", 'é': "e",
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'ґ': "g", 'д': "d", 'е': "e", 'ё': "e", 'є': "ie", 'ж': "zh", 'з': "z", 'и': "i", 'і': "i", 'ї': "i",
	'й': "i", 'к': "k", 'л': "l", 'м': "m", 'н': "n", 'о': "o", 'п': "p", 'р': "r", 'с': "s", 'т': "t", 'у': "u", 'ф': "f", 'х': "kh", 'ц': "ts",
	'ч': "ch", 'ш': "sh", 'щ': "shch", 'ы': "y", 'э': "e", 'ю': "iu", 'я': "ia",
}
