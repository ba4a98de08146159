package intake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/custsync/custsync/pkg/events"
)

// read returns every record as "line: doc" or "line! error".
func read(t *testing.T, input io.Reader, name string, o Options) []string {
	t.Helper()
	r, err := Open(input, name, o, Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Err != nil {
			out = append(out, fmt.Sprintf("%d! %v", rec.Line, rec.Err))
			continue
		}
		out = append(out, fmt.Sprintf("%d: %s", rec.Line, rec.Doc))
	}
}

func TestNDJSON(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	input := "{\"id\":\"1\"}\r\n\n  \n{\"id\":\"2\"}\n" + long + "\n{\"id\":\"3\"}"
	want := []string{`1: {"id":"1"}`, `4: {"id":"2"}`, "5! longer than 1024 KiB", `6: {"id":"3"}`}
	if got := read(t, strings.NewReader(input), "", Options{}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever pieces an input comes in, and wherever it is gone on with, the records
// are the same.
func TestGoesOnAnywhere(t *testing.T) {
	csv := "id;Ім'я;note\n1;Ольга;\"a\nb\"\n\n2;Ірина;x\n3;\"Ю\"\"ля\";\n4;?;\"never closed\n5;Яна;\n"
	legacy, err := charmap.Windows1251.NewEncoder().String(csv)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Columns: Columns{"Ім'я": "first_name"}}
	for name, input := range map[string]string{"utf-8": csv, "windows-1251": legacy} {
		t.Run(name, func(t *testing.T) {
			want := read(t, strings.NewReader(input), "a.csv", o)
			if len(want) != 5 || !strings.Contains(want[0], `"Ольга"`) || want[3] != "7! a quote is opened and never closed" {
				t.Fatalf("got %q", want)
			}
			if got := read(t, iotest.OneByteReader(strings.NewReader(input)), "a.csv", o); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("byte by byte: got %q, want %q", got, want)
			}
			for n := range want {
				first, err := Open(strings.NewReader(input), "a.csv", o, Position{})
				if err != nil {
					t.Fatal(err)
				}
				var at Position
				for range n {
					rec, err := first.Next()
					if err != nil {
						t.Fatal(err)
					}
					at = rec.End
				}
				again := o
				again.Encoding = first.Encoding()
				second, err := Open(strings.NewReader(input), "a.csv", again, at)
				if err != nil {
					t.Fatal(err)
				}
				rec, err := second.Next()
				if got := fmt.Sprintf("%d: %s", rec.Line, rec.Doc); err != nil || rec.Err == nil && got != want[n] {
					t.Errorf("after %d: got %s and %v, want %s", n, got, err, want[n])
				}
			}
		})
	}
}

func TestGuess(t *testing.T) {
	legacy := func(s string) string {
		b, err := charmap.Windows1251.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tc := range []struct {
		name, text string
		want       Encoding
	}{
		{"ascii", "abc", Auto8},
		{"cut", "abc\xd0", Auto8},
		{"utf-8", "Київ", UTF8},
		{"utf-8 with a broken byte", "Київ і Львів\xff", UTF8},
		{"windows-1251", legacy("Київ"), Windows1251},
		{"windows-1251 that looks like utf-8 once", legacy("Віктор"), Windows1251},
	} {
		if got := guess([]byte(tc.text)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Every field of the contract that a cell can hold is known by its path.
func TestKinds(t *testing.T) {
	for path, want := range map[string]kind{
		"id": words, "version": whole, "email": words, "emails": list, "emails.0": words, "vip": boolean, "total_spent": number,
		"registered_at": moment, "birth_date": date, "address": branch, "address.city": words, "address.state": words, "address.town": unknown,
		"consents.sms": boolean, "discount.valid_until": date, "balance.amount": number, "cards": branches, "cards.0": branches,
		"cards.1.number": words, "bonuses.0.amount": number, "attributes": branch, "attributes.any": words, "attributes.a.b": branch,
		"loyalty": unknown, "email.x": branch, "version.x": branch,
	} {
		if got := kindOf(strings.Split(path, ".")); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func TestMake(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	m := Maker{Shop: "acme", Now: func() time.Time { return at }}
	made, err := m.Make([]byte(`{"id":"1"}`), "", at)
	if err != nil || made.Version != at.UnixMicro() || made.Shop != "acme" || made.Type != events.Changed {
		t.Errorf("got %+v and %v", made, err)
	}
	again, err := m.Make([]byte(`{"id":"1"}`), "acme", at)
	if err != nil || again.ID != made.ID {
		t.Errorf("got %s and %v, want the id to be the same again", again.ID, err)
	}
	event := `{"specversion":"1.0","id":"e1","source":"/shops/acme","type":"customer.deleted.v1","subject":"1","traceparent":"t","data":{"id":"1","version":9}}`
	made, err = m.Make([]byte(event), "", at)
	if err != nil || string(made.Data) != event || made.ID != "e1" || made.Version != 9 || made.TraceParent != "t" || made.Type != events.Deleted {
		t.Errorf("got %+v and %v", made, err)
	}
	for doc, want := range map[string]string{
		`{"id":"1","shop":"other"}`:                                                                            "shop: is not the one",
		`{"id":"e","source":"/shops/acme","subject":"1","data":{"id":"1"}}`:                                    "specversion: missing",
		`{"id":"e","type":"customer.changed.v1"}`:                                                              "missing",
		`{"specversion":"1.0","id":"e","source":"acme","type":"customer.changed.v1","subject":"1","data":{}}`:  "source: want /shops/",
		`{"specversion":"1.0","id":"e","source":"/shops/acme","type":"customer.changed.v1","data":{"id":"1"}}`: "subject: missing",
		`{"id":"1","shop":"acme","shop":"other"}`:                                                              "shop is given twice",
		`{"id":"1"} {"id":"2"}`:                                                                                "want the end of the document",
	} {
		if made, err := m.Make([]byte(doc), "", at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v and %v, want %s", doc, made, err, want)
		}
	}
}

// FuzzCSV: whatever a table holds, every record is refused or a JSON object, the
// records come in order, and nothing of the input is read twice or left out.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("id,vip,total_spent,address.city\n1,yes,1.5,Kyiv\n"))
	f.Add([]byte("sep=;\nid;emails\n1;\"a\nb\"\n2;\"x\n"))
	f.Add([]byte("\xff\xfei\x00d\x00\n\x001\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Open(bytes.NewReader(data), "a.csv", Options{Plain: true}, Position{})
		if err != nil {
			return
		}
		defer r.Close()
		var before Position
		for {
			rec, err := r.Next()
			if err != nil {
				return
			}
			if rec.Line <= before.Line && before.Line > 0 || rec.End.Offset <= before.Offset {
				t.Fatalf("line %d to %+v after %+v", rec.Line, rec.End, before)
			}
			before = rec.End
			if rec.Err == nil && (!json.Valid(rec.Doc) || rec.Doc[0] != '{') {
				t.Fatalf("line %d: %s", rec.Line, rec.Doc)
			}
		}
	})
}

// FuzzMake: what is made is an event that readers take, of the shop it was made for.
func FuzzMake(f *testing.F) {
	f.Add([]byte(`{"id":"1","email":"x","shop":"acme"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"e1","source":"/shops/acme","type":"customer.changed.v1","subject":"1","data":{"id":"1","version":9}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		m := Maker{Shop: "acme", Clock: &Clock{}}
		made, err := m.Make(doc, "", time.Time{})
		if err != nil {
			return
		}
		var ev events.Event
		if err := events.Decode(made.Data, "acme", events.EscapeToken(made.Customer), time.Now(), &ev); err != nil {
			t.Fatalf("%s: %v", made.Data, err)
		}
		if ev.ID != made.ID || ev.Version != made.Version || ev.Type != made.Type || made.Shop != "acme" {
			t.Fatalf("made %+v, read %+v", made, ev)
		}
	})
}

// A slip in a columns file would keep a column from every provider; a name of the
// shop's own is none.
func TestColumnsFileSlip(t *testing.T) {
	var said []string
	columns := Columns{"Mail": "emial", "City": "adress.city", "LTV": "lifetime_value", "Id": "id"}
	r, err := Open(strings.NewReader("Id,Mail,City,LTV\n"), "a.csv", Options{Columns: columns, Notice: func(text string) { said = append(said, text) }}, Position{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	const want = `column 2, "emial", is no field of the contract and is kept under its own name; did you mean "email"?
column 3, "adress.city", is no field of the contract and is kept under its own name; did you mean "address.city"?`
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("said is\n%s\nwant\n%s", got, want)
	}
}

// Of a number that a spreadsheet cut, the rest is gone: as an id it would make one
// customer of many.
func TestShortened(t *testing.T) {
	for cell, want := range map[string]bool{
		"3.47771E+08": true, "3,80632E+11": true, "4E+15": true,
		"347771386": false, "+380631234567": false, "E+1": false, "1E+": false, "12.5E+3": false, "1.2.3E+4": false, "AE+1": false, "1E+5F": false, "1.5": false,
	} {
		if got := shortened(cell); got != want {
			t.Errorf("%s: got %v", cell, got)
		}
	}
	r, err := Open(strings.NewReader("id,total_spent\n3.47771E+08,1E+2\n1,1E+2\n"), "a.csv", Options{}, Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if rec, err := r.Next(); err != nil || rec.Err == nil || !strings.Contains(rec.Err.Error(), "column 1, id: a spreadsheet has cut this number") {
		t.Errorf("got %+v and %v", rec, err)
	}
	if rec, err := r.Next(); err != nil || rec.Err != nil || string(rec.Doc) != `{"id":"1","total_spent":1E+2}` {
		t.Errorf("got %s, %+v and %v", rec.Doc, rec, err)
	}
}

// One line that is neither must not make CSV of a whole file, nor the other way
// round, however the input comes.
func TestFormat(t *testing.T) {
	for input, want := range map[string]Format{
		"":                                NDJSON,
		"\n \n":                           NDJSON,
		"{\"id\":\"1\"}":                  NDJSON,
		"\n[]\n":                          NDJSON,
		"not json\n{\"id\":\"1\"}\n":      NDJSON,
		"# export, shop acme\n{\"id\":1}": NDJSON,
		"null\n":                          NDJSON,
		"not json":                        NDJSON,
		"id,email\n1,a@b.c\n":             CSV,
		"\n\nid;email\n":                  CSV,
		"a\tb\n":                          CSV,
		"\"ID\"\n1\n2\n":                  CSV,
		"i\x00d\x00\n\x00":                CSV,
		"{\x00}\x00\n\x00":                NDJSON,
		"id,note\n1,\"{x}\"\n":            CSV,
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(input), "bytes": iotest.OneByteReader(strings.NewReader(input))} {
			buffered := bufio.NewReaderSize(r, chunk)
			got := (&text{in: buffered}).looksLike()
			if name == "bytes" && strings.HasPrefix(input, "# export") || got == want {
				continue // what has not come yet decides nothing
			}
			t.Errorf("%s of %q: got %s, want %s", name, input, got, want)
		}
	}
}
