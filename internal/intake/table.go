package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxRecordLines bounds how far a quote that was never closed is followed.
const maxRecordLines = 1000

// table reads CSV with a header.
type table struct {
	lines *lines
	sep   byte
	shape *shape
	cells []string
}

func openTable(l *lines, o Options) (*table, error) {
	t := &table{lines: l}
	rec, err := t.header()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(t.cells))
	for i, c := range t.cells {
		names[i] = strings.TrimSpace(c)
	}
	for len(names) > 0 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	if t.shape, err = newShape(names, o); err != nil {
		return nil, &HeaderError{Line: rec.Line, Err: err}
	}
	t.shape.decimalComma = t.sep == ';'
	return t, nil
}

// HeaderError says why the columns of a CSV file can't be used.
type HeaderError struct {
	Line int
	Err  error
}

func (e *HeaderError) Error() string { return fmt.Sprintf("header in line %d: %v", e.Line, e.Err) }
func (e *HeaderError) Unwrap() error { return e.Err }

// header reads the first line that is not blank and settles the separator. A
// line sep=; before it is Excel's way to name the separator.
func (t *table) header() (Record, error) {
	for {
		l, err := t.lines.next()
		if errors.Is(err, io.EOF) {
			return Record{}, &HeaderError{Line: 1, Err: errors.New("missing: the file is empty")}
		}
		if err != nil {
			return Record{}, err
		}
		if len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		if name, ok := bytes.CutPrefix(l.text, []byte("sep=")); ok && len(name) == 1 && bytes.Contains([]byte(";,\t|"), name) {
			t.sep = name[0]
			continue
		}
		if t.sep == 0 {
			t.sep = separator(l.text)
		}
		t.lines.back([]line{l})
		rec, err := t.record()
		if err == nil {
			err = rec.Err
		}
		if err != nil {
			return Record{}, &HeaderError{Line: l.number, Err: err}
		}
		return rec, nil
	}
}

// separator is the one that stands most often in the header, outside quotes.
func separator(header []byte) byte {
	var counts [256]int
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t', '|'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// next returns the next record; one without Doc and Err is blank.
func (t *table) next() (Record, error) {
	rec, err := t.record()
	if err != nil || rec.Err != nil || t.blank() {
		return rec, err
	}
	rec.Doc, rec.Shop, rec.Err = t.shape.customer(t.cells)
	return rec, nil
}

func (t *table) blank() bool {
	for _, c := range t.cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// record reads the lines of one record and splits them into cells. Where a quote
// is never closed, only the line that opened it is refused.
func (t *table) record() (Record, error) {
	first, err := t.lines.next()
	if err != nil {
		return Record{}, err
	}
	t.cells = t.cells[:0]
	rec := Record{Line: first.number, End: first.end, Text: first.text, Err: first.err}
	if rec.Err != nil {
		return rec, nil
	}
	s := splitter{sep: t.sep, cells: t.cells}
	s.line(first.text)
	var more []line
	size := len(first.text)
	for s.open {
		l, err := t.lines.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return Record{}, err
		}
		if err == nil {
			more = append(more, l)
			size += len(l.text) + 1
		}
		if err != nil || l.err != nil || size > MaxLine || len(more) == maxRecordLines {
			t.lines.back(more)
			rec.Err = errors.New("a quote is opened and never closed")
			return rec, nil
		}
		s.cell = append(s.cell, '\n')
		s.line(l.text)
	}
	if s.err != nil && len(more) > 0 {
		// It closed in a line of another record: as if it were never closed.
		t.lines.back(more)
		rec.Err = errors.New("a quote is opened and not closed where the cell ends")
		return rec, nil
	}
	if len(more) > 0 {
		rec.End = more[len(more)-1].end
		for _, l := range more {
			rec.Text = append(append(rec.Text, '\n'), l.text...)
		}
	}
	t.cells, rec.Err = s.cells, s.err
	if rec.Err == nil && !legible(rec.Text) {
		rec.Err = errors.New("holds bytes that are no characters: name the file's encoding")
	}
	return rec, nil
}

func legible(text []byte) bool {
	return utf8.Valid(text) && !bytes.ContainsRune(text, utf8.RuneError)
}

// splitter splits a record into cells, line by line (RFC 4180). A quote inside a
// cell that does not start with one is an ordinary character, as in 5" screen.
type splitter struct {
	sep   byte
	cells []string
	cell  []byte // of a quoted cell that goes on in the next line
	open  bool   // inside quotes
	err   error
}

func (s *splitter) line(text []byte) {
	i := 0
	for {
		if !s.open && i < len(text) && text[i] == '"' {
			s.open, s.cell = true, s.cell[:0]
			i++
		}
		if !s.open {
			end := bytes.IndexByte(text[i:], s.sep)
			if end < 0 {
				s.cells = append(s.cells, string(text[i:]))
				return
			}
			s.cells = append(s.cells, string(text[i:i+end]))
			i += end + 1
			continue
		}
		n, closed := s.quoted(text[i:])
		if !closed {
			return
		}
		i += n
		s.cells = append(s.cells, string(s.cell))
		if i == len(text) {
			return
		}
		if text[i] != s.sep {
			s.err = fmt.Errorf("column %d: a quote inside quotes is not doubled", len(s.cells))
			return
		}
		i++
	}
}

// quoted reads up to the closing quote and returns what it read, or all.
func (s *splitter) quoted(text []byte) (n int, closed bool) {
	for {
		end := bytes.IndexByte(text[n:], '"')
		if end < 0 {
			s.cell = append(s.cell, text[n:]...)
			return len(text), false
		}
		s.cell = append(s.cell, text[n:n+end]...)
		n += end + 1
		if n == len(text) || text[n] != '"' {
			s.open = false
			return n, true
		}
		s.cell = append(s.cell, '"')
		n++
	}
}
