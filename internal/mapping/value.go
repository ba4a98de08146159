package mapping

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/sinks"
)

// cleared is what clear() yields: the field is to be cleared at the provider.
type cleared struct{}

// toField turns an expression's value into a field without a name. It reports
// false for what JSON does not have.
func toField(v any) (sinks.Field, bool) {
	switch x := v.(type) {
	case nil, cleared:
		return sinks.Field{Kind: sinks.KindNull}, true
	case string:
		return sinks.Field{Kind: sinks.KindText, Text: x}, true
	case bool:
		return sinks.Field{Kind: sinks.KindBool, Bool: x}, true
	case int:
		return integer(int64(x)), true
	case float64:
		return sinks.Field{Kind: sinks.KindNumber, Number: x}, !math.IsNaN(x) && !math.IsInf(x, 0)
	case time.Time:
		return sinks.Field{Kind: sinks.KindText, Text: x.Format(time.RFC3339Nano)}, true
	case time.Duration:
		return sinks.Field{Kind: sinks.KindText, Text: x.String()}, true
	}
	switch v := reflect.ValueOf(v); v.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return integer(v.Int()), true
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return integer(int64(v.Uint())), true
	case reflect.Slice, reflect.Array, reflect.Map:
		return raw(v.Interface())
	}
	return sinks.Field{}, false
}

// integer keeps whole numbers exact that a float64 would not.
func integer(i int64) sinks.Field {
	if -1<<53 < i && i < 1<<53 {
		return sinks.Field{Kind: sinks.KindNumber, Number: float64(i)}
	}
	return sinks.Field{Kind: sinks.KindRaw, Raw: strconv.AppendInt(nil, i, 10)}
}

func raw(v any) (sinks.Field, bool) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return sinks.Field{}, false
	}
	return sinks.Field{Kind: sinks.KindRaw, Raw: bytes.TrimSpace(b.Bytes())}, true
}

// MarshalJSON has clear() inside a list or an object be null.
func (cleared) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// fromJSON returns a JSON value as expressions have it: whole numbers are int.
func fromJSON(data []byte) any {
	s := scan.New(data)
	return read(&s)
}

func read(s *scan.Scanner) any {
	switch s.Kind() {
	case scan.String:
		return s.Text()
	case scan.Bool:
		return s.Bool()
	case scan.Number:
		return number(string(s.Skip()))
	case scan.Array:
		out := []any{}
		for more := s.Array(); more; more = s.More() {
			out = append(out, read(s))
		}
		return out
	case scan.Object:
		out := map[string]any{}
		for key, ok := s.Object(); ok; key, ok = s.Field() {
			out[key] = read(s)
		}
		return out
	case scan.Null, scan.Invalid:
		s.Skip()
	}
	return nil
}

func number(text string) any {
	if !strings.ContainsAny(text, ".eE") {
		if i, err := strconv.Atoi(text); err == nil {
			return i
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return f
}
