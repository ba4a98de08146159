package config

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Mistake is one thing that is wrong in the file.
type Mistake struct {
	Line, Column int    // from 1; the column counts characters
	Path         string // of the key, such as destinations[0].rate.calls_per_second
	Message      string // what is wrong
	Hint         string // what to write instead; may be empty
}

// Mistakes is the error of a file that can't be used: all that is wrong in it,
// in the order of the file.
type Mistakes struct {
	File string
	List []Mistake
}

// Error writes a line for each mistake: file:line:column: path: what is wrong;
// what to write instead.
func (m *Mistakes) Error() string {
	lines := make([]string, len(m.List))
	for i, mistake := range m.List {
		lines[i] = fmt.Sprintf("%s:%s", m.File, mistake)
	}
	return strings.Join(lines, "\n")
}

// String writes a mistake without the file's name.
func (m Mistake) String() string {
	s := fmt.Sprintf("%d:%d: ", m.Line, m.Column)
	if m.Path != "" {
		s += m.Path + ": "
	}
	s += m.Message
	if m.Hint != "" {
		s += "; " + m.Hint
	}
	return s
}

// Add takes in more mistakes and keeps the order of the file.
func (m *Mistakes) Add(more ...Mistake) {
	for _, x := range more {
		after := sort.Search(len(m.List), func(i int) bool {
			return cmp.Or(cmp.Compare(m.List[i].Line, x.Line), cmp.Compare(m.List[i].Column, x.Column)) > 0
		})
		m.List = slices.Insert(m.List, after, x)
	}
}

// orNil is m as an error if there is any mistake.
func (m *Mistakes) orNil() error {
	if len(m.List) == 0 {
		return nil
	}
	return m
}

// once adds a mistake unless something is already said of its path.
func (m *Mistakes) once(p place, message, hint string) {
	if !m.has(p.path) {
		m.Add(p.mistake(message, hint))
	}
}

// has reports whether something is already said of this path or of a part of it.
func (m *Mistakes) has(path string) bool {
	return slices.ContainsFunc(m.List, func(x Mistake) bool {
		rest, under := strings.CutPrefix(x.Path, path)
		return under && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}
