package mapping

import (
	"errors"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/events"
)

// expression is one that was compiled.
type expression struct {
	key     string // when, or map and the field
	text    string
	program *vm.Program
	shape   shape // of its value, for every customer
}

func (e *expression) failure(what string) *Error {
	return &Error{Key: e.key, Text: e.text, At: 1, What: what}
}

// needs is what a destination's expressions read of a customer.
type needs struct {
	fields     []contractField
	attributes names
	extra      names
}

// names are those read from an open object.
type names struct {
	all  bool
	some map[string]bool
}

func (n *names) none() bool           { return !n.all && len(n.some) == 0 }
func (n *names) has(name string) bool { return n.all || n.some[name] }

// evaluator runs expressions on one customer at a time.
type evaluator struct {
	machine  vm.VM
	env      map[string]any
	customer map[string]any
}

// load makes what is needed of the event visible.
func (e *evaluator) load(ev *events.Event, n *needs) {
	if e.env == nil {
		e.env, e.customer = map[string]any{}, map[string]any{}
	}
	for i := range n.fields {
		e.customer[n.fields[i].name] = n.fields[i].of(&ev.Customer)
	}
	if !n.attributes.none() {
		open := map[string]any{}
		for _, a := range ev.Customer.Attributes.V {
			if n.attributes.has(a.Name) {
				open[a.Name] = fromJSON(a.Value)
			}
		}
		e.customer[attributes] = open
	}
	if !n.extra.none() {
		open := map[string]any{}
		s := scan.New(ev.Data)
		for key, ok := s.Object(); ok; key, ok = s.Field() {
			if n.extra.has(key) {
				open[key] = read(&s)
			} else {
				s.Skip()
			}
		}
		e.customer[extra] = open
	}
	e.env[customer], e.env[shop] = e.customer, ev.Shop
}

func (e *evaluator) forget() {
	clear(e.env)
	clear(e.customer)
}

// run returns the expression's value. What the library says of a failure may
// hold values, so only the place is told.
func (e *evaluator) run(x *expression) (any, error) {
	value, err := e.machine.Run(x.program, e.env)
	if err == nil {
		return value, nil
	}
	failure := x.failure("the expression failed on this customer")
	if at, ok := errors.AsType[*file.Error](err); ok {
		failure.At = at.From + 1
	}
	if errors.Is(err, errNotCondition) {
		failure.What = errNotCondition.Error()
	}
	return nil, failure
}

// admits is run for when.
func (e *evaluator) admits(x *expression) (bool, error) {
	value, err := e.run(x)
	if err != nil {
		return false, err
	}
	admitted, ok := value.(bool)
	if !ok && value != nil {
		return false, x.failure(errNotCondition.Error())
	}
	return admitted, nil
}
