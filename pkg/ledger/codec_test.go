package ledger

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

var entries = map[string]Entry{
	"empty":   {},
	"held":    {Held: &Held{Version: 7, Seq: 9, Hash: "00ff", ProviderID: `a"b\c<é`, At: at("2026-11-22T10:00:00.000000001Z")}},
	"settled": {Settled: &Settled{Version: 1<<53 - 1, Seq: 1, Outcome: Dead, Reason: "rejected", At: at("2026-11-22T10:00:00Z"), Edit: "7Q"}},
	"pending": {Pending: &Pending{Version: 1, Seq: 2, Attempts: 3, First: at("2026-11-22T10:00:00Z"), Next: at("2026-11-22T10:00:01.5Z"), Doubt: true, Delete: true, Error: "http_503"}},
	"all": {
		Held:    &Held{Version: 7, Seq: 9, At: at("2026-11-22T10:00:00Z")},
		Settled: &Settled{Version: 8, Seq: 10, Outcome: Superseded, At: at("2026-11-22T10:00:00Z")},
		Pending: &Pending{Version: 9, Seq: 11},
	},
}

func TestCodecAgreesWithEncodingJSON(t *testing.T) {
	for name, e := range entries {
		t.Run(name, func(t *testing.T) {
			wire := Append(nil, &e)
			var theirs Entry
			if err := json.Unmarshal(wire, &theirs); err != nil {
				t.Fatalf("encoding/json can't read %s: %v", wire, err)
			}
			if !reflect.DeepEqual(theirs, e) {
				t.Errorf("encoding/json reads %s as\n%+v, want\n%+v", wire, theirs, e)
			}
			standard, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, form := range [][]byte{wire, standard} {
				var got Entry
				if err := Parse(form, &got); err != nil {
					t.Fatalf("Parse(%s): %v", form, err)
				}
				if !reflect.DeepEqual(got, e) {
					t.Errorf("Parse(%s) = %+v, want %+v", form, got, e)
				}
			}
		})
	}
}

func TestParseForgetsWhatWasThere(t *testing.T) {
	e := entries["all"]
	if err := Parse([]byte(`{}`), &e); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(e, Entry{}) {
		t.Errorf("got %+v, want the zero entry", e)
	}
}

func TestParseSkipsWhatItDoesNotKnow(t *testing.T) {
	var e Entry
	err := Parse([]byte(`{"later":[{}],"held":{"version":3,"later":null,"seq":4},"pending":null}`), &e)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Entry{Held: &Held{Version: 3, Seq: 4}}); !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, want %+v", e, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, wire := range []string{``, `[]`, `{"held":[]}`, `{"held":{"version":"3"}}`, `{"held":{"version":3}} x`, `{"held":{"version":3}`} {
		var e Entry
		if err := Parse([]byte(wire), &e); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", wire, e)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range entries {
		f.Add(Append(nil, &e))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var e, again Entry
		if Parse(wire, &e) != nil {
			return
		}
		form := Append(nil, &e)
		if !json.Valid(form) {
			t.Fatalf("Append wrote %q", form)
		}
		if err := Parse(form, &again); err != nil {
			t.Fatalf("Parse(%s): %v", form, err)
		}
		if got := Append(nil, &again); string(got) != string(form) {
			t.Errorf("%s reads back as %s", form, got)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	e := entries["all"]
	var wire []byte
	b.ReportAllocs()
	for b.Loop() {
		wire = Append(wire[:0], &e)
	}
}

func BenchmarkParse(b *testing.B) {
	e := entries["all"]
	wire := Append(nil, &e)
	b.ReportAllocs()
	for b.Loop() {
		if err := Parse(wire, &e); err != nil {
			b.Fatal(err)
		}
	}
}
