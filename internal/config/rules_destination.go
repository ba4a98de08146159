package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/custsync/custsync/internal/config/suggest"
)

// destinations checks each and what has to hold between them.
func (r *rules) destinations(p place, c *Config) {
	c.destinations = p
	names := map[string]place{}
	for i := range c.Destinations {
		at, d := p.item(i), &c.Destinations[i]
		if at.node == nil || at.node.kind != mapping {
			continue
		}
		d.node, d.path = at.node, at.path
		r.destination(at, d)
		r.shards(at.key("shards"), d, c.Stream.Partitions)
		if d.Name == "" {
			continue
		}
		if first, taken := names[d.Name]; taken {
			r.say(at.key("name"), fmt.Sprintf("%q is taken by the destination in line %d", d.Name, first.line), "give each a name of its own")
		}
		names[d.Name] = at
	}
	former := map[string]bool{}
	for i := range c.Destinations {
		at, d := p.item(i).key("formerly"), &c.Destinations[i]
		if d.Formerly == "" {
			continue
		}
		r.name(at, d.Formerly)
		if _, taken := names[d.Formerly]; taken || former[d.Formerly] {
			r.say(at, fmt.Sprintf("%q is another destination's name", d.Formerly), "write the name that this one had, or leave it out")
		}
		former[d.Formerly] = true
	}
}

func (r *rules) destination(p place, d *Destination) {
	if name := p.key("name"); r.required(name, d.Name, "write a name of a-z, 0-9 and -, such as thulium-pl") {
		r.name(name, d.Name)
	}
	if provider := p.key("provider"); r.required(provider, d.Provider, "write one of "+strings.Join(Providers(), ", ")) {
		r.oneOf(provider, d.Provider, Providers()...)
	}
	if at := p.key("url"); r.required(at, d.URL, "write the provider's base address, such as https://acme.example") {
		r.baseURL(at, d)
	}
	r.auth(p.key("auth"), d)
	r.shops(p.key("shops"), d.Shops)
	for key, expression := range d.Map {
		field := p.key("map").key(key)
		r.must(strings.TrimSpace(expression) != "", field, "has no expression", "write one such as customer.email")
		r.must(key != "" && !strings.HasPrefix(key, ".") && !strings.HasSuffix(key, "."), field, "is not the name of a field", "write field or group.field")
	}
	r.oneOf(p.key("start"), string(d.Start), string(StartAll), string(StartNew))
	r.oneOf(p.key("on_leave"), string(d.OnLeave), string(LeaveUpdate), string(LeaveDelete), string(LeaveKeep))

	batch := p.key("batch")
	r.must(d.Batch.MaxRows >= 1, batch.key("max_rows"), "must be at least 1", "write 100")
	r.must(d.Batch.MaxBytes >= 1, batch.key("max_bytes"), "must be above zero", "write 1MiB")
	r.must(d.Batch.Linger >= 0, batch.key("linger"), "must not be negative", "write 200ms, or 0s for no wait")

	rate := p.key("rate")
	calls := rate.key("calls_per_second")
	r.must(!calls.present() || d.Rate.CallsPerSecond > 0, calls, "must be above zero", "write 5 or 0.5, or leave it out for no limit")
	r.must(d.Rate.Concurrency >= 1, rate.key("concurrency"), "must be at least 1", "write 4")

	r.must(d.Timeout > 0, p.key("timeout"), "must be above zero", "write 30s")
	r.retry(p.key("retry"), d.Retry)
	r.must(d.Options == nil || d.Options.kind == mapping, p.key("options"), "is not a mapping (key: value)", "write {} or the provider's switches")
}

func (r *rules) retry(p place, retry Retry) {
	r.must(retry.Initial > 0, p.key("initial"), "must be above zero", "write 500ms")
	r.must(retry.Max > 0, p.key("max"), "must be above zero", "write 2m")
	if retry.Initial > retry.Max {
		longer := p.key("max")
		if !longer.present() {
			longer = p.key("initial")
		}
		r.say(longer, fmt.Sprintf("initial (%v) is longer than max (%v)", retry.Initial, retry.Max), "raise max or lower initial")
	}
	r.must(retry.Multiplier >= 1, p.key("multiplier"), "must be at least 1", "write 2")
	r.must(retry.Jitter >= 0 && retry.Jitter <= 1, p.key("jitter"), "must be 0 to 1", "write 0.5")
	r.must(retry.MaxAttempts >= 1, p.key("max_attempts"), "must be at least 1", "write 10")
	r.must(retry.MaxElapsed > 0, p.key("max_elapsed"), "must be above zero", "write 24h")
}

// required reports whether the value is there, and says so if not.
func (r *rules) required(p place, value, hint string) bool {
	r.must(p.present() || value != "", p, "is missing", hint)
	return value != ""
}

func (r *rules) name(p place, name string) {
	ok := len(name) <= 64
	for _, c := range []byte(name) {
		ok = ok && (c == '-' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9')
	}
	r.must(ok, p, "is not a name of a-z, 0-9 and - (64 at most)", "write one such as thulium-pl")
}

// baseURL checks the address without ever repeating it: it may hold secrets.
func (r *rules) baseURL(p place, d *Destination) {
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		r.say(p, "is not an absolute address", "write https:// and the provider's host")
	case u.User != nil:
		r.say(p, "holds credentials", "write them under auth")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.say(p, "has a query or a fragment", "write the address up to the ? or #")
	default:
		d.URL = strings.TrimRight(d.URL, "/")
	}
}

// auth checks that exactly the provider's credentials are there.
func (r *rules) auth(p place, d *Destination) {
	want := Credentials(d.Provider)
	if want == nil {
		return // the provider itself is the mistake
	}
	example := make([]string, len(want))
	for i, key := range want {
		example[i] = fmt.Sprintf("%s: ${%s_%s}", key, strings.ToUpper(d.Provider), strings.ToUpper(key))
	}
	if !p.present() {
		r.say(p, "is missing", "write {"+strings.Join(example, ", ")+"}")
		return
	}
	if p.node.kind != mapping {
		return
	}
	for _, e := range p.node.entries {
		if !slices.Contains(want, e.key.text) {
			at := p.key(e.key.text)
			at.line, at.column = e.key.line, e.key.column
			r.say(at, d.Provider+" has no such credential", suggest.Hint(e.key.text, want))
		}
	}
	for i, key := range want {
		if p.node.get(key) == nil {
			r.say(p.key(key), "is missing", "write "+example[i])
		}
	}
}

func (r *rules) shops(p place, shops []string) {
	if p.present() && p.node.kind == sequence && len(p.node.items) == 0 {
		r.say(p, "names no shop", "name some, or leave it out for all")
	}
	for i, shop := range shops {
		if slices.Index(shops, shop) != i {
			r.say(p.item(i), "is there twice", "leave one out")
		}
	}
}

// shards checks the number, or chooses it: 8, or the largest below it that
// divides the partitions.
func (r *rules) shards(p place, d *Destination, partitions int) {
	if partitions < 1 {
		return // the partitions themselves are the mistake
	}
	if !p.present() || r.mistakes.has(p.path) {
		for d.Shards = min(8, partitions); partitions%d.Shards != 0; d.Shards-- {
		}
		return
	}
	if d.Shards < 1 || d.Shards > partitions || partitions%d.Shards != 0 {
		r.say(p, fmt.Sprintf("must divide stream.partitions (%d)", partitions), "write one of "+divisors(partitions))
	}
}

func divisors(n int) string {
	var out []string
	for i := 1; i <= n; i++ {
		if n%i == 0 {
			out = append(out, fmt.Sprint(i))
		}
	}
	return strings.Join(out, ", ")
}

// MistakeAtKey places a mistake at the name of one of the destination's keys, and
// not at what it is set to.
func (d *Destination) MistakeAtKey(message, hint string, keys ...string) Mistake {
	mistake := d.Mistake(0, message, hint, keys...)
	above := d.node
	for i, key := range keys {
		if above == nil {
			break
		}
		for _, e := range above.entries {
			if e.key.text == key && i == len(keys)-1 {
				mistake.Line, mistake.Column = e.key.line, e.key.column
			}
		}
		above = above.get(key)
	}
	return mistake
}

// Mistake places a mistake at one of the destination's keys; offset is the
// character in the key's text that is meant, from 0.
func (d *Destination) Mistake(offset int, message, hint string, keys ...string) Mistake {
	at := place{path: d.path}
	if d.node != nil {
		at = place{node: d.node, line: d.node.line, column: d.node.column, path: d.path}
	}
	for _, key := range keys {
		at = at.key(key)
	}
	if at.node != nil {
		at.column = at.node.columnAt(offset)
	}
	return at.mistake(message, hint)
}
