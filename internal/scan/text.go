package scan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// What is refused here and not by encoding/json.
const (
	tooDeep  = "nested too deep"
	notUTF8  = "invalid UTF-8 in a string"
	halfPair = "half a surrogate pair in a string"
)

// Text reads a string. It shares memory with the input unless it holds escapes.
func (s *Scanner) Text() string {
	if s.space() != '"' {
		s.mismatch(String)
		return ""
	}
	return s.quoted(true)
}

// quoted reads the string whose opening quote is next, and returns it if keep
// is set.
func (s *Scanner) quoted(keep bool) string {
	d, start := s.data, s.pos+1
	i, ascii, escaped := start, true, false
	for {
		var plain bool
		i, plain = special(d, i)
		ascii = ascii && plain
		if i == len(d) {
			s.failAt(i, "string without an end")
			return ""
		}
		if d[i] == '"' {
			break
		}
		if d[i] != '\\' {
			s.failAt(i, "control character in a string")
			return ""
		}
		escaped = true
		_, n, wrong := escape(d[i:])
		if wrong != "" {
			s.failAt(i, wrong)
			return ""
		}
		i += n
	}
	if !ascii && !utf8.Valid(d[start:i]) {
		s.failAt(start, notUTF8)
		return ""
	}
	s.pos = i + 1
	switch {
	case !keep:
		return ""
	case escaped:
		return unescape(d[start:i])
	}
	return share(d[start:i])
}

// special returns the first position from i on that holds a quote, a backslash
// or a control character, len(d) if none does, and whether all before is ASCII.
//
// It looks at eight bytes at once. In each term a byte's top bit gets set where
// the subtraction underflows, that is where the byte is below the bound (a
// space) or has become 0 (a quote, a backslash). A borrow can set further bits
// only above a true one, so the lowest is right.
func special(d []byte, i int) (int, bool) {
	const (
		each = 0x0101010101010101
		top  = 0x80 * each
	)
	var seen uint64
	for ; i+8 <= len(d); i += 8 {
		w := binary.LittleEndian.Uint64(d[i:])
		found := ((w - each*' ') | ((w ^ each*'"') - each) | ((w ^ each*'\\') - each)) &^ w & top
		if found != 0 {
			n := bits.TrailingZeros64(found) / 8
			seen |= w & (1<<(8*n) - 1)
			return i + n, seen&top == 0
		}
		seen |= w
	}
	var rest byte
	for ; i < len(d); i++ {
		c := d[i]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		rest |= c
	}
	return i, seen&top == 0 && rest < utf8.RuneSelf
}

// escape decodes the escape at the start of d, which is a backslash. It returns
// the character and the length of the escape, or what is wrong with it.
func escape(d []byte) (r rune, n int, wrong string) {
	const bad = "invalid escape in a string"
	if len(d) < 2 {
		return 0, 0, bad
	}
	switch d[1] {
	case '"', '\\', '/':
		return rune(d[1]), 2, ""
	case 'b':
		return '\b', 2, ""
	case 'f':
		return '\f', 2, ""
	case 'n':
		return '\n', 2, ""
	case 'r':
		return '\r', 2, ""
	case 't':
		return '\t', 2, ""
	}
	r = hex4(d)
	if r < 0 {
		return 0, 0, bad
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, ""
	}
	if r = utf16.DecodeRune(r, hex4(d[6:])); r == utf8.RuneError {
		return 0, 0, halfPair
	}
	return r, 12, ""
}

// hex4 decodes \uXXXX at the start of d, or returns -1.
func hex4(d []byte) (r rune) {
	if len(d) < 6 || d[0] != '\\' || d[1] != 'u' {
		return -1
	}
	for _, c := range d[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f': // either case
			c = (c | 0x20) - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape resolves the escapes of a string that is known to be valid. No escape
// is shorter than what it stands for, so one allocation does.
func unescape(d []byte) string {
	out := make([]byte, 0, len(d))
	for i := 0; i < len(d); {
		next := i
		for next < len(d) && d[next] != '\\' {
			next++
		}
		out = append(out, d[i:next]...)
		if i = next; i < len(d) {
			r, n, _ := escape(d[i:])
			out = utf8.AppendRune(out, r)
			i += n
		}
	}
	return share(out)
}

// share makes a string of bytes without copying them. This is the one place
// that does; it rests on the rule that the input does not change.
func share(d []byte) string { return unsafe.String(unsafe.SliceData(d), len(d)) }
