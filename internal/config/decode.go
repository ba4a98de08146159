package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/config/suggest"
	"github.com/custsync/custsync/pkg/sinks"
)

// DecodeOptions reads a piece of the file into the struct that target points
// to, by its yaml tags, and calls the struct's Validate() []sinks.FieldError if
// it has one. The fields keep their values where the file says nothing; a nil
// node says nothing at all. The error is *Mistakes with all that is wrong.
func DecodeOptions(n *Node, target any) error {
	m := &Mistakes{}
	p := place{}
	if n != nil {
		m.File = n.file.name
		p = place{node: n, line: n.line, column: n.column, path: n.path}
		d := decoder{mistakes: m, emptyText: true}
		d.structureOf(p, target)
	}
	v, ok := target.(interface{ Validate() []sinks.FieldError })
	if !ok || len(m.List) > 0 {
		return m.orNil()
	}
	for _, e := range v.Validate() {
		at := p
		for name := range strings.SplitSeq(e.Field, ".") {
			if name != "" {
				at = at.key(name)
			}
		}
		m.Add(at.mistake(e.Message, ""))
	}
	return m.orNil()
}

// decoder fills Go values from nodes, strictly: unknown keys and values of
// another form are mistakes.
type decoder struct {
	mistakes  *Mistakes
	emptyText bool // a text may be empty
}

func (d *decoder) say(p place, message, hint string) { d.mistakes.Add(p.mistake(message, hint)) }

// structureOf fills the struct that target points to.
func (d *decoder) structureOf(p place, target any) { d.value(p, reflect.ValueOf(target).Elem()) }

// value fills v from what stands at p. Null leaves v as it is.
func (d *decoder) value(p place, v reflect.Value) {
	if !p.present() {
		return
	}
	if n, ok := v.Addr().Interface().(**Node); ok {
		taken := *p.node
		taken.path = p.path
		*n = &taken
		return
	}
	if hasText(v) {
		d.scalar(p, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		d.value(p, fresh.Elem())
		v.Set(fresh)
	case reflect.Struct:
		d.structure(p, v)
	case reflect.Map:
		d.mapping(p, v)
	case reflect.Slice:
		d.list(p, v)
	case reflect.Interface:
		v.Set(reflect.ValueOf(p.node.any()))
	default:
		d.scalar(p, v)
	}
}

// structure fills a struct by its yaml tags.
func (d *decoder) structure(p place, v reflect.Value) {
	if !d.is(p, mapping) {
		return
	}
	if x, ok := v.Addr().Interface().(interface{ setDefaults() }); ok {
		x.setDefaults()
	}
	fields := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			fields[name] = v.Field(i)
			names = append(names, name)
		}
	}
	for _, e := range p.node.entries {
		child := p.key(e.key.text)
		field, ok := fields[e.key.text]
		if !ok {
			child.line, child.column = e.key.line, e.key.column
			d.say(child, "unknown key", suggest.Hint(e.key.text, names))
			continue
		}
		d.value(child, field)
	}
}

func (d *decoder) mapping(p place, v reflect.Value) {
	if !d.is(p, mapping) {
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, e := range p.node.entries {
		child := p.key(e.key.text)
		item := reflect.New(v.Type().Elem()).Elem()
		if !child.present() && item.Kind() != reflect.Interface && item.Kind() != reflect.Pointer {
			d.say(child, "has no value", "write one, or leave the key out")
			continue
		}
		d.value(child, item)
		out.SetMapIndex(reflect.ValueOf(e.key.text).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

func (d *decoder) list(p place, v reflect.Value) {
	if !d.is(p, sequence) {
		return
	}
	out := reflect.MakeSlice(v.Type(), len(p.node.items), len(p.node.items))
	for i := range p.node.items {
		child := p.item(i)
		if !child.present() {
			d.say(child, "has no value", "write one, or leave the line out")
			continue
		}
		d.value(child, out.Index(i))
	}
	v.Set(out)
}

// is reports whether the node is of the kind, and says so if not.
func (d *decoder) is(p place, want kind) bool {
	if p.node.kind == want {
		return true
	}
	hint := "write " + want.what()
	if want == sequence {
		hint = "write [one, two], or a line with - for each"
	}
	d.say(p, fmt.Sprintf("is %s, not %s", p.node.kind.what(), want.what()), hint)
	return false
}

// scalar fills a single value.
func (d *decoder) scalar(p place, v reflect.Value) {
	if !d.is(p, scalar) {
		return
	}
	text := p.node.text
	if v.Kind() == reflect.String && !hasText(v) {
		if text == "" && !d.emptyText {
			d.say(p, "is empty", "write a value, or leave the key out")
			return
		}
		v.SetString(text)
		return
	}
	if err := setScalar(v, text); err != nil {
		d.say(p, fmt.Sprintf("%s is %v", p.node.quote(), err), "write "+example(v))
	}
}

// quote repeats a value as it is written in the file: what the environment and
// files hold is never repeated.
func (n *Node) quote() string {
	if len(n.source) > 60 {
		return "this"
	}
	return strconv.Quote(n.source)
}

func hasText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// setScalar reads text into v by v's type.
func setScalar(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("not a duration")
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("neither true nor false")
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("not a whole number in range")
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("not a whole number in range")
		}
		v.SetUint(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return fmt.Errorf("not a number")
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("not readable as a %s", v.Type())
	}
	return nil
}

// example says how a value of v's type is written.
func example(v reflect.Value) string {
	switch v.Interface().(type) {
	case time.Duration:
		return "a number with its unit, such as 500ms, 2m or 24h"
	case Size:
		return "a number of bytes, or one with its unit, such as 512KiB or 1MiB"
	case Sync:
		return "always, or a duration such as 2s"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number such as 0.5"
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
		return "a whole number"
	}
	return "another value"
}

// any is the node as plain Go values, its scalars typed as YAML has them.
func (n *Node) any() any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key.text] = e.value.any()
		}
		return out
	case sequence:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, item.any())
		}
		return out
	case scalar:
		if !n.plain || n.text != n.source {
			return n.text
		}
		if n.text == "true" || n.text == "false" {
			return n.text == "true"
		}
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(n.text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
		return n.text
	case null:
	}
	return nil
}

// keys of a mapping, sorted.
func (n *Node) keys() []string {
	var out []string
	for _, e := range n.entries {
		out = append(out, e.key.text)
	}
	slices.Sort(out)
	return out
}
