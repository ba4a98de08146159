package sample

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/custsync/custsync/pkg/events"
)

func TestSameSeedSameCustomers(t *testing.T) {
	var first, again, other []events.Customer
	for _, c := range Customers(1, 200) {
		first = append(first, c)
	}
	for _, c := range Customers(1, 200) {
		again = append(again, c)
	}
	for _, c := range Customers(2, 200) {
		other = append(other, c)
	}
	if !reflect.DeepEqual(first, again) {
		t.Error("the same seed gave other customers")
	}
	if reflect.DeepEqual(first, other) {
		t.Error("another seed gave the same customers")
	}
	if _, got := Customer(1, 150); !reflect.DeepEqual(got, first[150]) {
		t.Error("a customer by place is not the one of the list")
	}
	for range Customers(1, 10) {
		break // the list can be left early
	}
}

// share is how many of 10,000 customers have a property, and how many may.
type share struct{ got, least, most int }

func TestCustomersAreAsUntidyAsReal(t *testing.T) {
	shares := map[string]*share{
		"latin": {0, 2000, 8000}, "polish": {0, 500, 3000}, "cyrillic": {0, 2500, 5000},
		"mail malformed": {0, 50, 150}, "phone malformed": {0, 50, 150}, "no mail": {0, 200, 500}, "no phone": {0, 400, 1000},
		"no surname": {0, 100, 800}, "full name only": {0, 300, 700}, "null somewhere": {0, 100, 600},
		"phone not E.164": {0, 1500, 4000}, "cards": {0, 2000, 5000}, "consents": {0, 5000, 9000}, "vip": {0, 100, 600},
	}
	phone, mail := regexp.MustCompile(`^\+?[\d ()-]{8,22}$`), regexp.MustCompile(`^[a-z0-9.-]+@[a-z.]+\.[a-z]+$`)
	shops, mails, ids := map[string]int{}, map[string]bool{}, map[string]bool{}
	for shop, c := range Customers(7, 10_000) {
		shops[shop]++
		if ids[c.ID] {
			t.Fatalf("id %s occurs twice", c.ID)
		}
		ids[c.ID] = true
		names := c.FirstName.V + c.LastName.V + c.FullName.V
		count := func(what string, yes bool) {
			if yes {
				shares[what].got++
			}
		}
		cyrillic := strings.ContainsFunc(names, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) })
		count("cyrillic", cyrillic)
		count("polish", strings.ContainsAny(names, "ąćęłńśźżŁŚŹŻ"))
		count("latin", !cyrillic)
		count("mail malformed", c.Email.Has() && !mail.MatchString(c.Email.V))
		count("phone malformed", c.Phone.Has() && !phone.MatchString(c.Phone.V))
		count("phone not E.164", c.Phone.Has() && phone.MatchString(c.Phone.V) && strings.ContainsAny(c.Phone.V[1:], " ()-") || strings.HasPrefix(c.Phone.V, "00"))
		count("no mail", !c.Email.Has())
		count("no phone", !c.Phone.Has())
		count("no surname", !c.LastName.Has() && !c.FullName.Has())
		count("full name only", c.FullName.Has())
		count("null somewhere", c.Note.State == events.Null || c.Phone.State == events.Null || c.Email.State == events.Null || c.LastName.State == events.Null)
		count("cards", c.Cards.Has())
		count("consents", c.Consents.Has())
		count("vip", c.VIP.V)
		if mail.MatchString(c.Email.V) {
			if mails[c.Email.V] {
				t.Errorf("a mail address of %s occurs twice", c.ID)
			}
			mails[c.Email.V] = true
		}
	}
	for what, s := range shares {
		if s.got < s.least || s.got > s.most {
			t.Errorf("%s: got %d of 10,000, want %d to %d", what, s.got, s.least, s.most)
		}
	}
	for _, shop := range Shops() {
		if shops[shop] != 2000 {
			t.Errorf("shop %s: got %d customers, want 2000", shop, shops[shop])
		}
	}
}

// TestNobodyExists keeps every way to reach somebody in reserved ranges.
func TestNobodyExists(t *testing.T) {
	reserved := regexp.MustCompile(`^(1(303|512|503|617)55501\d\d|447700900\d{3}|493023125\d{3}|4917139200\d\d|484055501\d\d|3804055501\d\d|755555501\d\d)$`)
	digits := func(s string) string {
		return strings.TrimPrefix(regexp.MustCompile(`\D`).ReplaceAllString(s, ""), "00")
	}
	for _, c := range Customers(3, 5_000) {
		c = Change(c, 2)
		phones := append([]string{c.Phone.V}, c.Phones.V...)
		for _, p := range phones {
			if n := digits(p); len(n) >= 8 && !reserved.MatchString(n) {
				t.Fatalf("phone %q is in no reserved range", p)
			}
		}
		for _, m := range append([]string{c.Email.V}, c.Emails.V...) {
			if strings.Contains(m, "@") && !strings.Contains(m, "example.") && !strings.Contains(m, "example,") {
				t.Fatalf("mail address %q is at no reserved domain", m)
			}
		}
		if c.IP.Has() {
			ip := netip.MustParseAddr(c.IP.V)
			if !netip.MustParsePrefix("192.0.2.0/24").Contains(ip) && !netip.MustParsePrefix("198.51.100.0/24").Contains(ip) && !netip.MustParsePrefix("203.0.113.0/24").Contains(ip) {
				t.Fatalf("address %s is not for documentation", ip)
			}
		}
		for _, a := range c.Attributes.V {
			if !json.Valid(a.Value) {
				t.Fatalf("attribute %s is no JSON: %s", a.Name, a.Value)
			}
		}
		if !utf8.ValidString(c.FirstName.V + c.LastName.V + c.Note.V) {
			t.Fatalf("customer %s is not UTF-8", c.ID)
		}
	}
}

func TestChange(t *testing.T) {
	i := 0
	_, c := Customer(1, i)
	for !c.Cards.Has() || !c.Bonuses.Has() { // one who has all that may change
		i++
		_, c = Customer(1, i)
	}
	_, before := Customer(1, i)
	for v := int64(2); v < 50; v++ {
		Change(c, v)
	}
	if !reflect.DeepEqual(c, before) {
		t.Error("the customer that was given changed")
	}
	seen := []events.Customer{c}
	for v := int64(2); v < 50; v++ {
		next := Change(seen[len(seen)-1], v)
		if again := Change(seen[len(seen)-1], v); !reflect.DeepEqual(next, again) {
			t.Fatalf("version %d: two changes differ", v)
		}
		if next.ID != c.ID || next.Version.V != v || next.Email != c.Email {
			t.Errorf("version %d: got id %s, version %d, want the same customer", v, next.ID, next.Version.V)
		}
		if reflect.DeepEqual(next.TotalSpent, seen[len(seen)-1].TotalSpent) {
			t.Errorf("version %d equals the one before", v)
		}
		seen = append(seen, next)
	}
}

func TestASCII(t *testing.T) {
	for name, want := range map[string]string{"Świętosława": "swietoslawa", "Їжакевич": "izhakevich", "O'Fallon": "ofallon", "Groß": "gross", "Mary Ann": "mary-ann", "Подъячев": "podiachev"} {
		if got := ascii(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestEAN13(t *testing.T) {
	if got, want := ean13("400638133393"), "4006381333931"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
