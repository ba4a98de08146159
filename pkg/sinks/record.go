package sinks

import (
	"encoding/json"
	"slices"
	"strings"
)

// Record is a row before it is encoded: the provider's fields in the order in
// which they are sent. It is reused from row to row; the zero value is empty.
type Record struct {
	fields []Field
	apart  string // a field's name
}

// Field is one field of a Record. Group is the name of the object that holds
// it, empty at the top. Exactly one of the value forms counts, by Kind.
type Field struct {
	Group, Name string
	Kind        Kind
	Text        string          // KindText
	Number      float64         // KindNumber
	Bool        bool            // KindBool
	Raw         json.RawMessage // KindRaw: valid JSON, for lists and what else the forms above lack
}

// Kind is the form of a field's value.
type Kind uint8

const (
	KindNull Kind = iota // clear the field at the provider
	KindText
	KindNumber
	KindBool
	KindRaw
)

// Reset empties the record for the next row.
func (r *Record) Reset() { clear(r.fields); r.fields, r.apart = r.fields[:0], "" }

// Fields returns the fields in order. They are the record's own.
func (r *Record) Fields() []Field { return r.fields }

// Get returns the field, or nil.
func (r *Record) Get(group, name string) *Field {
	for i := range r.fields {
		if r.fields[i].Name == name && r.fields[i].Group == group {
			return &r.fields[i]
		}
	}
	return nil
}

// Set adds the field or replaces the one of that group and name. Fields of one
// group are kept together.
func (r *Record) Set(f Field) {
	if old := r.Get(f.Group, f.Name); old != nil {
		*old = f
		return
	}
	r.fields = append(r.fields, f)
	if f.Group == "" {
		return
	}
	for i := len(r.fields) - 2; i >= 0; i-- {
		if r.fields[i].Group == f.Group {
			copy(r.fields[i+2:], r.fields[i+1:])
			r.fields[i+1] = f
			return
		}
	}
}

// Remove takes out the fields that match.
func (r *Record) Remove(match func(Field) bool) { r.fields = slices.DeleteFunc(r.fields, match) }

// Text sets a text field at the top.
func (r *Record) Text(name, value string) { r.Set(Field{Name: name, Kind: KindText, Text: value}) }

// Null marks a field at the top to be cleared.
func (r *Record) Null(name string) { r.Set(Field{Name: name}) }

// Apart names the text field at the top whose value two rows of one batch can't
// have in common, such as a mail address that is the provider's key.
func (r *Record) Apart(name string) { r.apart = name }

// ApartKey returns the value of the field that Apart named, as it is now, in lower
// case and without the space around it; empty if there is none.
func (r *Record) ApartKey() string {
	if f := r.Get("", r.apart); f != nil {
		return strings.ToLower(strings.TrimSpace(f.Text))
	}
	return ""
}
