package intake

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/custsync/custsync/internal/config/suggest"
)

// Columns says which field each column of a foreign header is; an empty field
// leaves the column out.
type Columns map[string]string

// ParseColumns reads a YAML mapping of header names to fields:
//
//	Ім'я: first_name
//	Місто: address.city
//	Сегмент: attributes.segment
//	Менеджер:            # left out
func ParseColumns(data []byte) (Columns, error) {
	var raw map[string]*string
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("want a YAML mapping of header names to fields: %w", err)
	}
	c := make(Columns, len(raw))
	for name, field := range raw {
		if field == nil {
			c[strings.TrimSpace(name)] = ""
			continue
		}
		c[strings.TrimSpace(name)] = strings.TrimSpace(*field)
	}
	return c, nil
}

// shopColumn names the shop of its row's customer, and is no field.
const shopColumn = "shop"

// shape is how the cells of a row become a customer.
type shape struct {
	root         *node
	paths        []string // by column; empty: left out
	shop         int      // its column; -1: none
	decimalComma bool     // where semicolons separate, commas are in numbers
	options      Options
}

func newShape(names []string, o Options) (*shape, error) {
	s := &shape{root: &node{column: -1}, shop: -1, options: o, paths: make([]string, len(names))}
	seen := make(map[string]int)
	for i, name := range names {
		path, told := s.path(name)
		if path == "" {
			if name == "" && !told {
				s.notice(fmt.Sprintf("column %d has no name and is left out", i+1))
			}
			continue
		}
		if before, twice := seen[path]; twice {
			return nil, fmt.Errorf("columns %d and %d are both %s", before+1, i+1, path)
		}
		seen[path] = i
		if path == shopColumn {
			s.shop = i
			continue
		}
		s.paths[i] = path
		if err := s.add(path, i, told); err != nil {
			return nil, fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	for name := range o.Columns {
		if !contains(names, name) {
			s.notice(fmt.Sprintf("the file has no column %q, which the columns file names", name))
		}
	}
	if _, ok := seen["id"]; !ok {
		return nil, errors.New("no column is the customer's id; name it with a columns file (--columns)")
	}
	return s, nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// path is the field of a column, and whether the columns file told it. Names of
// the contract count in any case and with spaces: First Name is first_name.
func (s *shape) path(name string) (path string, told bool) {
	if path, told = s.options.Columns[name]; told {
		return path, true
	}
	like := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(name))
	if like == shopColumn || like != "" && kindOf(strings.Split(like, ".")) != unknown {
		return like, false
	}
	return name, false
}

func (s *shape) add(path string, column int, told bool) error {
	parts := strings.Split(path, ".")
	for _, p := range parts {
		if p == "" {
			return fmt.Errorf("%q is no field: a name is missing beside a dot", path)
		}
	}
	switch k := kindOf(parts); k {
	case branch, branches:
		return fmt.Errorf("%s holds several fields or none below it: name one, such as address.city, cards.0.number or attributes.level", path)
	case unknown:
		// What a columns file names may be a field of the shop's own, or a slip.
		hint := suggest.Hint(path, fieldNames())
		near := strings.HasPrefix(hint, "did you mean")
		if !near {
			hint = "map it with a columns file, or leave it out there"
		}
		if near || !told {
			s.notice(fmt.Sprintf("column %d, %q, is no field of the contract and is kept under its own name; %s", column+1, path, hint))
		}
		return s.root.add(parts, column, unknown)
	default:
		return s.root.add(parts, column, k)
	}
}

func (s *shape) notice(text string) {
	if s.options.Notice != nil {
		s.options.Notice(text)
	}
}
