package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"unknown key", "stram: {}\n", `1:1: stram: unknown key; did you mean "stream"?`},
		{"unknown key, nothing like it", "log: {colour: red}\n", `1:7: log.colour: unknown key; known here: level, format`},
		{"duplicate key", "log: {level: info}\nhttp: {}\nlog: {}\n", `3:1: log: the key is there twice, first in line 1; keep one of them`},
		{"two documents", "log: {}\n---\nhttp: {}\n", `3:1: a second document begins; put all into one, without ---`},
		{"not a mapping", "just text\n", `1:1: is a single value, not a mapping (key: value); write a mapping (key: value)`},
		{"tab", "log:\n\tlevel: info\n", `2:1: a tab where only spaces may stand; indent with spaces`},
		{"open bracket", "log: {level: info\n", `1:6: could not find flow mapping end token '}'`},
		{"colon in a text", "log: level: info\n", `1:6: mapping value is not allowed in this context; put a text with ": " in it into quotes, and check the indentation`},
		{"unknown alias", "log: *x\n", `1:6: log: there is no anchor &x before this`},
		{"alias of itself", "destinations: &a [*a]\n", `1:19: destinations[0]: there is no anchor &a before this`},
		{"tag", "log: {level: !secret x}\n", `1:14: log.level: tags have no use here; leave the tag out`},
		{"unset variable", "http:\n  token: \"abc${NOPE}\"\n", `2:14: http.token: the environment variable NOPE is not set; set it, or write ${file:/path} to read a file`},
		{"not a variable", "http: {token: ${A-B}}\n", `1:15: http.token: "A-B" is not the name of a variable; write ${NAME}, ${file:/path}, or $${ for the characters themselves`},
		{"not closed", "http: {token: 'x${A'}\n", `1:17: http.token: ${ without }; close it, or write $${ for the characters themselves`},
		{"no such file", "http: {token: ${file:/nope}}\n", `1:15: http.token: the file /nope can't be read: file does not exist; name a file that this user may read`},
		{"empty value", "http: {listen: ${EMPTY}}\n", `1:16: http.listen: is empty; write a value, or leave the key out`},
		{"duration", "workers: {lease: 3, grace: 0s}\n", `1:18: workers.lease: "3" is not a duration; write a number with its unit, such as 500ms, 2m or 24h
1:28: workers.grace: must be above zero; write 30s`},
		{"duration from outside", "workers: {grace: ${WAIT}}\n", `1:18: workers.grace: "${WAIT}" is not a duration; write a number with its unit, such as 500ms, 2m or 24h`},
		{"lease", "workers: {lease: 1500ms}\n", `1:18: workers.lease: must be whole seconds, at least one; write 3s`},
		{"stream", "stream: {partitions: 0, replicas: 7, history_per_customer: 0}\n", `1:22: stream.partitions: must be at least 1; write 32, or what the stream has
1:35: stream.replicas: must be 1 to 5; write 1, or 3 for a cluster
1:60: stream.history_per_customer: must be at least 1; write 4`},
		{"replicas of one server", "stream: {replicas: 3}\n", `1:20: stream.replicas: is more than the one embedded server; write 1, or nats.url of a cluster`},
		{"off loopback", "http:\n  listen: 0.0.0.0:8080\n", `2:3: http.token: is required, since http.listen is not a loopback address; write token: ${CUSTSYNC_TOKEN}, or listen: 127.0.0.1:8080`},
		{"all interfaces", "http: {listen: ':8080'}\n", `1:7: http.token: is required, since http.listen is not a loopback address; write token: ${CUSTSYNC_TOKEN}, or listen: 127.0.0.1:8080`},
		{"listen", "http: {listen: 8080}\n", `1:16: http.listen: is not host:port; write 127.0.0.1:8080`},
		{"log", "log: {level: verbose, format: jsn}\n", `1:14: log.level: "verbose" is not known; known here: trace, debug, info, warn, error
1:31: log.format: "jsn" is not known; did you mean "json"?`},
		{"url and embedded", "nats:\n  url: nats://a:1\n  embedded: {}\n", `3:13: nats.embedded: stands beside url; keep url for a server of its own, or embedded for one in this process`},
		{"two ways to sign in", "nats:\n  url: nats://a:1\n  creds: user.creds\n  user: me\n", `2:3: nats: creds and user are two ways to sign in; keep one of them
2:3: nats.password: is missing; write one beside user`},
		{"missing creds file", "nats:\n  url: nats://a:1\n  creds: gone\n", `3:10: nats.creds: the file can't be read: file does not exist; name a file that this user may read, from the working directory`},
		{"creds without url", "nats: {creds: user.creds}\n", `1:15: nats.creds: has no use without url; write url, or leave this out: the embedded server asks for no credentials`},
		{"half a certificate", "nats: {url: tls://a:1, tls: {cert: ca.pem}}\n", `1:29: nats.tls: cert and key come together; write both, or neither`},
		{"nats url", "nats: {url: http://a:1}\n", `1:13: nats.url: is not the address of a NATS server; write nats://host:4222, several with commas between`},
		{"sync", "nats: {embedded: {sync: sometimes, listen: '127.0.0.1:0'}}\n", `1:25: nats.embedded.sync: "sometimes" is neither always nor a duration above zero; write always, or a duration such as 2s
1:44: nats.embedded.listen: has no port that other commands could dial; write 127.0.0.1:4222`},
		{"empty destination", "destinations:\n  - {}\n", `2:5: destinations[0].name: is missing; write a name of a-z, 0-9 and -, such as thulium-pl
2:5: destinations[0].provider: is missing; write one of thulium, cartum, aplaut, virtualpos, ecomcharge
2:5: destinations[0].url: is missing; write the provider's base address, such as https://acme.example`},
		{"destinations as a mapping", "destinations: {name: x}\n", `1:15: destinations: is a mapping (key: value), not a list; write [one, two], or a line with - for each`},
		{"wrong values", "destinations:\n  - name: Reviews\n    provider: aplout\n    url: api.aplaut.io/v4\n    start: now\n    on_leave: remove\n", `2:11: destinations[0].name: is not a name of a-z, 0-9 and - (64 at most); write one such as thulium-pl
3:15: destinations[0].provider: "aplout" is not known; did you mean "aplaut"?
4:10: destinations[0].url: is not an absolute address; write https:// and the provider's host
5:12: destinations[0].start: "now" is not known; did you mean "new"?
6:15: destinations[0].on_leave: "remove" is not known; known here: update, delete, keep`},
		{"url with a query", "destinations: [{name: a, provider: aplaut, url: 'https://a/?token=abc', auth: {token: x}}]\n", `1:49: destinations[0].url: has a query or a fragment; write the address up to the ? or #`},
		{"url with credentials", "destinations: [{name: a, provider: aplaut, url: 'https://u:p@a/', auth: {token: x}}]\n", `1:49: destinations[0].url: holds credentials; write them under auth`},
		{"no auth", "destinations: [{name: a, provider: thulium, url: 'https://a'}]\n", `1:16: destinations[0].auth: is missing; write {username: ${THULIUM_USERNAME}, password: ${THULIUM_PASSWORD}}`},
		{"wrong auth", "destinations:\n  - name: a\n    provider: thulium\n    url: https://a\n    auth:\n      user: u\n      passwrod: s3cret\n      password: \"\"\n", `6:7: destinations[0].auth.user: thulium has no such credential; did you mean "username"?
6:7: destinations[0].auth.username: is missing; write username: ${THULIUM_USERNAME}
7:7: destinations[0].auth.passwrod: thulium has no such credential; did you mean "password"?
8:17: destinations[0].auth.password: is empty; write a value, or leave the key out`},
		{"auth of another form", one("") + "  - name: b\n    provider: aplaut\n    url: https://a\n    auth: s3cret\n", `9:11: destinations[1].auth: is a single value, not a mapping (key: value); write a mapping (key: value)`},
		{"same name", one("") + "  - name: reviews\n    provider: aplaut\n    url: https://a\n    auth: {token: x}\n", `6:11: destinations[1].name: "reviews" is taken by the destination in line 2; give each a name of its own`},
		{"formerly itself", one("    formerly: reviews\n"), `6:15: destinations[0].formerly: "reviews" is another destination's name; write the name that this one had, or leave it out`},
		{"shards", one("    shards: 12\n"), `6:13: destinations[0].shards: must divide stream.partitions (32); write one of 1, 2, 4, 8, 16, 32`},
		{"no shards", one("    shards: 0\n"), `6:13: destinations[0].shards: must divide stream.partitions (32); write one of 1, 2, 4, 8, 16, 32`},
		{"shops", one("    shops: []\n"), `6:12: destinations[0].shops: names no shop; name some, or leave it out for all`},
		{"shop twice", one("    shops: [a, b, a]\n"), `6:19: destinations[0].shops[2]: is there twice; leave one out`},
		{"one shop", one("    shops: acme\n"), `6:12: destinations[0].shops: is a single value, not a list; write [one, two], or a line with - for each`},
		{"batch", one("    batch: {max_rows: 0, max_bytes: 0, linger: -1s}\n"), `6:23: destinations[0].batch.max_rows: must be at least 1; write 100
6:37: destinations[0].batch.max_bytes: must be above zero; write 1MiB
6:48: destinations[0].batch.linger: must not be negative; write 200ms, or 0s for no wait`},
		{"size", one("    batch: {max_bytes: 1 MegaByte}\n"), `6:24: destinations[0].batch.max_bytes: "1 MegaByte" is not a number of bytes; write a number of bytes, or one with its unit, such as 512KiB or 1MiB`},
		{"rate", one("    rate: {calls_per_second: 0, concurrency: 0}\n"), `6:30: destinations[0].rate.calls_per_second: must be above zero; write 5 or 0.5, or leave it out for no limit
6:46: destinations[0].rate.concurrency: must be at least 1; write 4`},
		{"retry", one("    timeout: 0s\n    retry: {initial: 3m, multiplier: 0.5, jitter: 2, max_attempts: 0, max_elapsed: 0s}\n"), `6:14: destinations[0].timeout: must be above zero; write 30s
7:22: destinations[0].retry.initial: initial (3m0s) is longer than max (2m0s); raise max or lower initial
7:38: destinations[0].retry.multiplier: must be at least 1; write 2
7:51: destinations[0].retry.jitter: must be 0 to 1; write 0.5
7:68: destinations[0].retry.max_attempts: must be at least 1; write 10
7:84: destinations[0].retry.max_elapsed: must be above zero; write 24h`},
		{"whole number", one("    rate: {concurrency: 1.5}\n"), `6:25: destinations[0].rate.concurrency: "1.5" is not a whole number in range; write a whole number`},
		{"map without expression", one("    map:\n      group:\n      vip: ' '\n"), `7:13: destinations[0].map.group: has no value; write one, or leave the key out
8:12: destinations[0].map.vip: has no expression; write one such as customer.email`},
		{"columns count characters", "# ü\nlog: {level: \"ü\", formet: x}\n", `2:14: log.level: "ü" is not known; known here: trace, debug, info, warn, error
2:19: log.formet: unknown key; did you mean "format"?`},
		{"line ends of Windows", "log:\r\n  level: info\r\n  colour: red\r\n", `3:3: log.colour: unknown key; known here: level, format`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseText(t, test.file)
			m, ok := errors.AsType[*Mistakes](err)
			if !ok {
				t.Fatalf("got %v, want mistakes", err)
			}
			want := "worker.yaml:" + strings.ReplaceAll(test.want, "\n", "\nworker.yaml:")
			if got := m.Error(); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestMistakeInsideExpression(t *testing.T) {
	c, err := parseText(t, one("    when: 'customer.vpi'\n    map:\n      group: customer.vpi\n      note: >-\n        customer.vpi\n      ${X}: 'it''s'\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := &c.Destinations[0]
	for _, test := range []struct {
		keys []string
		want string
	}{
		{[]string{"when"}, "6:21: destinations[0].when: wrong"},
		{[]string{"map", "group"}, "8:23: destinations[0].map.group: wrong"},
		{[]string{"map", "note"}, "9:13: destinations[0].map.note: wrong"},
		{[]string{"map", "${X}"}, "11:13: destinations[0].map.${X}: wrong"},
		{[]string{"timeout"}, "2:5: destinations[0].timeout: wrong"},
	} {
		if got := d.Mistake(9, "wrong", "", test.keys...).String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// An alias bomb ends in a mistake, not in memory.
func TestAliasesOfAliases(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 30 {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i)
	}
	b.WriteString("destinations: *a30\n")
	_, err := parseText(t, b.String())
	if err == nil || !strings.Contains(err.Error(), "aliases of aliases") {
		t.Error("want a mistake about aliases")
	}
}

// Brackets and dashes that would cost the library gigabytes are refused at once.
func TestDepth(t *testing.T) {
	for _, text := range []string{"[", "{a: ", "- ", "? ", "-\t", "? - "} {
		_, err := parseText(t, "log: {}\n"+strings.Repeat(text, 250_000/len(text)))
		if err == nil || !strings.Contains(err.Error(), "worker.yaml:2:1: the brackets or dashes nest deeper than 64 levels") {
			t.Errorf("%q: got %v, want a mistake about depth", text, err)
		}
	}
	rulers := "# " + strings.Repeat("- ", 200) + "\n#" + strings.Repeat("-", 200) + "\n# [ok]\n"
	if _, err := parseText(t, rulers); err != nil {
		t.Errorf("rulers: got %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c, err := parseText(t, manual)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c.Destinations[0].Auth)
	if err != nil {
		t.Fatal(err)
	}
	s := c.HTTP.Token
	all := fmt.Sprintf("%v %+v %#v %s %q %x %X %d %v %s %s %v %v", c, *c, *c, s, s, s, s, s, &s, asJSON, asYAML,
		c.Destinations[0].Options, c.Destinations[0].node)
	for _, secret := range []string{"console-secret", "thulium-secret", fmt.Sprintf("%x", "console-secret"), fmt.Sprintf("%X", "console-secret")} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is printed in:\n%s", secret, all)
		}
	}
	if !strings.Contains(string(asYAML), redacted) || !bytes.Contains(asJSON, []byte(redacted)) {
		t.Errorf("got %s and %s, want %s in both", asYAML, asJSON, redacted)
	}
}

// Whatever the file, there is no panic, and every mistake lies inside it.
func FuzzParse(f *testing.F) {
	f.Add(manual)
	f.Add(one("    options: {a: [1, {b: c}]}\n    map: {x.y: '1'}\n"))
	for _, seed := range []string{"a: &x {b: *x}", "<<: [*a]", "? [a]\n: b", "- |\n  x\n", "a: !!str 1", "{", "a: ${", "\"\\x", "%YAML 1.2\n---\n", "a: ${file:/run/token}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseText(t, text)
		if c == nil {
			t.Fatal("no Config")
		}
		if err == nil {
			for i := range c.Destinations {
				c.Destinations[i].Hash()
			}
			return
		}
		m, ok := errors.AsType[*Mistakes](err)
		if !ok {
			t.Fatalf("got %v, want mistakes", err)
		}
		lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), "\n")
		for _, x := range m.List {
			if x.Line < 1 || x.Line > len(lines) || x.Column < 1 || x.Column > utf8.RuneCountInString(lines[x.Line-1])+1 || x.Message == "" {
				t.Errorf("%s lies outside of the file", x)
			}
		}
	})
}

func TestReadsItself(t *testing.T) {
	path := t.TempDir() + "/worker.yaml"
	if err := os.WriteFile(path, []byte("log: {level: warn}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil || c.Log.Level != "warn" || c.File() != path {
		t.Errorf("got %v, %v, want level warn", c, err)
	}
}
