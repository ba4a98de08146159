package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The stand-ins read JSON in one pass, strictly: a sink that sends an unescaped
// control character, a number with a leading zero or broken UTF-8 is to learn it.

var errJSON = errors.New("no valid JSON")

// maxDepth bounds nesting, since the walk recurs.
const maxDepth = 32

// fields calls visit with every field of the object that b is, its name in
// quotes and its value raw. It is an error unless b is one whole object.
func fields(b []byte, visit func(name, value []byte)) error {
	w := walk{b: b}
	w.space()
	w.object(visit, 0)
	return w.end()
}

// elements calls visit with every element of the array that b is.
func elements(b []byte, visit func(value []byte)) error {
	w := walk{b: b}
	w.space()
	w.array(visit, 0)
	return w.end()
}

// listIn reads an object in one pass. For every element of the list of that name
// start is called; the visitor that it returns sees the element's fields, and
// done gets the element as a whole, which is no object where isObject is false.
// It reports whether there was such a list, and the text of the field named
// beside it.
func listIn(b []byte, list, beside string, start func() func(name, value []byte), done func(raw []byte, isObject bool)) (listed bool, other string, err error) {
	w := walk{b: b}
	w.space()
	w.need('{')
	for more := !w.take('}'); more && !w.bad; {
		name := w.name()
		from := w.i
		if name == list && from < len(b) && b[from] == '[' {
			listed = true
			w.rows(start, done)
		} else {
			w.value(1)
			if !w.bad && name == beside {
				other = text(b[from:w.i])
			}
		}
		w.space()
		if more = w.take(','); !more {
			w.need('}')
		}
	}
	if err = w.end(); err == nil && !utf8.Valid(b) {
		err = errJSON
	}
	return listed, other, err
}

func (w *walk) rows(start func() func(name, value []byte), done func(raw []byte, isObject bool)) {
	w.need('[')
	if w.take(']') {
		return
	}
	for !w.bad {
		from := w.i
		visit := start()
		isObject := from < len(w.b) && w.b[from] == '{'
		if isObject {
			w.object(visit, 1)
			w.back()
		} else {
			w.value(1)
		}
		if !w.bad {
			done(w.b[from:w.i], isObject)
		}
		w.space()
		if !w.take(',') {
			w.need(']')
			return
		}
	}
}

// text returns the text of a valid JSON string, or any other value as it is
// written.
func text(value []byte) string { return string(raw(value)) }

// raw is text without a copy, except of a string that has escapes.
func raw(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return value
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	json.Unmarshal(value, &s)
	return []byte(s)
}

// versionIn reads a version: digits alone, as a number or a text, or a text whose
// last word is a v and digits; -1 if there is none.
func versionIn(value []byte) int64 {
	s := text(value)
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		s = s[i+1:]
		if !strings.HasPrefix(s, "v") {
			return -1
		}
	}
	v, err := strconv.ParseInt(strings.TrimPrefix(s, "v"), 10, 64)
	if err != nil || v < 0 {
		return -1
	}
	return v
}
