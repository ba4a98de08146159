package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Node is a piece of the file with its place, its ${…} filled in. It is what
// the YAML library's syntax tree is turned into, so that the rest of the package
// knows neither that library nor aliases, merge keys and tags.
type Node struct {
	kind         kind
	file         *file
	line, column int    // of the node's first character
	path         string // set on what is handed out to be read later

	text    string // scalar: its value, filled in
	source  string // scalar: its value as written, safe to repeat
	plain   bool   // scalar: neither quoted nor a block, so that it may be a number
	entries []entry
	items   []*Node
	size    int // nodes below and including this one, aliases followed
}

type kind uint8

const (
	null kind = iota
	scalar
	mapping
	sequence
)

// what names a kind as people do.
func (k kind) what() string {
	switch k {
	case scalar:
		return "a single value"
	case mapping:
		return "a mapping (key: value)"
	case sequence:
		return "a list"
	case null:
	}
	return "nothing"
}

type entry struct {
	key   *Node
	value *Node
}

// file is what all nodes of one file share.
type file struct {
	name  string
	lines []string // as written
}

// clamp keeps places inside the file, whatever the YAML library made of it.
func (f *file) clamp(m *Mistakes) {
	for i := range m.List {
		x := &m.List[i]
		x.Line = min(max(x.Line, 1), max(len(f.lines), 1))
		width := 0
		if len(f.lines) > 0 {
			width = utf8.RuneCountInString(f.lines[x.Line-1])
		}
		x.Column = min(max(x.Column, 1), width+1)
	}
}

// String is the node's path: what it holds may be secret.
func (n *Node) String() string { return n.path }

// GoString is String, for %#v.
func (n *Node) GoString() string { return n.path }

// get returns the value at key, or nil.
func (n *Node) get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key.text == key {
			return e.value
		}
	}
	return nil
}

// column of the character at that offset in a scalar's text: exact where the
// text stands in the file as it is, else where the scalar begins.
func (n *Node) columnAt(offset int) int {
	if offset <= 0 || n.kind != scalar || n.line > len(n.file.lines) {
		return n.column
	}
	line := n.file.lines[n.line-1]
	for range n.column - 1 {
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
	}
	column := n.column
	if rest := strings.TrimLeft(line, `"'`); len(rest) == len(line)-1 {
		line, column = rest, column+1
	}
	if !strings.HasPrefix(line, n.source) || n.source != n.text || offset > utf8.RuneCountInString(n.source) {
		return n.column
	}
	return column + offset
}

// place is a spot in the file that may be empty: where a key would stand.
type place struct {
	node         *Node // nil: there is nothing
	line, column int
	path         string
}

func (p place) key(name string) place {
	next := place{line: p.line, column: p.column, path: name}
	if p.path != "" {
		next.path = p.path + "." + name
	}
	if n := p.node.get(name); n != nil {
		next.node, next.line, next.column = n, n.line, n.column
	}
	return next
}

func (p place) item(i int) place {
	next := place{line: p.line, column: p.column, path: p.path + "[" + strconv.Itoa(i) + "]"}
	if p.node != nil && i < len(p.node.items) {
		n := p.node.items[i]
		next.node, next.line, next.column = n, n.line, n.column
	}
	return next
}

// present reports whether something other than null stands there.
func (p place) present() bool { return p.node != nil && p.node.kind != null }

func (p place) mistake(message, hint string) Mistake {
	return Mistake{Line: max(p.line, 1), Column: max(p.column, 1), Path: p.path, Message: message, Hint: hint}
}
