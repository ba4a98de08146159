package deadletter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/custsync/custsync/pkg/sinks"
)

// Fingerprint is the same for letters of one cause at one destination: what
// differs from customer to customer, numbers and quoted values, does not count.
// With field errors it is they that count, else the provider's words.
func Fingerprint(destination string, reason Reason, errors []sinks.FieldError, message string) string {
	h := xxhash.New()
	part := func(s string) {
		_, _ = h.WriteString(s) // never fails
		_, _ = h.Write([]byte{0})
	}
	part(destination)
	part(string(reason))
	for _, e := range errors {
		part(Cause(e.Field))
		part(Cause(e.Message))
	}
	if len(errors) == 0 {
		part(Cause(message))
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Cause is a message without what differs from customer to customer: a run of
// digits becomes 0, a quoted value becomes "…", case and white space don't count.
func Cause(message string) string {
	var b strings.Builder
	space, number := false, false
	for i := 0; i < len(message); {
		r, n := utf8.DecodeRuneInString(message[i:])
		if closing := closes(r); closing != 0 && !apostrophe(message, i) {
			if end := strings.IndexRune(message[i+n:], closing); end >= 0 {
				b.WriteString(`"…"`)
				i += n + end + utf8.RuneLen(closing)
				space, number = false, false
				continue
			}
		}
		i += n
		switch {
		case '0' <= r && r <= '9':
			if !number {
				b.WriteByte('0')
			}
			space, number = false, true
			continue
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if !space {
				b.WriteByte(' ')
			}
			space, number = true, false
			continue
		}
		b.WriteString(strings.ToLower(string(r)))
		space, number = false, false
	}
	return strings.TrimSpace(b.String())
}

// apostrophe reports whether the quote at i stands inside a word, as in isn't.
func apostrophe(s string, i int) bool {
	return s[i] == '\'' && i > 0 && letter(s[i-1]) && i+1 < len(s) && letter(s[i+1])
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// closes returns the quote that ends what r begins; 0 if r is no quote.
func closes(r rune) rune {
	switch r {
	case '"', '\'', '`':
		return r
	case '«':
		return '»'
	case '„':
		return '“'
	case '“':
		return '”'
	case '‘':
		return '’'
	case '[':
		return ']'
	case '<':
		return '>'
	}
	return 0
}
