package config

import "fmt"

// Secret is a text that is never printed: every way to format or encode it
// yields the same three dots. string(s) is the text itself.
type Secret string

const redacted = "•••"

// String returns three dots, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format is String for every verb, so that %x or %q reveal nothing either.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText is String, for JSON and all other encodings that ask for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is String as JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML is String, for YAML encoders.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
