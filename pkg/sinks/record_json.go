package sinks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/custsync/custsync/internal/scan"
)

// AppendJSON appends the record as a JSON object: fields in order, those of one
// group together in a nested object. A top field of a group's name clears the
// group (KindNull) or stands for it (KindRaw), unless the group has fields of
// its own: then they count. A number that JSON does not have (NaN, infinity) is
// left out, since null would clear the field.
func (r *Record) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	group := ""
	for i := range r.fields {
		f := &r.fields[i]
		if r.hidden(f) {
			continue
		}
		if f.Group != group {
			if group != "" {
				b = append(b, '}')
			}
			if f.Group != "" {
				b = append(appendName(b, f.Group), '{')
			}
			group = f.Group
		}
		b = f.appendValue(appendName(b, f.Name))
	}
	if group != "" {
		b = append(b, '}')
	}
	return append(b, '}')
}

// hidden reports whether the field is not written.
func (r *Record) hidden(f *Field) bool {
	switch {
	case f.Kind == KindNumber:
		return math.IsNaN(f.Number) || math.IsInf(f.Number, 0)
	case f.Group != "" || f.Name == "" || (f.Kind != KindNull && f.Kind != KindRaw):
		return false
	}
	for i := range r.fields {
		if r.fields[i].Group == f.Name && !r.hidden(&r.fields[i]) {
			return true
		}
	}
	return false
}

// appendName appends a name and its colon, after a comma unless an object was
// just opened; no value ends in an opening brace.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(scan.AppendText(b, name), ':')
}

func (f *Field) appendValue(b []byte) []byte {
	switch f.Kind {
	case KindText:
		return scan.AppendText(b, f.Text)
	case KindNumber:
		return scan.AppendFloat(b, f.Number)
	case KindBool:
		if f.Bool {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case KindRaw:
		if len(f.Raw) > 0 {
			return append(b, f.Raw...)
		}
	case KindNull:
	}
	return append(b, "null"...)
}

// Hash returns the fingerprint by which the ledger knows what a destination was
// last given: xxhash64 in 16 hex digits. It tells rows apart; it hides nothing.
func Hash(body []byte) string {
	sum := xxhash.Sum64(body)
	var b [8]byte
	for i := range b {
		b[i] = byte(sum >> (56 - 8*i))
	}
	return hex.EncodeToString(b[:])
}

// ReadRecord is the inverse of AppendJSON: an object at the top becomes a group.
// Lists, deeper objects, empty objects and numbers that a float64 does not write
// back in the same form become KindRaw, so that writing the record again yields
// the same bytes. The record shares memory with body.
func ReadRecord(body []byte) (Record, error) {
	var r Record
	s := scan.New(body)
	for name, ok := s.Object(); ok; name, ok = s.Field() {
		if s.Kind() != scan.Object || name == "" {
			r.fields = append(r.fields, readField(&s, "", name))
			continue
		}
		before, from := len(r.fields), s.Offset()
		for inner, ok := s.Object(); ok; inner, ok = s.Field() {
			r.fields = append(r.fields, readField(&s, name, inner))
		}
		if len(r.fields) == before { // a group that holds nothing is not written
			r.fields = append(r.fields, Field{Name: name, Kind: KindRaw, Raw: body[from:s.Offset()]})
		}
	}
	if err := s.End(); err != nil {
		return Record{}, fmt.Errorf("read row: %w", err)
	}
	return r, nil
}

func readField(s *scan.Scanner, group, name string) Field {
	f := Field{Group: group, Name: name}
	switch s.Kind() {
	case scan.Null:
		s.Null()
	case scan.Bool:
		f.Kind, f.Bool = KindBool, s.Bool()
	case scan.String:
		f.Kind, f.Text = KindText, s.Text()
	case scan.Number:
		f.Kind, f.Raw = KindRaw, s.Skip()
		var form [32]byte
		number := scan.New(f.Raw)
		if n := number.Float(); number.Err() == nil && bytes.Equal(scan.AppendFloat(form[:0], n), f.Raw) {
			f.Kind, f.Number, f.Raw = KindNumber, n, nil
		}
	case scan.Array, scan.Object, scan.Invalid:
		f.Kind, f.Raw = KindRaw, json.RawMessage(s.Skip())
	}
	return f
}
