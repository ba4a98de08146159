package scan_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/scan"
)

func TestErrors(t *testing.T) {
	deep := strings.Repeat("[", scan.MaxDepth)
	for _, tc := range []struct{ name, in, want string }{
		{"nothing", ``, `want a value at offset 0`},
		{"white space only", " \n", `want a value at offset 2`},
		{"two values", `1 2`, `want the end of the document at offset 2`},
		{"a NUL at the end", "1\x00", `want the end of the document at offset 1`},
		{"trailing comma in object", `{"a":1,}`, `want a name at offset 7`},
		{"trailing comma in array", `[1,]`, `want a value at offset 3`},
		{"no colon", `{"a" 1}`, `want : after a name at offset 5`},
		{"no comma", `{"a":1 "b":2}`, `want , or } after a field at offset 7`},
		{"open array", `[1`, `want , or ] after an element at offset 2`},
		{"wrong closer", `[1}`, `want , or ] after an element at offset 2`},
		{"unquoted name", `{a:1}`, `want a name at offset 1`},
		{"misspelt literal", `nul`, `want a value at offset 0`},
		{"longer literal", `nullx`, `want the end of the document at offset 4`},
		{"open string", `"abc`, `string without an end at offset 4`},
		{"open long string", `"abcdefghijklmnop`, `string without an end at offset 17`},
		{"raw newline in a string", "\"ab\n\"", `control character in a string at offset 3`},
		{"unknown escape", `"\x"`, `invalid escape in a string at offset 1`},
		{"short unicode escape", `"\u12"`, `invalid escape in a string at offset 1`},
		{"not hex", `"\u12g4"`, `invalid escape in a string at offset 1`},
		{"high half alone", `"\ud83d"`, `half a surrogate pair in a string at offset 1`},
		{"high half and a character", `"\ud83d\u0041"`, `half a surrogate pair in a string at offset 1`},
		{"low half alone", `"\udE00"`, `half a surrogate pair in a string at offset 1`},
		{"invalid UTF-8", "\"12345678\xff\"", `invalid UTF-8 in a string at offset 1`},
		{"an encoded surrogate", "\"\xed\xa0\x80\"", `invalid UTF-8 in a string at offset 1`},
		{"UTF-8 cut by an escape", "\"\xc3\\n\"", `invalid UTF-8 in a string at offset 1`},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", `invalid UTF-8 in a string at offset 2`},
		{"leading zero", `01`, `invalid number at offset 0`},
		{"plus sign", `+1`, `want a value at offset 0`},
		{"sign only", `-`, `invalid number at offset 0`},
		{"point without digits", `1.`, `invalid number at offset 0`},
		{"exponent without digits", `1e+`, `invalid number at offset 0`},
		{"too deep", deep + `[`, `nested too deep at offset 64`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := scan.New([]byte(tc.in))
			s.Skip()
			if got := fmt.Sprint(s.End()); got != tc.want {
				t.Errorf("skipped: got %q, want %q", got, tc.want)
			}
			_, err := read([]byte(tc.in))
			if got := fmt.Sprint(err); got != tc.want {
				t.Errorf("read: got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMismatch(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		read           func(*scan.Scanner)
	}{
		{"string", `12`, "want string, got number at offset 0", func(s *scan.Scanner) { s.Text() }},
		{"number", ` "1"`, "want number, got string at offset 1", func(s *scan.Scanner) { s.Float() }},
		{"whole number", `true`, "want number, got bool at offset 0", func(s *scan.Scanner) { s.Int() }},
		{"bool", `null`, "want bool, got null at offset 0", func(s *scan.Scanner) { s.Bool() }},
		{"object", `[]`, "want object, got array at offset 0", func(s *scan.Scanner) { s.Object() }},
		{"a word", `not json`, "want object, got nothing valid at offset 0", func(s *scan.Scanner) { s.Object() }},
		{"null", `null`, "want object, got null at offset 0", func(s *scan.Scanner) { s.Object() }},
		{"array", `{}`, "want array, got object at offset 0", func(s *scan.Scanner) { s.Array() }},
		{"nothing", ``, "want string, got nothing valid at offset 0", func(s *scan.Scanner) { s.Text() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := scan.New([]byte(tc.in))
			tc.read(&s)
			if got := fmt.Sprint(s.Err()); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// A loop whose body forgets to read the value must not go on as if it had.
func TestFailureStays(t *testing.T) {
	s := scan.New([]byte(`{"a":1,"b":[2,3]}`))
	var keys []string
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		keys = append(keys, key)
	}
	first := s.Err()
	if got := fmt.Sprint(keys, first); got != "[a] want , or } after a field at offset 5" {
		t.Errorf("got %s", got)
	}
	if s.Text() != "" || s.Int() != 0 || s.Float() != 0 || s.Bool() || s.Null() || s.Array() || s.More() || s.Skip() != nil {
		t.Error("something was read after the failure")
	}
	if got := s.End(); !errors.Is(got, first) {
		t.Errorf("got %v, want the first failure %v", got, first)
	}
}

func TestText(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"empty", `""`, ""},
		{"one word of the scan", `"12345678"`, "12345678"},
		{"every short escape", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{"unicode escapes", `"\u0417\u043C\u0456\u043d\u0430"`, "Зміна"},
		{"surrogate pair", `"a\ud83d\uDE00b"`, "a😀b"},
		{"escaped NUL", `"\u0000"`, "\x00"},
		{"the replacement character itself", `"\ufffd"`, "\ufffd"},
		{"raw UTF-8", `"Żółć, Київ"`, "Żółć, Київ"},
		{"DEL needs no escape", "\"\x7f\"", "\x7f"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := scan.New([]byte(tc.in))
			got := s.Text()
			if err := s.End(); err != nil || got != tc.want {
				t.Errorf("got %q and %v, want %q", got, err, tc.want)
			}
		})
	}
}

// The search for the end of a string works on eight bytes at a time: every
// special byte must be seen at every position, beside every kind of neighbour.
func TestTextAtEveryPosition(t *testing.T) {
	for n := range 20 {
		for _, filler := range []string{"a", "~", " ", "!", "#", "[", "]", "é", "€", "\u007f", "\u00a0"} {
			plain := strings.Repeat(filler, n)
			for _, ending := range []string{"", "\x01", "\x1f", `\"`, "\xff"} {
				in := `"` + plain + ending + `"` + strings.Repeat(filler, 9)
				s := scan.New([]byte(in))
				got := s.Text()
				switch ending {
				case "", `\"`:
					want := plain + strings.TrimPrefix(ending, `\`)
					if got != want || s.Err() != nil || s.Offset() != len(plain)+len(ending)+2 {
						t.Errorf("%q: got %q, %v, offset %d", in, got, s.Err(), s.Offset())
					}
				default:
					if s.Err() == nil {
						t.Errorf("%q: got %q, want an error", in, got)
					}
				}
			}
		}
	}
}

func TestInt(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"-7", -7, true}, {"7.0", 7, true}, {"70e-1", 7, true},
		{"1.50e1", 15, true}, {"1e18", 1e18, true}, {"0e999999999999", 0, true}, {"0.000", 0, true},
		{"9007199254740991", 1<<53 - 1, true}, {"9007199254740993", 1<<53 + 1, true},
		{"9223372036854775807", math.MaxInt64, true}, {"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775808", 0, false}, {"1e19", 0, false}, {"1e999999999999", 0, false}, {"1e-999999999999", 0, false},
		{"1.5", 0, false}, {"9007199254740991.1", 0, false}, {"1.00000000000000000000001", 0, false}, {"1e-1", 0, false},
	} {
		t.Run(tc.in, func(t *testing.T) {
			s := scan.New([]byte(tc.in))
			got := s.Int()
			if err := s.End(); got != tc.want || (err == nil) != tc.ok {
				t.Errorf("got %d and %v, want %d", got, err, tc.want)
			}
		})
	}
}

func TestFloatOutOfRange(t *testing.T) {
	s := scan.New([]byte("[1e400]"))
	s.Array()
	s.Float()
	if got, want := fmt.Sprint(s.Err()), "number out of range at offset 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSkipReturnsTheBytes(t *testing.T) {
	s := scan.New([]byte(`{"a": {"b" : [1, "\u0041", {}], "c":null} , "d":2}`))
	s.Object()
	if got, want := string(s.Skip()), `{"b" : [1, "\u0041", {}], "c":null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if key, ok := s.Field(); key != "d" || !ok {
		t.Errorf("got %q, %v, want d", key, ok)
	}
}

func TestNoAllocation(t *testing.T) {
	data := []byte(`{"name":"Ольга Kowalska","n":12.5,"v":1732269600123456,"list":["a","b",null,true],"o":{"x\u0041":[]}}`)
	var total float64
	got := testing.AllocsPerRun(100, func() {
		s := scan.New(data)
		for key, ok := s.Object(); ok; key, ok = s.Field() {
			switch key {
			case "name":
				total += float64(len(s.Text()))
			case "n":
				total += s.Float()
			case "v":
				total += float64(s.Int())
			default:
				s.Skip()
			}
		}
		if s.End() != nil {
			t.Error(s.Err())
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}
