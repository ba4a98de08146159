package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

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
	if !ok {
		return m.orNil()
	}
	for _, e := range v.Validate() {
		at := p
		for name := range strings.SplitSeq(e.Field, ".") {
			if name != "" {
				at = at.key(name)
			}
		}
		m.once(at, e.Message, "")
	}
	return m.orNil()
}

// decoder fills Go values from nodes, strictly: unknown keys and values of
// another form are mistakes.
type decoder struct {
	mistakes  *Mistakes
	emptyText bool // a text may be empty
}

func (d *decoder) say(p place, message, hint string) { d.mistakes.once(p, message, hint) }

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
