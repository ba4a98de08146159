package sinks

import (
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/custsync/custsync/internal/scan"
)

// Bounds of a provider's words as they are kept.
const (
	maxMessage = 500 // runes: a sentence or two, and not a page of HTML
	minSecret  = 3   // runes: shorter values stand in every other word
	minInside  = 5   // runes: shorter values count as whole words only, else Ola would be found in violation
	minPhone   = 7   // digits
)

const hidden = "•••"

// ScrubMessage makes a provider's words fit to be kept beside a row: one line of
// valid UTF-8, at most 500 runes, without the customer's data. Hidden are the
// row's own text values, in any case and as they look when escaped for JSON, URLs
// and HTML, the words of its whole names, the local parts of its mail addresses,
// and whatever looks like a mail address or a phone number, the row's or not. Row
// may be nil.
func ScrubMessage(s string, row *Row) string {
	text := clean(s)
	secrets := rowSecrets(row)
	out := make([]rune, 0, min(len(text), maxMessage+utf8.RuneCountInString(hidden)))
	i := 0
	for i < len(text) && len(out) <= maxMessage {
		n := matchSecret(text, i, secrets)
		n = max(n, matchMail(text, i), matchPhone(text, i))
		if n > 0 {
			out = append(out, []rune(hidden)...)
			i += n
			continue
		}
		out = append(out, text[i])
		i++
	}
	if i < len(text) || len(out) > maxMessage {
		out = append(out[:maxMessage-1], '…')
	}
	return strings.TrimSpace(string(out))
}

// clean returns the runes of s with every run of white space and control
// characters as one space, and without characters that do not show, which would
// hide a value from the comparison.
func clean(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range s { // invalid UTF-8 becomes U+FFFD here
		switch {
		case unicode.Is(unicode.Cf, r):
		case unicode.IsControl(r) || unicode.IsSpace(r):
			if n := len(out); n > 0 && out[n-1] != ' ' {
				out = append(out, ' ')
			}
		default:
			out = append(out, r)
		}
	}
	return out
}

// rowSecrets returns what has to be hidden of the row, folded, the longest first.
func rowSecrets(row *Row) [][]rune {
	if row == nil || len(row.Body) == 0 {
		return nil
	}
	var c collector
	s := scan.New(row.Body)
	c.value(&s)
	slices.SortFunc(c.secrets, func(a, b []rune) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return slices.Compare(a, b)
	})
	return slices.CompactFunc(c.secrets, slices.Equal)
}

type collector struct{ secrets [][]rune }

// value collects from every string of a JSON value, however deep.
func (c *collector) value(s *scan.Scanner) {
	switch s.Kind() {
	case scan.Object:
		for name, ok := s.Object(); ok; name, ok = s.Field() {
			if s.Kind() == scan.String && (name == "name" || name == "title") {
				c.wholeName(s.Text())
				continue
			}
			c.value(s)
		}
	case scan.Array:
		for ok := s.Array(); ok; ok = s.More() {
			c.value(s)
		}
	case scan.String:
		c.text(s.Text())
	case scan.Null, scan.Bool, scan.Number, scan.Invalid:
		s.Skip()
	}
}

// wholeName collects what a provider holds as one field and may write the parts of.
func (c *collector) wholeName(name string) {
	c.text(name)
	for _, word := range strings.Fields(name) {
		c.forms(word)
	}
}

// text collects a value and the forms in which it may come back.
func (c *collector) text(value string) {
	c.forms(value)
	if local, _, ok := strings.Cut(value, "@"); ok {
		c.forms(local)
	}
	if digits := onlyDigits(value); len(digits) >= minSecret && len(digits) >= utf8.RuneCountInString(value)/2 {
		c.add(digits) // a phone, a card, a tax number
	}
}

func (c *collector) forms(value string) {
	c.add(value)
	c.add(url.QueryEscape(value))
	c.add(url.PathEscape(value))
	c.add(html.EscapeString(value))
	escaped := scan.AppendText(nil, value)
	c.add(string(escaped[1 : len(escaped)-1]))
	ascii := asciiJSON(value)
	c.add(ascii)
	c.add(strings.ReplaceAll(ascii, "/", `\/`)) // PHP
}

func (c *collector) add(form string) {
	if folded := fold([]rune(strings.TrimSpace(string(clean(form))))); len(folded) >= minSecret {
		c.secrets = append(c.secrets, folded)
	}
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}
