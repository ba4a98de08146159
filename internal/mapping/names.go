package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/custsync/custsync/internal/config/suggest"
)

// namer looks at every name that is read from customer: it says which are
// unknown, notes which are needed, and lets customer["x"] stand for
// customer.extra.x where x is not of the contract.
type namer struct {
	source   []rune
	fields   []contractField
	keys     []string
	problems []Problem

	// How often customer, or one of its open objects, is a value of its own or is
	// read by a name that is calculated; and which names are read from them.
	whole map[string]int
	some  map[string]map[string]bool
}

// Visit is called for children before their parents.
func (n *namer) Visit(node *ast.Node) {
	switch x := (*node).(type) {
	case *ast.IdentifierNode:
		if x.Value == "$env" {
			n.say(x, "$env has no use here", "write customer or shop")
		}
		if x.Value == "customer" {
			n.count(customer, 1) // until the member around it says otherwise
		}
	case *ast.MemberNode:
		n.member(x)
	}
}

func (n *namer) member(x *ast.MemberNode) {
	name, fixed := x.Property.(*ast.StringNode)
	of, ok := parent(x)
	if !ok || !fixed {
		return
	}
	switch of {
	case customer:
		n.field(x, name)
	case attributes, extra:
		n.read(of, name.Value)
	default:
		n.part(of, name)
	}
}

// parent says what a member is read from: customer itself, or the field of
// customer by its name.
func parent(x *ast.MemberNode) (string, bool) {
	switch base := plain(x.Node).(type) {
	case *ast.IdentifierNode:
		return customer, base.Value == customer
	case *ast.MemberNode:
		root, ok := plain(base.Node).(*ast.IdentifierNode)
		name, fixed := base.Property.(*ast.StringNode)
		if ok && fixed && root.Value == customer {
			return name.Value, true
		}
	}
	return "", false
}

// plain is the node without the chain that ?. puts around it.
func plain(n ast.Node) ast.Node {
	if c, ok := n.(*ast.ChainNode); ok {
		return c.Node
	}
	return n
}

// read notes that a name is read from an object, and from nothing else of it.
func (n *namer) read(of, name string) {
	n.count(of, -1)
	if n.some == nil {
		n.some = map[string]map[string]bool{}
	}
	if n.some[of] == nil {
		n.some[of] = map[string]bool{}
	}
	n.some[of][name] = true
}

func (n *namer) count(of string, by int) {
	if n.whole == nil {
		n.whole = map[string]int{}
	}
	n.whole[of] += by
}

// note adds what was read to what a destination needs.
func (n *namer) note(all *needs) {
	whole := n.whole[customer] > 0
	for _, f := range n.fields {
		there := slices.ContainsFunc(all.fields, func(old contractField) bool { return old.name == f.name })
		if !there && (whole || n.some[customer][f.name]) {
			all.fields = append(all.fields, f)
		}
	}
	for of, open := range map[string]*names{attributes: &all.attributes, extra: &all.extra} {
		open.all = open.all || whole || n.whole[of] > 0
		for name := range n.some[of] {
			if open.some == nil {
				open.some = map[string]bool{}
			}
			open.some[name] = true
		}
	}
}

// field is customer.name or customer["name"].
func (n *namer) field(x *ast.MemberNode, name *ast.StringNode) {
	n.read(customer, name.Value)
	if name.Value == attributes || name.Value == extra {
		n.count(name.Value, 1) // until the member around it says otherwise
		return
	}
	var known []string
	for _, f := range n.fields {
		if f.name == name.Value {
			return
		}
		known = append(known, f.name)
	}
	if n.quoted(name) {
		n.count(extra, 1)
		n.read(extra, name.Value)
		outer := &ast.MemberNode{Node: x.Node, Property: &ast.StringNode{Value: extra}}
		outer.SetLocation(x.Location())
		x.Node = outer
		return
	}
	hint := suggest.Hint(name.Value, append(known, attributes, extra))
	if !strings.HasPrefix(hint, "did you mean") {
		hint = `write customer.attributes.` + name.Value + ` for one of the shop's own fields, customer["` + name.Value + `"] for one beside the contract`
	}
	n.say(name, "customer has no field "+name.Value, hint)
}

// part is customer.of.name, of being one of the contract.
func (n *namer) part(of string, name *ast.StringNode) {
	for _, f := range n.fields {
		parts, ok := f.kind.(types.Map)
		if f.name != of || !ok {
			continue
		}
		if _, ok := parts[name.Value]; !ok {
			known := slices.Sorted(maps.Keys(parts))
			n.say(name, "customer."+of+" has no field "+name.Value, suggest.Hint(name.Value, known))
		}
	}
}

// quoted reports whether the name stands in quotes in the source, which is the
// only difference between customer["x"] and customer.x.
func (n *namer) quoted(name *ast.StringNode) bool {
	at := name.Location().From
	return at < len(n.source) && strings.ContainsRune("\"'`", n.source[at])
}

func (n *namer) say(at ast.Node, message, hint string) {
	n.problems = append(n.problems, Problem{Keys: n.keys, Offset: at.Location().From, Message: message, Hint: hint})
}
