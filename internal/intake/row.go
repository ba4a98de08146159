package intake

import (
	"errors"
	"fmt"
	"strings"

	"github.com/custsync/custsync/internal/scan"
)

// node is a place in the customer that columns fill.
type node struct {
	name   string
	kind   kind
	column int // -1: it holds others
	below  []*node
	list   bool // what is below are elements
}

func (n *node) add(path []string, column int, k kind) error {
	if n.column >= 0 {
		return errors.New("a value can't hold fields of its own")
	}
	name := path[0]
	if n.name != "" && isIndex(name) && k != unknown && !n.free() {
		n.list = true
	}
	for _, b := range n.below {
		if b.name == name {
			if len(path) == 1 {
				return errors.New("it is given twice")
			}
			return b.add(path[1:], column, k)
		}
	}
	b := &node{name: name, column: -1}
	n.below = append(n.below, b)
	if len(path) == 1 {
		b.column, b.kind = column, k
		return nil
	}
	return b.add(path[1:], column, k)
}

// free holds names of the shop's own, even if they look like numbers.
func (n *node) free() bool { return n.name == "attributes" }

// customer makes a bare customer of a row. An empty cell is absent.
func (s *shape) customer(cells []string) (doc []byte, shop string, err error) {
	for _, extra := range cells[min(len(cells), len(s.paths)):] {
		if strings.TrimSpace(extra) != "" {
			return nil, "", fmt.Errorf("has %d cells, the header has %d: is a quote missing?", len(cells), len(s.paths))
		}
	}
	if len(cells) < len(s.paths) {
		return nil, "", fmt.Errorf("has %d cells, the header has %d: is the line cut?", len(cells), len(s.paths))
	}
	if s.shop >= 0 {
		shop = strings.TrimSpace(cells[s.shop])
	}
	size := 64
	for _, c := range cells {
		size += len(c) + 16
	}
	b, some, err := s.write(make([]byte, 0, size), s.root, cells)
	if err != nil {
		return nil, shop, err
	}
	if !some {
		b = append(b, "{}"...)
	}
	return b, shop, nil
}

// write appends what a node makes of a row, and reports whether that is anything.
func (s *shape) write(b []byte, n *node, cells []string) ([]byte, bool, error) {
	if n.column >= 0 {
		cell := strings.TrimSpace(cells[n.column])
		if cell == "" {
			return b, false, nil
		}
		if s.options.Null != "" && cell == s.options.Null {
			return append(b, "null"...), true, nil
		}
		out, err := s.value(b, n.kind, cell)
		if err != nil {
			return b, false, fmt.Errorf("column %d, %s: %w", n.column+1, s.paths[n.column], err)
		}
		return out, true, nil
	}
	start, first := len(b), true
	begin, end := byte('{'), byte('}')
	if n.list {
		begin, end = '[', ']'
	}
	for _, below := range n.below {
		before := len(b)
		if first {
			b = append(b, begin)
		} else {
			b = append(b, ',')
		}
		if !n.list {
			b = append(scan.AppendText(b, below.name), ':')
		}
		out, some, err := s.write(b, below, cells)
		if err != nil {
			return b[:start], false, err
		}
		if !some {
			b = b[:before]
			continue
		}
		b, first = out, false
	}
	if first {
		return b[:start], false, nil
	}
	return append(b, end), true, nil
}
