package intake

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// kind is what the contract takes for a field.
type kind uint8

const (
	unknown kind = iota // the contract does not name it: kept as text
	words
	date
	boolean
	whole
	number
	moment
	list     // of words
	branch   // holds further fields
	branches // a list of such
)

// kindOf looks a path up in the contract, that is in events.Customer.
func kindOf(path []string) kind {
	return kindIn(reflect.TypeFor[events.Customer](), path)
}

func kindIn(t reflect.Type, path []string) kind {
	field, ok := fieldOf(t, path[0])
	if !ok {
		return unknown
	}
	rest := path[1:]
	switch value := valueOf(field.Type); {
	case value == reflect.TypeFor[time.Time]():
		return leaf(moment, rest)
	case value == reflect.TypeFor[[]events.Attribute]():
		if len(rest) == 0 {
			return branch
		}
		return leaf(words, rest[1:])
	case value == reflect.TypeFor[[]string]():
		if len(rest) == 1 && isIndex(rest[0]) {
			return words
		}
		return leaf(list, rest)
	case value.Kind() == reflect.Slice:
		if len(rest) < 2 || !isIndex(rest[0]) {
			return branches
		}
		return kindIn(value.Elem(), rest[1:])
	case value.Kind() == reflect.Struct:
		if len(rest) == 0 {
			return branch
		}
		return kindIn(value, rest)
	case value.Kind() == reflect.Bool:
		return leaf(boolean, rest)
	case value.Kind() == reflect.Int64:
		return leaf(whole, rest)
	case value.Kind() == reflect.Float64:
		return leaf(number, rest)
	case path[0] == "birth_date", path[0] == "valid_until":
		return leaf(date, rest)
	}
	return leaf(words, rest)
}

// leaf is k, unless the path goes on below what has nothing below it.
func leaf(k kind, rest []string) kind {
	if len(rest) > 0 {
		return branch
	}
	return k
}

func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == name {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// valueOf is what an Opt holds.
func valueOf(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Struct {
		return t
	}
	if f, ok := t.FieldByName("State"); ok && f.Type == reflect.TypeFor[events.State]() {
		v, _ := t.FieldByName("V")
		return v.Type
	}
	return t
}

func isIndex(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n < 1000 && strconv.Itoa(n) == s
}

// fieldNames are the paths that a header may name, for suggestions.
func fieldNames() []string {
	var names []string
	t := reflect.TypeFor[events.Customer]()
	for i := range t.NumField() {
		name := jsonName(t.Field(i))
		if value := valueOf(t.Field(i).Type); value.Kind() == reflect.Struct && value != reflect.TypeFor[time.Time]() {
			for j := range value.NumField() {
				names = append(names, name+"."+jsonName(value.Field(j)))
			}
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
