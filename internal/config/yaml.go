package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds that no real file comes near. The library's time and memory grow with
// the square of the depth, to gigabytes for a file of brackets; and aliases of
// aliases can make any number of nodes.
const (
	maxFile  = 256 << 10
	maxDepth = 64
	maxNodes = 100_000
)

// reader turns YAML into nodes. goccy/go-yaml is used rather than yaml.v3
// because its syntax errors have a column and its tokens tell `"32"` from `32`.
type reader struct {
	file     *file
	mistakes *Mistakes
	filler   filler
	mask     mask
	anchors  map[string]*Node
}

// read returns the root of the file's only document; nil if it has no sound YAML.
func (r *reader) read(data []byte) *Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	r.file.lines = strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	start := place{line: 1, column: 1}
	switch {
	case len(data) > maxFile:
		r.say(start, "the file is larger than 256 KiB", "")
		return nil
	case !utf8.Valid(data):
		r.say(start, "the file is not UTF-8", "save it as UTF-8")
		return nil
	}
	if line := tooDeep(r.file.lines); line > 0 {
		r.say(place{line: line, column: 1}, "the brackets or dashes nest deeper than 64 levels", "")
		return nil
	}
	r.mask = newMask(data)
	doc, err := parse(r.mask.cover(data))
	if err != nil {
		r.syntax(err)
		return nil
	}
	var bodies []ast.Node
	for _, d := range doc.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	if len(bodies) > 1 {
		r.say(r.at(bodies[1], ""), "a second document begins", "put all into one, without ---")
		return nil
	}
	if len(bodies) == 0 {
		return &Node{file: r.file, line: 1, column: 1}
	}
	return r.convert(bodies[0], "")
}

// tooDeep returns the first line at which brackets, or dashes at a line's start,
// nest deeper than maxDepth; 0 if none do. It knows no quotes: that many brackets are
// left open in no text either.
func tooDeep(lines []string) int {
	depth := 0
	for i, line := range lines {
		lead := line[:len(line)-len(strings.TrimLeft(line, "-?: \t"))]
		dashes := len(strings.Fields(lead))
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			}
			if depth+dashes > maxDepth {
				return i + 1
			}
		}
	}
	return 0
}

// parse calls the library. A panic of it is a fault of its own on a file that
// is hardly YAML; the person who wrote that file is better served by a mistake.
func parse(data []byte) (doc *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this is not YAML")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// syntax says what the library found. Its messages hold one character of the
// file at most.
func (r *reader) syntax(err error) {
	p, message := place{line: 1, column: 1}, err.Error()
	if s, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		message = s.Message
		if s.Token != nil && s.Token.Position != nil {
			p.line, p.column = s.Token.Position.Line, s.Token.Position.Column
		}
	}
	hint := ""
	switch {
	case strings.Contains(message, "mapping value is not allowed"):
		hint = `put a text with ": " in it into quotes, and check the indentation`
	case strings.Contains(message, "reserved character"):
		hint = "put the text into quotes"
	case strings.Contains(message, `'\t'`), strings.Contains(message, "tab character"), strings.Contains(message, "'\t'"):
		message, hint = "a tab where only spaces may stand", "indent with spaces"
	case strings.Contains(message, "must be specified"):
		hint = "close the bracket, and put a text with , [ ] { } in it into quotes"
	}
	r.say(p, message, hint)
}

func (r *reader) say(p place, message, hint string) { r.mistakes.Add(p.mistake(message, hint)) }

// at is where a node of the library begins.
func (r *reader) at(n ast.Node, path string) place {
	p := place{line: 1, column: 1, path: path}
	switch x := n.(type) {
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return r.at(x.Values[0].Key, path)
		}
		if x.Start != nil && x.Start.Position != nil {
			p.line, p.column = x.Start.Position.Line, x.Start.Position.Column
			return p
		}
	case *ast.MappingValueNode:
		return r.at(x.Key, path)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.line, p.column = t.Position.Line, t.Position.Column
	}
	return p
}

// convert returns the node for n; what it can't use is a mistake and null.
func (r *reader) convert(n ast.Node, path string) *Node {
	p := r.at(n, path)
	out := &Node{file: r.file, line: p.line, column: p.column, size: 1}
	switch x := n.(type) {
	case *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		r.mapping(out, x.Values, path)
	case *ast.MappingValueNode:
		r.mapping(out, []*ast.MappingValueNode{x}, path)
	case *ast.SequenceNode:
		out.kind = sequence
		for i, v := range x.Values {
			out.add(r.convert(v, fmt.Sprintf("%s[%d]", path, i)))
		}
	case *ast.AnchorNode:
		out = r.convert(x.Value, path)
		r.anchors[x.Name.GetToken().Value] = out
	case *ast.AliasNode:
		return r.alias(x, p)
	case *ast.TagNode:
		switch x.Start.Value {
		case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
			return r.convert(x.Value, path)
		}
		r.say(p, "tags have no use here", "leave the tag out")
	case *ast.LiteralNode:
		r.scalar(out, x.Value.Value, path)
	case ast.ScalarNode:
		t := x.GetToken()
		out.plain = t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType
		r.scalar(out, t.Value, path)
	default:
		r.say(p, "this kind of YAML has no use here", "")
	}
	return out
}

// scalar fills in what ${…} stands for.
func (r *reader) scalar(out *Node, text, path string) {
	out.kind = scalar
	out.source = r.mask.uncover(text)
	var offset int
	var err error
	if out.text, offset, err = r.filler.fill(out.source); err != nil {
		out.kind = null
		failed := Node{kind: scalar, file: r.file, line: out.line, column: out.column, source: out.source, text: out.source}
		p := place{line: out.line, column: failed.columnAt(offset), path: path}
		r.say(p, err.Error(), fillHint(err))
	}
}

func (r *reader) mapping(out *Node, values []*ast.MappingValueNode, path string) {
	out.kind = mapping
	var merged []*Node
	for _, v := range values {
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			merged = append(merged, r.convert(v.Value, path))
			continue
		}
		p := r.at(v.Key, path)
		key, ok := v.Key.(ast.ScalarNode)
		if !ok {
			r.say(p, "a key is a plain word", "")
			continue
		}
		k := &Node{kind: scalar, file: r.file, line: p.line, column: p.column, text: r.mask.uncover(key.GetToken().Value)}
		child := place{path: path}.key(k.text)
		child.line, child.column = p.line, p.column
		if first := slices.IndexFunc(out.entries, func(e entry) bool { return e.key.text == k.text }); first >= 0 {
			r.say(child, fmt.Sprintf("the key is there twice, first in line %d", out.entries[first].key.line), "keep one of them")
			continue
		}
		value := r.convert(v.Value, child.path)
		out.entries = append(out.entries, entry{k, value})
		out.size += value.size
	}
	for _, m := range merged {
		r.merge(out, m, path)
	}
}

// merge takes over the entries of m, or of the mappings in the list m, that out
// has not.
func (r *reader) merge(out, m *Node, path string) {
	switch m.kind {
	case mapping:
		for _, e := range m.entries {
			if out.get(e.key.text) == nil {
				out.entries = append(out.entries, e)
				out.size += e.value.size
			}
		}
	case sequence:
		for _, item := range m.items {
			r.merge(out, item, path)
		}
	case null, scalar:
		r.say(place{line: m.line, column: m.column, path: path}, "<< takes a mapping", "write <<: *name of an anchored mapping")
	}
}

// alias returns the anchored node itself. An anchor is known only once its node
// is complete, so no node holds itself.
func (r *reader) alias(x *ast.AliasNode, p place) *Node {
	name := x.Value.GetToken().Value
	n, ok := r.anchors[name]
	switch {
	case !ok:
		r.say(p, fmt.Sprintf("there is no anchor &%s before this", name), "")
	case n.size > maxNodes:
		r.say(p, "aliases of aliases make the file too large", "")
	default:
		return n
	}
	return &Node{file: r.file, line: p.line, column: p.column, size: 1}
}

func (n *Node) add(item *Node) {
	n.items = append(n.items, item)
	n.size += item.size
}
