package mapping

import (
	"reflect"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/custsync/custsync/pkg/sinks"
)

// shape is what a value is made of, as far as a provider's fields differ by it.
type shape uint8

const (
	unknown shape = iota // known only when a customer is there; also nil and clear()
	aValue               // a text, a number, true or false, a time
	aList
	anObject
)

// shapeOf is what an expression yields for every customer.
func shapeOf(n ast.Node) shape {
	t := n.Type()
	if t == nil {
		return unknown
	}
	if t == reflect.TypeFor[time.Time]() {
		return aValue
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return aValue
	case reflect.Slice, reflect.Array:
		return aList
	case reflect.Map, reflect.Struct:
		return anObject
	}
	return unknown
}

// shapeIn is what the expression yielded for a customer.
func shapeIn(f *sinks.Field) shape {
	switch {
	case f.Kind == sinks.KindNull:
		return unknown
	case f.Kind != sinks.KindRaw:
		return aValue
	case f.Raw[0] == '[':
		return aList
	case f.Raw[0] == '{':
		return anObject
	}
	return aValue // a number of more digits than a float64 has
}

// misfit says what a field wants instead of a value of that shape; empty if it
// takes it.
func misfit(form sinks.Form, s shape) string {
	switch {
	case s == unknown:
	case form == sinks.Value && s != aValue:
		return "must be a text, a number, or true or false"
	case form == sinks.Values && s == anObject:
		return "must be a text, a number, true or false, or a list of them"
	case form == sinks.Object && s != anObject:
		return "must be an object"
	case form == sinks.Objects && s != aList:
		return "must be a list of objects"
	}
	return ""
}

// what names a shape as people do.
func (s shape) what() string {
	switch s {
	case aList:
		return "a list"
	case anObject:
		return "an object"
	case aValue, unknown:
	}
	return "a single value"
}
