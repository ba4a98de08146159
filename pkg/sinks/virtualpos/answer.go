package virtualpos

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/custsync/custsync/internal/scan"
)

// tree is an answer in either format: an XML element or a JSON value. Elements of
// a JSON list have no name.
type tree struct {
	name     string
	text     string
	list     bool // a JSON list
	children []tree
}

// child returns the child of that name; nil if there is none.
func (t *tree) child(name string) *tree {
	if t == nil {
		return nil
	}
	for i := range t.children {
		if t.children[i].name == name {
			return &t.children[i]
		}
	}
	return nil
}

// value returns the text of the child of that name.
func (t *tree) value(name string) string {
	if c := t.child(name); c != nil {
		return strings.TrimSpace(c.text)
	}
	return ""
}

// items returns the elements of a list, whichever way it is written: the children
// of an XML element, a JSON list, one list in an object, or a single element.
func (t *tree) items() []tree {
	if t == nil {
		return nil
	}
	var out []tree
	for i := range t.children {
		switch c := &t.children[i]; {
		case c.list:
			out = append(out, c.children...)
		case len(c.children) > 0:
			out = append(out, *c)
		case c.text != "": // a field: this is itself an element
			return []tree{*t}
		}
	}
	return out
}

// maxDepth bounds nesting; four levels are known.
const maxDepth = 16

// readTree reads an answer by its first byte. A page is neither format: its root
// is called html.
func readTree(body []byte) (*tree, bool) {
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return nil, false
	}
	if trimmed[0] != '<' {
		if trimmed[0] != '{' || !json.Valid(trimmed) {
			return nil, false
		}
		s := scan.New(trimmed)
		root := readJSON(&s, "", 0)
		return &root, s.End() == nil
	}
	return readXML(trimmed)
}

func readJSON(s *scan.Scanner, name string, depth int) tree {
	t := tree{name: name}
	switch kind := s.Kind(); {
	case depth > maxDepth:
		s.Fail("nested too deep")
	case kind == scan.Object:
		for key, ok := s.Object(); ok; key, ok = s.Field() {
			t.children = append(t.children, readJSON(s, key, depth+1))
		}
	case kind == scan.Array:
		t.list = true
		for more := s.Array(); more; more = s.More() {
			t.children = append(t.children, readJSON(s, "", depth+1))
		}
	case kind == scan.String:
		t.text = s.Text()
	case kind == scan.Null:
		s.Null()
	default:
		t.text = string(s.Skip())
	}
	return t
}

func readXML(body []byte) (*tree, bool) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var open []tree
	var root *tree
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root, root != nil && len(open) == 0
		}
		if err != nil {
			return nil, false
		}
		switch token := token.(type) {
		case xml.StartElement:
			if root != nil || len(open) > maxDepth || len(open) == 0 && strings.EqualFold(token.Name.Local, "html") {
				return nil, false
			}
			open = append(open, tree{name: token.Name.Local})
		case xml.CharData:
			if n := len(open); n > 0 {
				open[n-1].text += string(token)
			}
		case xml.EndElement:
			n := len(open) - 1
			done := open[n]
			open = open[:n]
			if n == 0 {
				root = &done
			} else {
				open[n-1].children = append(open[n-1].children, done)
			}
		}
	}
}

// reply is what an answer says.
type reply struct {
	said    bool // whether it says success at all
	success bool
	info    string
	id      string // of the customer or card that was written
	isNew   bool
	root    *tree
}

func readReply(root *tree) *reply {
	word := strings.ToLower(root.value("success"))
	return &reply{
		said:    root.child("success") != nil && slices.Contains([]string{"0", "1", "true", "false"}, word),
		success: word == "1" || word == "true",
		info:    root.value("info"),
		id:      root.value("id"),
		isNew:   root.value("isnew") == "1" || strings.EqualFold(root.value("isnew"), "true"),
		root:    root,
	}
}

// customer returns the customer with that id in a list, or, where the id is not
// known, the only one there is; nil if there is none.
func (r *reply) customer(id string) *tree {
	customers := r.root.child("customers").items()
	if id == "" && len(customers) == 1 {
		return &customers[0]
	}
	for i := range customers {
		if id != "" && customers[i].value("id") == id {
			return &customers[i]
		}
	}
	return nil
}
