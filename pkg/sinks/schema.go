package sinks

import (
	"slices"
	"strings"
)

// Schema is what a destination's map may set at a provider: the fields that its
// document names, and none beside them. A field in an object is group.field.
type Schema struct {
	Fields  []string // of one value: a text, a number, or true or false
	Lists   []string // those of Fields, or Open, that take a list of values too
	Objects []string // lists of objects
	Open    []string // objects whose fields have any name
}

// Form is what a field takes as its value.
type Form uint8

const (
	NoField Form = iota // there is no such field
	Value               // one value
	Values              // one value or a list of them
	Object              // an object of values: a group as a whole
	Objects             // a list of objects
)

// Form returns what the field of that name takes.
func (s *Schema) Form(name string) Form {
	if slices.Contains(s.Objects, name) {
		return Objects
	}
	group, _, nested := strings.Cut(name, ".")
	known := name
	if nested && slices.Contains(s.Open, group) {
		known = group + ".*"
	} else if !slices.Contains(s.Fields, name) {
		inside := func(field string) bool { return strings.HasPrefix(field, name+".") }
		if slices.Contains(s.Open, name) || slices.ContainsFunc(s.Fields, inside) {
			return Object
		}
		return NoField
	}
	if slices.Contains(s.Lists, known) {
		return Values
	}
	return Value
}

// Names returns the names of all fields; group.* stands for those of an open object.
func (s *Schema) Names() []string {
	names := slices.Concat(s.Fields, s.Objects)
	for _, group := range s.Open {
		names = append(names, group+".*")
	}
	return names
}
