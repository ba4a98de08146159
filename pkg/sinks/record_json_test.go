package sinks_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/custsync/custsync/pkg/sinks"
)

func record(fields ...sinks.Field) *sinks.Record {
	r := new(sinks.Record)
	for _, f := range fields {
		r.Set(f)
	}
	return r
}

func text(group, name, value string) sinks.Field {
	return sinks.Field{Group: group, Name: name, Kind: sinks.KindText, Text: value}
}

func number(name string, value float64) sinks.Field {
	return sinks.Field{Name: name, Kind: sinks.KindNumber, Number: value}
}

func raw(group, name, value string) sinks.Field {
	return sinks.Field{Group: group, Name: name, Kind: sinks.KindRaw, Raw: json.RawMessage(value)}
}

func TestAppendJSON(t *testing.T) {
	for _, tc := range []struct {
		name string
		rec  *sinks.Record
		want string
	}{
		{"nothing", record(), `{}`},
		{"every kind in order", record(text("", "b", "x\"y"), number("a", 1.50), sinks.Field{Name: "t", Kind: sinks.KindBool, Bool: true},
			sinks.Field{Name: "f", Kind: sinks.KindBool}, sinks.Field{Name: "n"}, raw("", "l", `[1]`)),
			`{"b":"x\"y","a":1.5,"t":true,"f":false,"n":null,"l":[1]}`},
		{"a group between fields", record(text("", "a", "1"), text("address", "city", "Kyiv"), text("", "b", "2"), sinks.Field{Group: "address", Name: "flat"}),
			`{"a":"1","address":{"city":"Kyiv","flat":null},"b":"2"}`},
		{"two groups side by side", record(text("g", "x", "1"), text("h", "x", "2")), `{"g":{"x":"1"},"h":{"x":"2"}}`},
		{"a group cleared", record(sinks.Field{Name: "address"}, text("", "a", "1")), `{"address":null,"a":"1"}`},
		{"a group cleared and set", record(sinks.Field{Name: "address"}, text("address", "city", "Kyiv")), `{"address":{"city":"Kyiv"}}`},
		{"a raw group and a field", record(raw("", "custom", `{"a":1}`), text("custom", "b", "2")), `{"custom":{"b":"2"}}`},
		{"no such number", record(number("a", math.NaN()), sinks.Field{Group: "g", Name: "b", Kind: sinks.KindNumber, Number: math.Inf(1)}, number("c", 1)), `{"c":1}`},
		{"raw without a value", record(raw("", "a", "")), `{"a":null}`},
		{"names are escaped", record(text("g\n", "a\"", "1")), `{"g\n":{"a\"":"1"}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.rec.AppendJSON(nil)
			if string(got) != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if !json.Valid(got) {
				t.Error("not valid JSON")
			}
			if got := tc.rec.AppendJSON([]byte("[")); string(got) != "["+tc.want {
				t.Errorf("appended: got %s, want %s", got, "["+tc.want)
			}
		})
	}
}

func TestReadRecord(t *testing.T) {
	body := `{"a":"x","n":-1.5,"big":12345678901234567890,"one":1.0,"t":true,"z":null,"g":{"a":"y","l":[1,2],"o":{"p":1}},"e":{},"l":[{}],"":{"a":1}}`
	got, err := sinks.ReadRecord([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := []sinks.Field{
		text("", "a", "x"), number("n", -1.5), raw("", "big", "12345678901234567890"), raw("", "one", "1.0"), {Name: "t", Kind: sinks.KindBool, Bool: true},
		{Name: "z"}, text("g", "a", "y"), raw("g", "l", "[1,2]"), raw("g", "o", `{"p":1}`), raw("", "e", "{}"), raw("", "l", "[{}]"), raw("", "", `{"a":1}`),
	}
	if !reflect.DeepEqual(got.Fields(), want) {
		t.Errorf("got %+v, want %+v", got.Fields(), want)
	}
	if again := got.AppendJSON(nil); string(again) != body {
		t.Errorf("written again: got %s, want %s", again, body)
	}
}

func TestReadRecordRefuses(t *testing.T) {
	for _, body := range []string{``, `[]`, `"secret"`, `{"a":"secret`, `{"a":1}x`, `{"g":{"a":}}`} {
		r, err := sinks.ReadRecord([]byte(body))
		if err == nil || len(r.Fields()) > 0 {
			t.Errorf("%s: got %v and %v, want an error and nothing else", body, r, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats data: %v", body, err)
		}
	}
}

// The hash stands in the ledger for years: it must not change.
func TestHash(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		{"", "ef46db3751d8e999"},
		{"a", "d24ec4f1a98c6e5b"},
		{`{"identifier":"347771386","name":"Jan"}`, "6a275f7c0924ee87"},
	} {
		if got := sinks.Hash([]byte(tc.body)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.body, got, tc.want)
		}
	}
}

// FuzzRecord: whatever a record holds, it is written as valid JSON and reads
// back equal; whatever reads as a record is written back as it stood.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("abc"), "text", 1.5, `{"a":{"b":[1]}}`)
	f.Add([]byte{0, 9, 18, 250, 7, 7}, "\xff\n", 1e300, `{"a":1.0,"b":{}}`)
	f.Fuzz(func(t *testing.T, shape []byte, value string, n float64, body string) {
		rec := new(sinks.Record)
		names := []string{"a", "b", value, "g", "h\"", ""}
		for i, c := range shape {
			f := sinks.Field{Name: names[int(c/6)%len(names)], Kind: sinks.Kind(c % 4)}
			if f.Group = names[int(c/36)%len(names)]; f.Group == "a" || f.Group == "b" {
				f.Group = ""
			}
			switch f.Kind {
			case sinks.KindText:
				f.Text = strings.ToValidUTF8(value[:len(value)*i/len(shape)], "")
			case sinks.KindNumber:
				f.Number = n
			case sinks.KindBool:
				f.Bool = i%2 == 0
			}
			rec.Set(f)
		}
		out := rec.AppendJSON(nil)
		if !json.Valid(out) {
			t.Fatalf("invalid: %s", out)
		}
		got, err := sinks.ReadRecord(out)
		if err != nil {
			t.Fatalf("read back: %v", err)
		}
		if again := got.AppendJSON(nil); !bytes.Equal(again, out) && utf8.ValidString(value) {
			t.Fatalf("got %s, want %s", again, out)
		}
		if utf8.ValidString(value) {
			for _, g := range got.Fields() {
				want := rec.Get(g.Group, g.Name)
				if g.Kind != sinks.KindRaw && (want == nil || !reflect.DeepEqual(*want, g)) {
					t.Fatalf("got %+v, want %+v", g, want)
				}
			}
		}
		if foreign, err := sinks.ReadRecord([]byte(body)); err == nil && !json.Valid(foreign.AppendJSON(nil)) {
			t.Fatalf("%s written as %s", body, foreign.AppendJSON(nil))
		}
	})
}
