package sandbox

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzWalk holds the scanner against encoding/json: both accept the same objects.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, ` {"a" : [1, {"b":"c\n\u00e9\\"}, -0.1e+5 ], "d":null} `, `{"a":01}`, `{"a":"`, `{"a":"\x"}`,
		"{\"a\":\"\x01\"}", "{\"a\":\"a long text, then\x1f a control character and more\"}", "{\"a\":\"кириллица \x7f\xd1\x8f и ещё\"}", `{"a":tru}`, `{"a":1,}`, `{"long text before":"a quote \" and a slash \\ somewhere"}`, `[{}]`, `{"a":[[[]]]}`, `{} x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names := 0
		err := fields(data, func(name, value []byte) {
			if !json.Valid(name) || !json.Valid(value) {
				t.Errorf("%q: visited %q, %q", data, name, value)
			}
			names++
		})
		var m map[string]json.RawMessage
		want := json.Unmarshal(data, &m) == nil && m != nil
		if got := err == nil; got != want && (want || utf8.Valid(data)) && !deep(data) {
			t.Errorf("%q: accepted %v, want %v", data, got, want)
		}
		if err == nil && names < len(m) {
			t.Errorf("%q: got %d fields, want %d", data, names, len(m))
		}
		listed, _, err := listIn(data, "a", "b", func() func(name, value []byte) { return func(name, value []byte) {} }, func([]byte, bool) {})
		if err == nil && listed && !json.Valid(data) {
			t.Errorf("%q: listed although invalid", data)
		}
	})
}

// deep reports whether nesting may be beyond what the scanner takes.
func deep(data []byte) bool {
	depth := 0
	for _, c := range data {
		if c == '[' || c == '{' {
			depth++
		}
	}
	return depth >= maxDepth
}

func TestVersionIn(t *testing.T) {
	for value, want := range map[string]int64{`7`: 7, `"7"`: 7, `"v7"`: 7, `"called back, v12"`: 12, `"since 2019"`: -1, `"x"`: -1, `null`: -1, `-1`: -1, `""`: -1} {
		if got := versionIn([]byte(value)); got != want {
			t.Errorf("version in %s: got %d, want %d", value, got, want)
		}
	}
}
