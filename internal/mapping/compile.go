package mapping

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"

	"github.com/custsync/custsync/internal/config/suggest"
	"github.com/custsync/custsync/pkg/sinks"
)

// compiler compiles a destination's expressions and notes what they need.
//
// Each is compiled twice: against the contract's types, which finds the
// mistakes, and then for running, rewritten so that nil spreads, where no types
// are known. The first program is thrown away.
type compiler struct {
	needs *needs
}

// compile returns the expression, or what is wrong with it.
func (c *compiler) compile(text string, condition bool, keys ...string) (*expression, []Problem) {
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, []Problem{problem(err, keys)}
	}
	fields := contract()
	rename := func() *namer { return &namer{source: []rune(text), fields: fields, keys: keys} }
	names := rename()
	ast.Walk(&tree.Node, names)
	if len(names.problems) > 0 {
		return nil, names.problems
	}
	typed := []expr.Option{expr.Env(environment(fields)), expr.Patch(rename()), clearFunction()}
	if condition {
		typed = append(typed, expr.AsBool())
	}
	checked, err := expr.Compile(text, append(typed, expr.Optimize(false))...)
	if err != nil {
		return nil, []Problem{problem(err, keys)}
	}
	untyped := types.Map{customer: types.Any, shop: types.Any}
	program, err := expr.Compile(text, expr.Env(untyped), expr.Patch(rename()), expr.Patch(&spreader{}),
		clearFunction(), conditionFunction())
	if err != nil {
		return nil, []Problem{problem(err, keys)}
	}
	names.note(c.needs)
	return &expression{key: strings.Join(keys, "."), text: text, program: program, shape: shapeOf(checked.Node())}, nil
}

// fit returns what the field of that name takes, and what is wrong with setting it
// to the expression's value; the expression may be nil.
func fit(schema *sinks.Schema, name string, value *expression) (sinks.Form, []Problem) {
	keys := []string{"map", name}
	form := schema.Form(name)
	if form == sinks.NoField {
		return form, []Problem{{Keys: keys, AtKey: true, Message: "is no field that can be mapped", Hint: nearest(schema, name)}}
	}
	if value == nil {
		return form, nil
	}
	if want := misfit(form, value.shape); want != "" {
		return form, []Problem{{Keys: keys, Message: want + ", and this is " + value.shape.what() + " for every customer"}}
	}
	return form, nil
}

// nearest says which field was probably meant, also in an object whose names are open.
func nearest(schema *sinks.Schema, name string) string {
	names := schema.Names()
	known := names
	if _, inner, nested := strings.Cut(name, "."); nested {
		for _, group := range schema.Open {
			known = append(known, group+"."+inner)
		}
	}
	if hint := suggest.Hint(name, known); strings.HasPrefix(hint, "did you mean") {
		return hint
	}
	return "known here: " + strings.Join(names, ", ")
}

// environment is what expressions see, with types.
func environment(fields []contractField) types.Map {
	parts := types.Map{
		attributes: types.Map{types.Extra: types.Any},
		extra:      types.Map{types.Extra: types.Any},
	}
	for _, f := range fields {
		parts[f.name] = f.kind
	}
	return types.Map{customer: parts, shop: types.String}
}

// clearFunction is clear().
func clearFunction() expr.Option {
	return expr.Function("clear", func(...any) (any, error) { return cleared{}, nil }, new(func() any))
}

// problem turns what the library says into ours.
func problem(err error, keys []string) Problem {
	p, message := Problem{Keys: keys}, err.Error()
	if at, ok := errors.AsType[*file.Error](err); ok {
		p.Offset, message = at.From, at.Message
	}
	p.Message = "is no expression: " + message
	switch {
	case strings.HasPrefix(message, "unknown name"):
		p.Hint = `write customer. before a field's name, and a text in quotes`
	case strings.HasPrefix(message, "expected bool"):
		p.Message = "is no condition: " + message
		p.Hint = "write a condition, such as customer.vip == true"
	}
	return p
}
