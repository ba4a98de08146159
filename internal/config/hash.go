package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
)

// Hash names what decides which rows go out and what is in them: provider, url,
// shops, when, map, on_leave and options. A destination whose hash changed may
// owe customers that no event will bring; a backfill does.
func (d *Destination) Hash() string {
	h := sha256.New()
	shops := slices.Sorted(slices.Values(d.Shops))
	fmt.Fprintf(h, "%q %q %q %q %q\n", d.Provider, d.URL, shops, d.When, d.OnLeave)
	for _, field := range slices.Sorted(maps.Keys(d.Map)) {
		fmt.Fprintf(h, "%q: %q\n", field, d.Map[field])
	}
	d.Options.hash(h)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// hash writes a node so that the order of keys, quotes and comments don't count.
func (n *Node) hash(h hash.Hash) {
	if n == nil {
		return
	}
	fmt.Fprintf(h, "%d %q %d\n", n.kind, n.text, len(n.entries)+len(n.items))
	for _, key := range n.keys() {
		fmt.Fprintf(h, "%q ", key)
		n.get(key).hash(h)
	}
	for _, item := range n.items {
		item.hash(h)
	}
}

// keys of a mapping, sorted.
func (n *Node) keys() []string {
	var out []string
	for _, e := range n.entries {
		out = append(out, e.key.text)
	}
	slices.Sort(out)
	return out
}
