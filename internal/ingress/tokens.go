package ingress

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// Tokens say who may publish for which shop. They are kept as hashes.
type Tokens struct {
	list []token
}

type token struct {
	hash [sha256.Size]byte
	shop string
}

// hashed is how a file names a token without holding it.
const hashed = "sha256:"

// ParseTokens reads a YAML mapping of shops to their tokens:
//
//	acme: [Zq3…, sha256:9f86d0…]
//	other: V7k…
func ParseTokens(data []byte) (*Tokens, error) {
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, errors.New("want a YAML mapping of shops to lists of tokens") // the library's words repeat the file
	}
	t := &Tokens{}
	for shop, value := range raw {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		if shop == "" || len(list) == 0 {
			return nil, fmt.Errorf("shop %q has no token", shop)
		}
		for _, v := range list {
			text, ok := v.(string)
			if !ok || strings.TrimSpace(text) == "" {
				return nil, fmt.Errorf("shop %q: a token is no text; put it into quotes", shop)
			}
			entry := token{shop: shop}
			if digest, ok := strings.CutPrefix(text, hashed); ok {
				hash, err := hex.DecodeString(strings.TrimSpace(digest))
				if err != nil || len(hash) != sha256.Size {
					return nil, fmt.Errorf("shop %q: want sha256: and 64 hexadecimal digits", shop)
				}
				copy(entry.hash[:], hash)
			} else {
				entry.hash = sha256.Sum256([]byte(strings.TrimSpace(text)))
			}
			t.list = append(t.list, entry)
		}
	}
	if len(t.list) == 0 {
		return nil, errors.New("there are no tokens: nobody could publish")
	}
	return t, nil
}

// check compares with every token, in the same time whichever it is.
func (t *Tokens) check(given, shop string) (known, allowed bool) {
	hash := sha256.Sum256([]byte(given))
	var isKnown, isAllowed int
	for i := range t.list {
		same := subtle.ConstantTimeCompare(hash[:], t.list[i].hash[:])
		isKnown |= same
		if t.list[i].shop == shop {
			isAllowed |= same
		}
	}
	return isKnown == 1 && given != "", isAllowed == 1 && given != ""
}
