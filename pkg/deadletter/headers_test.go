package deadletter

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/custsync/custsync/pkg/sinks"
)

func full() *Letter {
	return &Letter{
		Version: 7, Seq: 9, Reason: Rejected, Attempts: 3, Message: "нет такого",
		Errors:  []sinks.FieldError{{Field: "email", Message: `not a "mail" address`}, {Field: "a.b", Message: "too long"}},
		FirstAt: time.Date(2026, 11, 22, 10, 0, 0, 1, time.UTC), LastAt: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC),
		Fingerprint: "00ff",
	}
}

func TestHeadersReadBack(t *testing.T) {
	want := full()
	h, err := want.Headers()
	if err != nil {
		t.Fatal(err)
	}
	got := new(Letter)
	if err := got.ReadHeaders(http.Header(h).Get); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHeadersStayWithinTheirBound(t *testing.T) {
	l := full()
	l.Message = strings.Repeat("слово\r\n", 20_000)
	for range 500 {
		l.Errors = append(l.Errors, sinks.FieldError{Field: strings.Repeat("f", 1000), Message: strings.Repeat("<é>", 5000)})
	}
	h, err := l.Headers()
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
			if !utf8.ValidString(v) || strings.ContainsAny(v, "\r\n") {
				t.Errorf("header %s is no line of text", name)
			}
		}
	}
	if size > 32<<10 {
		t.Errorf("got %d bytes of headers, want at most 32 KiB", size)
	}
	got := new(Letter)
	if err := got.ReadHeaders(http.Header(h).Get); err != nil {
		t.Fatal(err)
	}
	if len(got.Errors) < 3 || got.Errors[0] != l.Errors[0] {
		t.Errorf("got %d errors, want the first of them", len(got.Errors))
	}
}

func TestReadHeadersRefuses(t *testing.T) {
	h, err := full().Headers()
	if err != nil {
		t.Fatal(err)
	}
	for name := range h {
		if name == headerMessage || name == headerErrors || name == headerFingerprint {
			continue
		}
		without := http.Header(h).Clone()
		without.Del(name)
		if err := new(Letter).ReadHeaders(without.Get); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: got error %v, want one that names it", name, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	field := func(name, message string) []sinks.FieldError {
		return []sinks.FieldError{{Field: name, Message: message}}
	}
	base := Fingerprint("d", Rejected, field("phones.0", `"+48 123" isn't a number`), "request 17")
	for name, same := range map[string]string{
		"another value":   Fingerprint("d", Rejected, field("phones.12", `"+380" isn't a number`), "request 17"),
		"another request": Fingerprint("d", Rejected, field("phones.0", `"+48 123" isn't a number`), "request 18 of today"),
		"case and space":  Fingerprint("d", Rejected, field("phones.0", "  '1'  Isn't a\tnumber "), ""),
	} {
		if same != base {
			t.Errorf("%s: got another fingerprint", name)
		}
	}
	for name, other := range map[string]string{
		"destination": Fingerprint("e", Rejected, field("phones.0", `"" isn't a number`), ""),
		"reason":      Fingerprint("d", Invalid, field("phones.0", `"" isn't a number`), ""),
		"field":       Fingerprint("d", Rejected, field("email.0", `"" isn't a number`), ""),
		"message":     Fingerprint("d", Rejected, field("phones.0", `"" is too long`), ""),
		"no fields":   Fingerprint("d", Rejected, nil, `"" isn't a number`),
	} {
		if other == base {
			t.Errorf("%s: got the same fingerprint", name)
		}
	}
}

func TestCause(t *testing.T) {
	for message, want := range map[string]string{
		`Customer 12345 not found`:      `customer 0 not found`,
		`e-mail <a@b.c> is taken`:       `e-mail "…" is taken`,
		`Поле «имя» пусто`:              `поле "…" пусто`,
		`an "open quote`:                `an "open quote`,
		`it's the customer's own fault`: `it's the customer's own fault`,
		"12.5 and 7":                    "0.0 and 0",
		"":                              "",
	} {
		if got := Cause(message); got != want {
			t.Errorf("Cause(%q) = %q, want %q", message, got, want)
		}
	}
}

func FuzzCause(f *testing.F) {
	f.Add("it's “7” \xff 'x")
	f.Fuzz(func(t *testing.T, message string) {
		got := Cause(message)
		if !utf8.ValidString(got) {
			t.Errorf("Cause(%q) = %q, not UTF-8", message, got)
		}
		if strings.ContainsAny(got, "123456789") {
			t.Errorf("Cause(%q) = %q still has a number", message, got)
		}
	})
}

func TestKey(t *testing.T) {
	l := new(Letter)
	l.SetKey("12.acme.a=2Eb")
	if l.Partition != 12 || l.Shop != "acme" || l.Customer != "a=2Eb" || l.Key() != "12.acme.a=2Eb" {
		t.Errorf("got %+v", l)
	}
	var none Letter
	if none.SetKey("nonsense"); !reflect.DeepEqual(none, Letter{}) {
		t.Errorf("got %+v, want no customer", none)
	}
}
