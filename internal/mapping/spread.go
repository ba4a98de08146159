package mapping

import (
	"errors"
	"strconv"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

// spreader rewrites an expression so that nil spreads instead of failing: what
// is read from nil, calculated or compared with it, or called with it is nil,
// and as a condition nil is false.
//
// An operand is bound to a name before it is tested, so that it is evaluated
// once however deep the expression is.
type spreader struct{ bound int }

var errNotCondition = errors.New("a condition is neither true nor false")

// condition is the function that makes false of nil. Its name can't be written
// in an expression.
const condition = "condition?"

func conditionFunction() expr.Option {
	return expr.Function(condition, func(args ...any) (any, error) {
		switch b := args[0].(type) {
		case nil:
			return false, nil
		case bool:
			return b, nil
		}
		return nil, errNotCondition
	}, new(func(any) bool))
}

// Visit is called for children before their parents.
func (s *spreader) Visit(node *ast.Node) {
	switch x := (*node).(type) {
	case *ast.MemberNode:
		s.member(node, x)
	case *ast.SliceNode:
		s.guard(node, &x.Node)
	case *ast.UnaryNode:
		if x.Operator == "!" || x.Operator == "not" {
			x.Node = asCondition(x.Node)
		} else {
			s.guard(node, &x.Node)
		}
	case *ast.BinaryNode:
		switch x.Operator {
		case "and", "&&", "or", "||":
			x.Left, x.Right = asCondition(x.Left), asCondition(x.Right)
		case "==", "!=", "in", "??":
		default:
			s.guard(node, &x.Left, &x.Right)
		}
	case *ast.ConditionalNode:
		x.Cond = asCondition(x.Cond)
	case *ast.BuiltinNode:
		s.builtin(node, x)
	case *ast.CallNode:
		s.call(node, x)
	}
}

// member makes x.name into x?.name, and x[i] into get(x, i), which knows no
// index out of range.
func (s *spreader) member(node *ast.Node, x *ast.MemberNode) {
	if x.Method {
		return // the call around it deals with it
	}
	if _, named := x.Property.(*ast.StringNode); named {
		x.Optional = true
		replace(node, &ast.ChainNode{Node: x})
		return
	}
	get := &ast.BuiltinNode{Name: "get", Arguments: []ast.Node{x.Node, x.Property}}
	replace(node, get)
	s.guard(node, &get.Arguments[0], &get.Arguments[1])
}

func (s *spreader) builtin(node *ast.Node, x *ast.BuiltinNode) {
	switch x.Name {
	case "type", "toJSON":
		return // they have a word for nil
	case "all", "none", "any", "one", "filter", "find", "findIndex", "findLast", "findLastIndex", "count":
		for _, a := range x.Arguments {
			if p, ok := a.(*ast.PredicateNode); ok {
				p.Node = asCondition(p.Node)
			}
		}
	}
	operands := make([]*ast.Node, len(x.Arguments))
	for i := range x.Arguments {
		operands[i] = &x.Arguments[i]
	}
	s.guard(node, operands...)
}

// call guards what a method is called on; functions are ours and take no nil.
func (s *spreader) call(node *ast.Node, x *ast.CallNode) {
	if m, ok := x.Callee.(*ast.MemberNode); ok {
		s.guard(node, &m.Node)
	}
}

// guard puts the test of its operands around a node.
func (s *spreader) guard(node *ast.Node, operands ...*ast.Node) {
	type binding struct {
		name  string
		value ast.Node
	}
	var bindings []binding
	for _, operand := range operands {
		switch (*operand).(type) {
		case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.BoolNode, *ast.ConstantNode,
			*ast.PredicateNode, *ast.NilNode, *ast.ArrayNode, *ast.MapNode:
			continue // never nil, or no value
		}
		s.bound++
		b := binding{"value?" + strconv.Itoa(s.bound), *operand}
		*operand = located(&ast.IdentifierNode{Value: b.name}, b.value)
		bindings = append(bindings, b)
	}
	out := *node
	for i := len(bindings) - 1; i >= 0; i-- {
		b := bindings[i]
		isNil := located(&ast.BinaryNode{
			Operator: "==",
			Left:     located(&ast.IdentifierNode{Value: b.name}, b.value),
			Right:    located(&ast.NilNode{}, b.value),
		}, b.value)
		out = located(&ast.VariableDeclaratorNode{
			Name:  b.name,
			Value: b.value,
			Expr:  located(&ast.ConditionalNode{Cond: isNil, Exp1: located(&ast.NilNode{}, b.value), Exp2: out}, out),
		}, out)
	}
	*node = out
}

// asCondition is the node as true or false.
func asCondition(n ast.Node) ast.Node {
	switch x := n.(type) {
	case *ast.BoolNode:
		return n
	case *ast.BinaryNode:
		switch x.Operator {
		case "==", "!=", "in", "and", "&&", "or", "||":
			return n
		}
	}
	callee := located(&ast.IdentifierNode{Value: condition}, n)
	return located(&ast.CallNode{Callee: callee, Arguments: []ast.Node{n}}, n)
}

// located gives a new node the place of the one that it stands for, so that a
// failure is told where the person wrote it.
func located(n ast.Node, as ast.Node) ast.Node {
	n.SetLocation(as.Location())
	return n
}

func replace(node *ast.Node, by ast.Node) { *node = located(by, *node) }
