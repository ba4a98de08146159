package scan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/custsync/custsync/internal/scan"
)

// read decodes a document as encoding/json would into any, with numbers as
// json.Number.
func read(data []byte) (any, error) {
	s := scan.New(data)
	v := value(&s)
	return v, s.End()
}

func value(s *scan.Scanner) any {
	switch s.Kind() {
	case scan.Object:
		m := map[string]any{}
		for key, ok := s.Object(); ok; key, ok = s.Field() {
			m[key] = value(s)
		}
		return m
	case scan.Array:
		list := []any{}
		for ok := s.Array(); ok; ok = s.More() {
			list = append(list, value(s))
		}
		return list
	case scan.String:
		return s.Text()
	case scan.Number:
		return json.Number(s.Skip())
	case scan.Bool:
		return s.Bool()
	case scan.Null:
		s.Null()
		return nil
	case scan.Invalid:
	}
	s.Skip() // fails
	return nil
}

// FuzzAgainstEncodingJSON holds the scanner to the standard library: same
// documents taken, same values, apart from the differences that are documented.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e10,true,false,null,"x\u00e9\ud83d\ude00"],"b":{"c":{}},"b":[]}`, `"\ud800"`, "\"\xff\"", `01`, `[1,]`,
		` { } `, `1e400`, `123456789012345678901234567890`, `"` + strings.Repeat("a", 40) + `\"é"`, strings.Repeat("[", 70) + strings.Repeat("]", 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := read(data)
		skipper := scan.New(data)
		raw := skipper.Skip()
		if skipped := skipper.End(); fmt.Sprint(skipped) != fmt.Sprint(err) {
			t.Fatalf("skipping said %v, reading %v", skipped, err)
		}
		valid := json.Valid(data)
		if err != nil {
			stricter := !utf8.Valid(data) || bytes.Contains(bytes.ToLower(data), []byte(`\ud`)) || bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > scan.MaxDepth
			if valid && !stricter {
				t.Fatalf("refused a valid document: %v", err)
			}
			return
		}
		if !valid {
			t.Fatal("took an invalid document")
		}
		if !bytes.Equal(raw, bytes.Trim(data, " \t\r\n")) {
			t.Fatalf("skipped %q of %q", raw, data)
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
		checkNumber(t, data)
	})
}

func checkNumber(t *testing.T, data []byte) {
	s := scan.New(data)
	if s.Kind() != scan.Number {
		return
	}
	var want float64
	wantErr := json.Unmarshal(data, &want)
	if got := s.Float(); got != want || (s.Err() == nil) != (wantErr == nil) {
		t.Fatalf("got %v and %v, want %v and %v", got, s.Err(), want, wantErr)
	}
	var whole int64
	s = scan.New(data)
	if got := s.Int(); json.Unmarshal(data, &whole) == nil && got != whole {
		t.Fatalf("got %d, want %d", got, whole)
	}
}
