// Package mapping makes a destination's rows: the provider's default mapping,
// then the destination's own expressions (expr-lang).
//
// An expression sees customer, with every field of the contract by its name, and
// shop. customer.attributes.x is the shop's own field x; customer.extra.x, or
// customer["x"], is a field x beside the contract's. A mistake in a name or a
// type is found by Compile.
//
// A field that is absent or null is nil, and nil spreads: whatever is read from
// nil, calculated, compared by < or > or called with it, is nil too. As a
// condition nil counts as false. So customer.total_spent > 100 does not admit a
// customer of whom nothing is known, and fails on none.
//
// The value of a mapped field: nil leaves the provider's value alone, also where
// the default mapping would have sent one; clear() clears it. A key is the
// provider's name of the field, with one dot for a field in an object:
// custom_fields.ltv. Compile refuses names that the provider's Schema doesn't have,
// and expressions that yield a list or an object where the field takes none; where
// only a customer shows that, its row has the error.
//
// Promise: a failure on one customer is a *Error with the expression in it, and
// never the customer's data.
package mapping

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
)

// Rules are a destination's own. The zero Rules let every customer through and
// change nothing.
type Rules struct {
	Shops []string          // the shops let through; none: all
	When  string            // the expression that lets a customer through; empty: all
	Map   map[string]string // the provider's field to the expression of its value

	Schema *sinks.Schema // the fields that Map may set, and what they take; nil: any
}

// Problem is a mistake in an expression.
type Problem struct {
	Keys    []string // of the expression: when, or map and the field
	AtKey   bool     // the field's name is meant, and not the expression
	Offset  int      // of the character in the expression, from 0
	Message string
	Hint    string // what to write instead; may be empty
}

// Error says that an expression failed on a customer. It names neither the
// customer nor any value.
type Error struct {
	Key  string // when, or map and the field
	Text string // the expression
	At   int    // the character where it failed, from 1
	What string // what failed; without values
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s at character %d of %s", e.Key, e.What, e.At, e.Text)
}

// Renderer makes one destination's rows. It may be used by several goroutines
// at once.
type Renderer struct {
	mapper sinks.Mapper
	shops  map[string]bool // empty: all
	when   *expression     // nil: all
	fields []field
	needs  needs
	pool   sync.Pool // of *state
}

var _ pipeline.Renderer = (*Renderer)(nil)

// field is one line of map.
type field struct {
	group, name string
	form        sinks.Form // NoField: anything goes
	value       *expression
}

func (f *field) key() string {
	if f.group == "" {
		return f.name
	}
	return f.group + "." + f.name
}

// state is what one Render works with.
type state struct {
	record    sinks.Record
	buffer    []byte
	evaluator evaluator
}

// Compile returns the renderer of rules, or all that is wrong with them.
func Compile(mapper sinks.Mapper, rules Rules) (*Renderer, []Problem) {
	r := &Renderer{mapper: mapper, shops: map[string]bool{}}
	r.pool.New = func() any { return &state{} }
	for _, shop := range rules.Shops {
		r.shops[shop] = true
	}
	var problems []Problem
	c := compiler{needs: &r.needs}
	if rules.When != "" {
		var wrong []Problem
		r.when, wrong = c.compile(rules.When, true, "when")
		problems = append(problems, wrong...)
	}
	for _, key := range slices.Sorted(maps.Keys(rules.Map)) {
		value, wrong := c.compile(rules.Map[key], false, "map", key)
		f := field{name: key, value: value}
		if rules.Schema != nil {
			var misfits []Problem
			f.form, misfits = fit(rules.Schema, key, value)
			wrong = append(wrong, misfits...)
		}
		problems = append(problems, wrong...)
		if group, name, nested := strings.Cut(key, "."); nested {
			f.group, f.name = group, name
			if _, whole := rules.Map[group]; whole {
				problems = append(problems, Problem{Keys: []string{"map", key}, AtKey: true,
					Message: "is a part of " + group + ", which is mapped as a whole", Hint: "map either the whole or its parts"})
			}
		}
		r.fields = append(r.fields, f)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return r, nil
}

// Render makes the row of an event. A deletion has no row, and no when could be
// judged by it: it is let through wherever its shop is.
func (r *Renderer) Render(ev *events.Event) (pipeline.Rendered, error) {
	if len(r.shops) > 0 && !r.shops[ev.Shop] {
		return pipeline.Rendered{}, nil
	}
	if ev.Type == events.Deleted {
		return pipeline.Rendered{Admitted: true}, nil
	}
	s := r.pool.Get().(*state)
	defer r.pool.Put(s)
	defer s.forget()

	out := pipeline.Rendered{Admitted: true}
	if r.when != nil || len(r.fields) > 0 {
		s.evaluator.load(ev, &r.needs)
	}
	if r.when != nil {
		var err error
		if out.Admitted, err = s.evaluator.admits(r.when); err != nil {
			return pipeline.Rendered{}, err
		}
	}
	r.mapper.Map(ev, &s.record)
	var misfits []sinks.FieldError
	for i := range r.fields {
		what, err := s.apply(&r.fields[i])
		if err != nil {
			return pipeline.Rendered{}, err
		}
		if what != "" {
			misfits = append(misfits, sinks.FieldError{Field: r.fields[i].key(), Message: what})
		}
	}
	if out.Errors = misfits; misfits == nil {
		out.Errors = r.mapper.Check(&s.record)
	}
	s.buffer = s.record.AppendJSON(s.buffer[:0])
	out.Body = bytes.Clone(s.buffer)
	out.Hash = sinks.Hash(out.Body)
	out.Apart = s.record.ApartKey()
	return out, nil
}

// apply puts the value of a mapped field into the record, and says what the field
// wants instead where it takes no such value.
func (s *state) apply(f *field) (misfits string, err error) {
	value, err := s.evaluator.run(f.value)
	if err != nil {
		return "", err
	}
	set, ok := toField(value)
	if !ok {
		return "", f.value.failure("the value is no JSON")
	}
	if f.group == "" && s.hasGroup(f.name) {
		s.record.Remove(func(old sinks.Field) bool { return old.Group == f.name })
	}
	if value == nil {
		s.record.Remove(func(old sinks.Field) bool { return old.Group == f.group && old.Name == f.name })
		return "", nil
	}
	set.Group, set.Name = f.group, f.name
	s.record.Set(set)
	return misfit(f.form, shapeIn(&set)), nil
}

func (s *state) hasGroup(name string) bool {
	return slices.ContainsFunc(s.record.Fields(), func(f sinks.Field) bool { return f.Group == name })
}

// forget empties the state, so that the pool keeps no customer alive.
func (s *state) forget() {
	s.record.Reset()
	s.evaluator.forget()
}
