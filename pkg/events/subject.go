package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// IngestSubject returns the subject that an event of this customer is published
// to. The stream stores it under StoredSubject, which publishers need not know.
func IngestSubject(shop, customer string) string {
	return "customers." + EscapeToken(shop) + "." + EscapeToken(customer)
}

// StoredSubject returns the subject under which the stream keeps the events of
// the customer whose tokens are given in escaped form.
func StoredSubject(partition int, shopToken, customerToken string) string {
	return "customers." + strconv.Itoa(partition) + "." + shopToken + "." + customerToken
}

// Partition returns the partition, out of n, of the customer whose tokens are
// given in escaped form: FNV-1a over both tokens without the dot between them,
// which is what the server's subject transform partition(n,1,2) computes. A test
// holds the two together.
func Partition(shopToken, customerToken string, n int) int {
	if n <= 0 {
		return 0 // as the server does
	}
	hash := uint32(2166136261)
	for _, token := range [2]string{shopToken, customerToken} {
		for i := range len(token) {
			hash = (hash ^ uint32(token[i])) * 16777619
		}
	}
	return int(hash % uint32(n))
}

const upperHex = "0123456789ABCDEF"

// EscapeToken makes one token of a subject out of any string: every byte outside
// [A-Za-z0-9_-] becomes =XX in upper-case hex, so a.b@c is a=2Eb=40c. An empty
// string has no token; its escaped form is empty, and no subject holds it.
func EscapeToken(s string) string {
	extra := 0
	for i := range len(s) {
		if !plain(s[i]) {
			extra += 2
		}
	}
	if extra == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+extra)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// UnescapeToken is the inverse of EscapeToken and takes nothing else: every
// token that it takes is the only one of its string, so that a customer has one
// subject, one partition and one ledger entry.
func UnescapeToken(token string) (string, error) {
	if token == "" {
		return "", errors.New("subject token is empty")
	}
	escapes := 0
	for i := 0; i < len(token); i++ {
		switch c := token[i]; {
		case plain(c):
		case c != '=':
			return "", fmt.Errorf("subject token: byte %d needs an escape", i)
		case len(token) < i+3:
			return "", fmt.Errorf("subject token: escape at byte %d is cut off", i)
		default:
			high, low := strings.IndexByte(upperHex, token[i+1]), strings.IndexByte(upperHex, token[i+2])
			if high < 0 || low < 0 {
				return "", fmt.Errorf("subject token: escape at byte %d is not upper-case hex", i)
			}
			if plain(byte(high<<4 | low)) {
				return "", fmt.Errorf("subject token: escape at byte %d is needless", i)
			}
			escapes++
			i += 2
		}
	}
	if escapes == 0 {
		return token, nil
	}
	b := make([]byte, 0, len(token)-2*escapes)
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '=' {
			c = byte(strings.IndexByte(upperHex, token[i+1])<<4 | strings.IndexByte(upperHex, token[i+2]))
			i += 2
		}
		b = append(b, c)
	}
	return string(b), nil
}

// plain reports whether a byte stands for itself in a token.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
