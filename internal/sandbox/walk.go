package sandbox

import (
	"encoding/binary"
	"math/bits"
)

// walk is a place in a document.
type walk struct {
	b   []byte
	i   int
	bad bool
}

func (w *walk) end() error {
	w.space()
	if w.bad || w.i != len(w.b) {
		return errJSON
	}
	return nil
}

func (w *walk) space() {
	for w.i < len(w.b) && (w.b[w.i] == ' ' || w.b[w.i] == '\n' || w.b[w.i] == '\t' || w.b[w.i] == '\r') {
		w.i++
	}
}

// take steps over c and the space behind it, if c is next.
func (w *walk) take(c byte) bool {
	if w.bad || w.i >= len(w.b) || w.b[w.i] != c {
		return false
	}
	w.i++
	w.space()
	return true
}

func (w *walk) need(c byte) {
	if !w.take(c) {
		w.bad = true
	}
}

func (w *walk) object(visit func(name, value []byte), depth int) {
	w.need('{')
	if w.take('}') {
		return
	}
	for !w.bad {
		from := w.i
		w.str()
		name := w.b[from:w.i]
		w.space()
		w.need(':')
		from = w.i
		w.value(depth + 1)
		if !w.bad && visit != nil {
			visit(name, w.b[from:w.i])
		}
		w.space()
		if !w.take(',') {
			w.need('}')
			return
		}
	}
}

func (w *walk) array(visit func(value []byte), depth int) {
	w.need('[')
	if w.take(']') {
		return
	}
	for !w.bad {
		from := w.i
		w.value(depth + 1)
		if !w.bad && visit != nil {
			visit(w.b[from:w.i])
		}
		w.space()
		if !w.take(',') {
			w.need(']')
			return
		}
	}
}

func (w *walk) value(depth int) {
	if w.i >= len(w.b) || depth > maxDepth {
		w.bad = true
		return
	}
	switch w.b[w.i] {
	case '"':
		w.str()
	case '{':
		w.object(nil, depth)
		w.back()
	case '[':
		w.array(nil, depth)
		w.back()
	case 't':
		w.word("true")
	case 'f':
		w.word("false")
	case 'n':
		w.word("null")
	default:
		w.number()
	}
}

// back undoes the step over space behind a bracket, so that a value ends with it.
func (w *walk) back() {
	for w.i > 0 && (w.b[w.i-1] == ' ' || w.b[w.i-1] == '\n' || w.b[w.i-1] == '\t' || w.b[w.i-1] == '\r') {
		w.i--
	}
}

func (w *walk) word(s string) {
	if len(w.b)-w.i < len(s) || string(w.b[w.i:w.i+len(s)]) != s {
		w.bad = true
		return
	}
	w.i += len(s)
}

func (w *walk) str() {
	if w.bad || w.i >= len(w.b) || w.b[w.i] != '"' {
		w.bad = true
		return
	}
	b, i := w.b, w.i+1
	for i = ordinary(b, i); i < len(b) && b[i] != '"'; i = ordinary(b, i) {
		c := b[i]
		i++
		if c < 0x20 {
			w.bad = true
			return
		}
		if c == '\\' {
			w.i = i
			if i >= len(b) || !w.escape() {
				w.bad = true
				return
			}
			i = w.i + 1
		}
	}
	if i >= len(b) {
		w.bad = true
		return
	}
	w.i = i + 1
}

// ordinary steps over bytes that mean nothing in a string, eight at a time: a
// byte of mask is set where one is a quote, a backslash or a control character.
func ordinary(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^ones*'"', x^ones*'\\'
		mask := ((x-ones*0x20)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if mask != 0 {
			return i + bits.TrailingZeros64(mask)/8
		}
	}
	return i
}

// name reads a field's name up to its value.
func (w *walk) name() string {
	from := w.i
	w.str()
	if w.bad {
		return ""
	}
	name := text(w.b[from:w.i])
	w.space()
	w.need(':')
	return name
}

// escape reads what follows a backslash, up to its last byte.
func (w *walk) escape() bool {
	switch w.b[w.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			w.i++
			if w.i >= len(w.b) || !isHex(w.b[w.i]) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (w *walk) number() {
	if w.i < len(w.b) && w.b[w.i] == '-' {
		w.i++
	}
	if w.i < len(w.b) && w.b[w.i] == '0' {
		w.i++
	} else {
		w.digits()
	}
	if w.i < len(w.b) && w.b[w.i] == '.' {
		w.i++
		w.digits()
	}
	if w.i < len(w.b) && (w.b[w.i] == 'e' || w.b[w.i] == 'E') {
		w.i++
		if w.i < len(w.b) && (w.b[w.i] == '+' || w.b[w.i] == '-') {
			w.i++
		}
		w.digits()
	}
}

func (w *walk) digits() {
	from := w.i
	for w.i < len(w.b) && w.b[w.i] >= '0' && w.b[w.i] <= '9' {
		w.i++
	}
	if w.i == from {
		w.bad = true
	}
}
