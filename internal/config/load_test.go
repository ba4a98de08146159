package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"
)

// parseText reads a file in an environment of a few variables and files.
func parseText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	env := map[string]string{
		"CUSTSYNC_TOKEN": "console-secret", "THULIUM_PASSWORD": "thulium-secret",
		"PARTITIONS": "16", "EMPTY": "", "TRICKY": `"}: {x: 1} # ${PARTITIONS}`, "WAIT": "forever",
	}
	files := map[string]string{"/run/token": "file-secret\n", "user.creds": "x", "ca.pem": "x", "two.txt": "a\n\n"}
	return Parse("worker.yaml", []byte(text),
		func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		func(path string) ([]byte, error) {
			if v, ok := files[path]; ok {
				return []byte(v), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		})
}

// one is a file with one destination, with more lines of it.
func one(more string) string {
	return "destinations:\n" +
		"  - name: reviews\n    provider: aplaut\n    url: https://api.aplaut.io/v4\n    auth: {token: t0ken}\n" + more
}

// The manual's own example, word for word.
const manual = `
nats:
  url: nats://127.0.0.1:4222     # absent: an embedded server in this process
  creds: user.creds              # also: user/password, nkey, tls {ca, cert, key}
stream: {partitions: 32, replicas: 1, history_per_customer: 4}
http: {listen: 127.0.0.1:8080, token: ${CUSTSYNC_TOKEN}}   # the token is required off loopback
log: {level: info, format: console}                        # or json
workers: {lease: 3s, grace: 30s}
destinations:
  - name: thulium-pl             # [a-z0-9-]+, names the consumers: renaming means a new destination
    provider: thulium
    url: https://acme.thulium.com
    auth: {username: api_user, password: "${THULIUM_PASSWORD}"}
    shops: [acme]                # absent: all
    when: 'customer.consents.email == true'       # expr-lang; absent: all
    map: {custom_fields.ltv: customer.total_spent, group: 'customer.vip ? "VIP" : "retail"'}
    shards: 8                    # 1 to P, divides P; default 8
    start: all                   # or new: only what is published from now on
    on_leave: update             # update, delete, keep
    formerly: thulium            # the name it had
    batch: {max_rows: 100, max_bytes: 1MiB, linger: 200ms}
    rate: {calls_per_second: 5, concurrency: 4}
    timeout: 30s
    retry: {initial: 500ms, max: 2m, multiplier: 2, jitter: 0.5, max_attempts: 10, max_elapsed: 24h}
    options: {}                  # the provider's own switches
`

func TestParseExample(t *testing.T) {
	c, err := parseText(t, manual)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(c.HTTP.Token), "console-secret"; got != want {
		t.Errorf("token: got %q, want %q", got, want)
	}
	got := c.Destinations[0]
	if got.Options == nil {
		t.Error("options: got nil, want an empty mapping")
	}
	got.Options, got.node, got.path = nil, nil, ""
	want := Destination{
		Name: "thulium-pl", Provider: "thulium", URL: "https://acme.thulium.com",
		Auth:  map[string]Secret{"username": "api_user", "password": "thulium-secret"},
		Shops: []string{"acme"}, When: "customer.consents.email == true",
		Map:    map[string]string{"custom_fields.ltv": "customer.total_spent", "group": `customer.vip ? "VIP" : "retail"`},
		Shards: 8, Start: StartAll, OnLeave: LeaveUpdate, Formerly: "thulium",
		Batch:   Batch{MaxRows: 100, MaxBytes: 1 << 20, Linger: 200 * time.Millisecond},
		Rate:    Rate{CallsPerSecond: 5, Concurrency: 4},
		Timeout: 30 * time.Second,
		Retry:   Retry{500 * time.Millisecond, 2 * time.Minute, 2, 0.5, 10, 24 * time.Hour},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("destination:\ngot  %#v\nwant %#v", got, want)
	}
}

// What the manual's example spells out are the defaults, all but the few that it names.
func TestParseDefaults(t *testing.T) {
	spelled, err := parseText(t, manual)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := parseText(t, one(""))
	if err != nil {
		t.Fatal(err)
	}
	got, want := bare.Destinations[0], spelled.Destinations[0]
	want.Rate.CallsPerSecond = 0
	type rest struct {
		Shards  int
		Start   Start
		OnLeave OnLeave
		Batch   Batch
		Rate    Rate
		Timeout time.Duration
		Retry   Retry
	}
	of := func(d Destination) rest {
		return rest{d.Shards, d.Start, d.OnLeave, d.Batch, d.Rate, d.Timeout, d.Retry}
	}
	if of(got) != of(want) {
		t.Errorf("got %+v, want %+v", of(got), of(want))
	}
	if got, want := fmt.Sprint(bare.Stream, bare.HTTP, bare.Log, bare.Workers), "{32 1 4} {127.0.0.1:8080 } {info console} {3s 30s}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := bare.NATS.DialURL(), "nats://127.0.0.1:4222"; !bare.NATS.IsEmbedded() || got != want {
		t.Errorf("dial: got %s, want %s, embedded", got, want)
	}
	if got, want := fmt.Sprint(bare.NATS.Embedded.Store, bare.NATS.Embedded.Sync), "./dataalways"; got != want {
		t.Errorf("embedded: got %s, want %s", got, want)
	}
	if p := (Retry{}).Policy(); p.WithDefaults().Jitter >= 0 {
		t.Error("a jitter of 0 became the default")
	}
}

func TestParseValues(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		get  func(*Config) any
		want any
	}{
		"empty file":             {"", func(c *Config) any { return len(c.Destinations) }, 0},
		"only a comment":         {"# nothing\n", func(c *Config) any { return c.Stream.Partitions }, 32},
		"byte order mark":        {"\ufeffstream: {partitions: 4}", func(c *Config) any { return c.Stream.Partitions }, 4},
		"carriage returns":       {"stream:\r\n  partitions: 4\r\nlog:\r\n  level: warn\r\n", func(c *Config) any { return c.Log.Level }, "warn"},
		"null is absent":         {"stream: {partitions: ~}\nlog:\n", func(c *Config) any { return c.Stream.Partitions }, 32},
		"variable as a number":   {"stream: {partitions: ${PARTITIONS}}", func(c *Config) any { return c.Stream.Partitions }, 16},
		"variable in quotes":     {`stream: {partitions: "${PARTITIONS}"}`, func(c *Config) any { return c.Stream.Partitions }, 16},
		"inside a text":          {"log: {level: info}\nhttp: {token: a-${PARTITIONS}-b}", func(c *Config) any { return string(c.HTTP.Token) }, "a-16-b"},
		"a value is only text":   {"http: {token: ${TRICKY}}", func(c *Config) any { return string(c.HTTP.Token) }, `"}: {x: 1} # ${PARTITIONS}`},
		"file, one line end off": {"http: {token: ${file:/run/token}}", func(c *Config) any { return string(c.HTTP.Token) }, "file-secret"},
		"file, only one off":     {"http: {token: ${file:two.txt}}", func(c *Config) any { return string(c.HTTP.Token) }, "a\n"},
		"dollars escaped":        {"http: {token: $${PARTITIONS} $$5 $6}", func(c *Config) any { return string(c.HTTP.Token) }, "${PARTITIONS} $5 $6"},
		"numbers stay texts":     {one("    map: {a: 0123, b: 1.50, c: true}\n"), func(c *Config) any { return c.Destinations[0].Map }, map[string]string{"a": "0123", "b": "1.50", "c": "true"}},
		"slash at the end":       {strings.Replace(one(""), "/v4", "/v4/", 1), func(c *Config) any { return c.Destinations[0].URL }, "https://api.aplaut.io/v4"},
		"fewer partitions":       {"stream: {partitions: 7}\n" + one(""), func(c *Config) any { return c.Destinations[0].Shards }, 7},
		"largest divisor":        {"stream: {partitions: 36}\n" + one(""), func(c *Config) any { return c.Destinations[0].Shards }, 6},
		"prime partitions":       {"stream: {partitions: 31}\n" + one(""), func(c *Config) any { return c.Destinations[0].Shards }, 1},
		"no linger":              {one("    batch: {linger: 0s}\n"), func(c *Config) any { return c.Destinations[0].Batch.Linger }, time.Duration(0)},
		"fraction of a call":     {one("    rate: {calls_per_second: 0.5}\n"), func(c *Config) any { return c.Destinations[0].Rate.CallsPerSecond }, 0.5},
		"sync every":             {"nats: {embedded: {sync: 2s}}", func(c *Config) any { return c.NATS.Embedded.Sync.String() }, "2s"},
		"several servers":        {"nats: {url: 'a:1, tls://b:2'}", func(c *Config) any { return c.NATS.URL }, "nats://a:1,tls://b:2"},
		"credentials in the url": {"nats: {url: nats://me:pw@a:1}", func(c *Config) any { return c.NATS.URL + c.NATS.User + string(c.NATS.Password) }, "nats://a:1mepw"},
		"anchor and merge": {one("    retry: &r {max: 1m}\n") + "  - name: b\n    provider: virtualpos\n    url: http://b\n    auth: {apikey: k}\n    retry: {<<: *r, initial: 1s}\n",
			func(c *Config) any {
				return []time.Duration{c.Destinations[1].Retry.Initial, c.Destinations[1].Retry.Max}
			}, []time.Duration{time.Second, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parseText(t, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.get(c); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1": 1, "100B": 100, "100kB": 100_000, "2MB": 2_000_000, "512KiB": 512 << 10, "1MiB": 1 << 20, "1.5KiB": 1536, "1 MiB": 1 << 20} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5", "1XiB", "0x10", "1e400", "3GiB", "1MiBs", "NaN", "inf", "1KK"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestDecodeOptions(t *testing.T) {
	type options struct {
		Gender map[string]string `yaml:"gender"`
		Wait   time.Duration     `yaml:"wait"`
		Deep   struct {
			On bool `yaml:"on"`
		} `yaml:"deep"`
		Extra any `yaml:"extra"`
	}
	c, err := parseText(t, one("    options:\n      gender: {female: K, male: \"\"}\n      deep: {on: true}\n      extra: [1, x, {y: 1.5, z: ~}, \"2\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := options{Wait: time.Second}
	if err := DecodeOptions(c.Destinations[0].Options, &got); err != nil {
		t.Fatal(err)
	}
	want := options{Gender: map[string]string{"female": "K", "male": ""}, Wait: time.Second}
	want.Deep.On = true
	want.Extra = []any{int64(1), "x", map[string]any{"y": 1.5, "z": nil}, "2"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}

	c, err = parseText(t, one("    options:\n      gneder: {}\n      wait: 5\n      deep: [x]\n"))
	if err != nil {
		t.Fatal(err)
	}
	wantText := `worker.yaml:7:7: destinations[0].options.gneder: unknown key; did you mean "gender"?
worker.yaml:8:13: destinations[0].options.wait: "5" is not a duration; write a number with its unit, such as 500ms, 2m or 24h
worker.yaml:9:13: destinations[0].options.deep: is a list, not a mapping (key: value); write a mapping (key: value)`
	if err := DecodeOptions(c.Destinations[0].Options, &got); err == nil || err.Error() != wantText {
		t.Errorf("got:\n%v\nwant:\n%s", err, wantText)
	}
	if err := DecodeOptions(nil, &got); err != nil {
		t.Errorf("nil: got %v", err)
	}
}

func TestHash(t *testing.T) {
	hash := func(more string) string {
		t.Helper()
		c, err := parseText(t, one(more))
		if err != nil {
			t.Fatal(err)
		}
		return c.Destinations[0].Hash()
	}
	base := hash("    shops: [a, b]\n    map: {x: '1', y: '2'}\n    options: {p: 1, q: [r]}\n")
	same := map[string]string{
		"order":        "    options: {q: [r], p: \"1\"}\n    map: {y: '2', x: '1'}\n    shops: [b, a]\n",
		"rate, shards": "    shops: [a, b]\n    map: {x: '1', y: '2'}\n    options: {p: 1, q: [r]}\n    shards: 4\n    rate: {concurrency: 9}\n",
	}
	for name, more := range same {
		if got := hash(more); got != base {
			t.Errorf("%s: got %s, want %s", name, got, base)
		}
	}
	seen := map[string]string{base: "base"}
	for _, more := range []string{
		"", "    shops: [a]\n    map: {x: '1', y: '2'}\n    options: {p: 1, q: [r]}\n",
		"    shops: [a, b]\n    map: {x: '1', y: '3'}\n    options: {p: 1, q: [r]}\n",
		"    shops: [a, b]\n    map: {x: '1', y: '2'}\n    options: {p: 2, q: [r]}\n",
		"    shops: [a, b]\n    map: {x: '1', y: '2'}\n    options: {p: 1, q: r}\n",
		"    shops: [a, b]\n    map: {x: '1', y: '2'}\n    options: {p: 1, q: [r]}\n    on_leave: keep\n",
		"    shops: [a, b]\n    map: {x: '1', y: '2'}\n    options: {p: 1, q: [r]}\n    when: 'true'\n",
	} {
		h := hash(more)
		if other, ok := seen[h]; ok {
			t.Errorf("same hash for:\n%s\n%s", more, other)
		}
		seen[h] = more
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load("no such file.yaml")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}
