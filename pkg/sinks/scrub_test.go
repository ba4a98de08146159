package sinks_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/custsync/custsync/pkg/sinks"
)

var person = &sinks.Row{Body: []byte(`{"name":"Jan","surname":"Kowalski","email":"j.kow+1@example.com","phone_number":"+48 (222) 333-444","city":"Łódź",
	"address":{"street":"ul. Długa / 5","flat":"7"},"phones":["5551234"],"title":"Ольга O'Neil & \"Co\" 😀","group":"VIP","country":"PL","vip":true,"pesel":90022812345,"card":"12345"}`)}

func TestScrubMessage(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"the provider's own words", "Phone number must be numeric.", "Phone number must be numeric."},
		{"numbers of the provider's", "HTTP 422: field 3 of 100, code 111111", "HTTP 422: field 3 of 100, code 111111"},
		{"a value", "Customer Kowalski exists", "Customer ••• exists"},
		{"in another case", "customer KOWALSKI exists", "customer ••• exists"},
		{"a word of a whole name", "Ольга is taken, dear o'neil", "••• is taken, dear •••"},
		{"inside a word, where long", "name=JanKowalski;", "name=Jan•••;"},
		{"not inside a word, where short", "January vipers: Jan, vip", "January vipers: •••, •••"},
		{"two runes stay", "PL is no country", "PL is no country"},
		{"mail", "j.kow+1@example.com is taken", "••• is taken"},
		{"mail in another case, at the end", "taken: J.Kow+1@EXAMPLE.com.", "taken: •••."},
		{"mail escaped for a URL", "GET /c?email=j.kow%2B1%40example.com failed", "GET /c?email=••• failed"},
		{"mail escaped for JSON", `"email":"j.kow+1\u0040example.com"`, `"email":"•••"`},
		{"the local part", "login j.kow+1 is taken", "login ••• is taken"},
		{"another's mail", "belongs to <other@firm.co.uk>.", "belongs to <•••>."},
		{"another's mail after a mark", "-x.y@firm.pl, %40firm.pl", "•••, %40firm.pl"},
		{"an unfinished mail", "user @ or a@ is no mail", "user @ or a@ is no mail"},
		{"phone", "+48 (222) 333-444 is no number", "••• is no number"},
		{"phone, digits only", "48222333444 is no number", "••• is no number"},
		{"phone escaped for a URL", "phone=%2B48+%28222%29+333-444&x=1", "phone=•••&x=1"},
		{"phone with other marks", "48.222.333.444 and 048/222 333 444", "••• and •••"},
		{"another's phone", "used by +1 (555) 123-4567", "used by •••"},
		{"a phone in a list", "5551234!", "•••!"},
		{"six digits", "code 555123", "code 555123"},
		{"a card", "no card 12345 here", "no card ••• here"},
		{"letters beyond ASCII", "łódź is no city", "••• is no city"},
		{"escaped letters", `"city":"\u0141\u00F3d\u017a"`, `"city":"•••"`},
		{"escaped for a URL", "city=%C5%81%C3%B3d%C5%BA", "city=•••"},
		{"nested, PHP's slashes", `"street":"ul. D\u0142uga \/ 5"`, `"street":"•••"`},
		{"surrogate pairs and quotes", `"\u041e\u043b\u044c\u0433\u0430 O'Neil & \"Co\" \ud83d\ude00"`, `"•••"`},
		{"escaped for HTML", `<b>Ольга O&#39;Neil &amp; &#34;Co&#34; 😀</b>`, `<b>•••</b>`},
		{"hidden by what does not show", "Kowal\u00adski, Kowal\u200bski", "•••, •••"},
		{"lines and controls", "  a\r\n\tb\x00\x1b[31mc\u2028d ", "a b [31mc d"},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
		{"a value over a line break", "ul.\n  Długa / 5 !", "••• !"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := sinks.ScrubMessage(tc.in, person); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestScrubMessageCaps(t *testing.T) {
	long := strings.Repeat("ż", 501)
	if got, want := sinks.ScrubMessage(long, nil), strings.Repeat("ż", 499)+"…"; got != want {
		t.Errorf("got %d runes ending in %q", utf8.RuneCountInString(got), got[len(got)-8:])
	}
	if got := sinks.ScrubMessage(long[:1000], nil); got != long[:1000] {
		t.Errorf("500 runes were cut to %d", utf8.RuneCountInString(got))
	}
	// What is cut off must not leave the beginning of a value behind.
	for n := 480; n < 510; n++ {
		got := sinks.ScrubMessage(strings.Repeat("x", n)+" Kowalski", person)
		if strings.Contains(strings.ToLower(got), "ko") || utf8.RuneCountInString(got) > 500 {
			t.Errorf("after %d: got %q", n, got[n:])
		}
	}
	// A value longer than the bound is one value.
	note := strings.Repeat("secret ", 1000)
	if got := sinks.ScrubMessage("echo: "+note+"end", &sinks.Row{Body: []byte(`{"note":"` + note + `"}`)}); got != "echo: ••• end" {
		t.Errorf("got %q", got)
	}
}

func TestScrubMessageWithoutBody(t *testing.T) {
	const in, want = "Kowalski, a@b.pl, 48222333444", "Kowalski, •••, •••"
	for name, row := range map[string]*sinks.Row{"no row": nil, "a deletion": {Delete: true}, "no JSON": {Body: []byte(`{"a`)}} {
		if got := sinks.ScrubMessage(in, row); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// FuzzScrubMessage: whatever a provider says, what is kept is one short line of
// valid UTF-8 and does not hold the row's value.
func FuzzScrubMessage(f *testing.F) {
	f.Add("Phone %s must be numeric", "+48 222 333 444")
	f.Add("\xff@\n", "Ǆabcd")
	f.Add("a@", "ſtraße K")
	f.Fuzz(func(t *testing.T, message, value string) {
		if !utf8.ValidString(value) {
			return
		}
		rec := new(sinks.Record)
		rec.Text("field", value)
		row := &sinks.Row{Body: rec.AppendJSON(nil)}
		for _, in := range []string{message, message + value + message, strings.ReplaceAll(message, "%s", value)} {
			got := sinks.ScrubMessage(in, row)
			if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 500 || strings.ContainsFunc(got, unicode.IsControl) {
				t.Fatalf("got %q", got)
			}
			plain := strings.Join(strings.FieldsFunc(value, unicode.IsSpace), " ")
			if len([]rune(plain)) >= 5 && plain == value && !strings.ContainsFunc(value, func(r rune) bool {
				return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '•' || r == '…'
			}) && strings.Contains(got, value) {
				t.Fatalf("%q is in %q", value, got)
			}
		}
	})
}
