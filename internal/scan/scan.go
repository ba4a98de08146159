// Package scan reads JSON in one pass over bytes that are already in memory. It
// is the base of everything that has to be decoded often: events, providers'
// answers, ledger entries.
//
// Promises: it is strict (RFC 8259, valid UTF-8, no half surrogate pairs, at
// most MaxDepth levels, nothing after the value); it reads numbers exactly; it
// allocates only for strings that hold escapes; its errors say where and what,
// and never repeat what was read.
//
// Strings and raw values share memory with the input, which must not change
// while they are in use.
//
// It differs from encoding/json, which takes invalid UTF-8 and half surrogate
// pairs for U+FFFD and nests 10,000 deep. Duplicate names are left to the
// caller, who alone knows which names count.
package scan

import "strconv"

// MaxDepth bounds how deep arrays and objects nest. The contract needs three
// levels; unknown fields may need a few more, and the scanner recurses to skip
// them, so the bound protects the stack.
const MaxDepth = 64

// Error says what is wrong at which byte of the input.
type Error struct {
	Offset  int
	Message string
}

func (e *Error) Error() string { return e.Message + " at offset " + strconv.Itoa(e.Offset) }

// Scanner reads one JSON document. Each method reads one value or one step; a
// method that meets something else fails. The first failure stays: from then on
// every method returns a zero value and every loop ends, so that callers check
// once, by End.
//
//	s := scan.New(data)
//	for key, ok := s.Object(); ok; key, ok = s.Field() {
//		switch key {
//		case "id":
//			id = s.Text()
//		default:
//			s.Skip()
//		}
//	}
//	err := s.End()
//
// The body of such a loop must read exactly one value; else the next step fails.
type Scanner struct {
	data  []byte
	pos   int
	depth int
	err   *Error
}

// New returns a scanner at the start of data.
func New(data []byte) Scanner { return Scanner{data: data} }

// Err returns the first failure, an *Error, or nil.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// End fails unless only white space follows, and returns the first failure.
func (s *Scanner) End() error {
	if s.space(); s.pos < len(s.data) {
		s.fail("want the end of the document")
	}
	return s.Err()
}

// Offset returns the position of the next byte to read. After Kind it is the
// first byte of the next value.
func (s *Scanner) Offset() int { return s.pos }

// Kind tells what comes next without reading it.
func (s *Scanner) Kind() Kind {
	switch c := s.space(); c {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return Array
	case '{':
		return Object
	default:
		if c == '-' || isDigit(c) {
			return Number
		}
		return Invalid
	}
}

// Object enters an object and returns its first name; false if it is empty.
func (s *Scanner) Object() (key string, ok bool) { return s.object(true) }

// Field returns the next name of the object whose value was just read; false
// when the object has ended.
func (s *Scanner) Field() (key string, ok bool) { return s.field(true) }

// object, field and key return no name unless keep is set, so that Skip need
// not resolve the escapes in it.
func (s *Scanner) object(keep bool) (key string, ok bool) {
	if !s.enter('{', Object) {
		return "", false
	}
	if s.space() == '}' {
		s.leave()
		return "", false
	}
	return s.key(keep)
}

func (s *Scanner) field(keep bool) (key string, ok bool) {
	switch s.space() {
	case ',':
		s.pos++
		return s.key(keep)
	case '}':
		s.leave()
		return "", false
	}
	s.fail("want , or } after a field")
	return "", false
}

func (s *Scanner) key(keep bool) (key string, ok bool) {
	if s.space() != '"' {
		s.fail("want a name")
		return "", false
	}
	key = s.quoted(keep)
	if s.space() != ':' {
		s.fail("want : after a name")
		return "", false
	}
	s.pos++
	return key, true
}

// Array enters an array and reports whether it has an element.
func (s *Scanner) Array() bool {
	if !s.enter('[', Array) {
		return false
	}
	if s.space() == ']' {
		s.leave()
		return false
	}
	return true
}

// More reports whether the array whose element was just read has another one.
func (s *Scanner) More() bool {
	switch s.space() {
	case ',':
		s.pos++
		return true
	case ']':
		s.leave()
		return false
	}
	s.fail("want , or ] after an element")
	return false
}

func (s *Scanner) enter(c byte, want Kind) bool {
	if s.space() != c {
		s.mismatch(want)
		return false
	}
	if s.depth == MaxDepth {
		s.fail(tooDeep)
		return false
	}
	s.depth++
	s.pos++
	return true
}

func (s *Scanner) leave() {
	s.depth--
	s.pos++
}

// Null reads a null if one comes next, and reports whether it did.
func (s *Scanner) Null() bool { return s.space() == 'n' && s.literal("null") }

// Bool reads true or false.
func (s *Scanner) Bool() bool {
	switch s.space() {
	case 't':
		return s.literal("true")
	case 'f':
		s.literal("false")
		return false
	}
	s.mismatch(Bool)
	return false
}

func (s *Scanner) literal(word string) bool {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		s.fail("want a value")
		return false
	}
	s.pos += len(word)
	return true
}

// Skip reads a value of any kind and returns its bytes.
func (s *Scanner) Skip() []byte {
	kind := s.Kind()
	from := s.pos
	switch kind {
	case Object:
		for _, ok := s.object(false); ok; _, ok = s.field(false) {
			s.Skip()
		}
	case Array:
		for ok := s.Array(); ok; ok = s.More() {
			s.Skip()
		}
	case String:
		s.quoted(false)
	case Number:
		s.number()
	case Bool:
		s.Bool()
	case Null:
		s.Null()
	case Invalid:
		s.fail("want a value")
	}
	if s.err != nil {
		return nil
	}
	return s.data[from:s.pos:s.pos]
}

// space moves to the next byte that is not white space and returns it, 0 at the
// end. A 0 in the input is as little the start of anything as the end is.
func (s *Scanner) space() byte {
	for i := s.pos; i < len(s.data); i++ {
		switch c := s.data[i]; c {
		case ' ', '\n', '\r', '\t':
		default:
			s.pos = i
			return c
		}
	}
	s.pos = len(s.data)
	return 0
}

// Fail makes the scanner fail for a reason of the caller's: a value that is
// valid JSON and yet not what is wanted. Message must not repeat the value.
func (s *Scanner) Fail(message string) { s.fail(message) }

// fail keeps the first failure and moves to the end, where nothing more can be
// read and every loop ends.
func (s *Scanner) fail(message string) { s.failAt(s.pos, message) }

func (s *Scanner) failAt(offset int, message string) {
	if s.err == nil {
		s.err = &Error{Offset: offset, Message: message}
	}
	s.pos = len(s.data)
}

// mismatch fails because a value of another kind was wanted.
func (s *Scanner) mismatch(want Kind) {
	s.fail("want " + want.String() + ", got " + s.seen().String())
}

// seen is Kind for errors: a word that only begins like one of JSON's is none.
func (s *Scanner) seen() Kind {
	kind, rest := s.Kind(), s.data[s.pos:]
	for _, word := range [...]string{"null", "true", "false"} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return kind
		}
	}
	if kind == Null || kind == Bool {
		return Invalid
	}
	return kind
}
