package scan

import (
	"math"
	"strconv"
	"strings"
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Float reads a number. One beyond the range of a float64 is a failure.
func (s *Scanner) Float() float64 {
	literal, plain := s.number()
	if plain && len(literal) <= 15 { // below 10^15 every integer is a float64
		return float64(small(literal))
	}
	if literal == nil {
		return 0
	}
	f, err := strconv.ParseFloat(share(literal), 64)
	if err != nil {
		s.failAt(s.pos-len(literal), "number out of range")
		return 0
	}
	return f
}

// Int reads a number that is a whole one, whatever its form (7, 7.0, 70e-1). A
// fraction and one beyond the range of an int64 are failures; nothing is
// rounded.
func (s *Scanner) Int() int64 {
	literal, plain := s.number()
	if plain && len(literal) <= 18 {
		return small(literal)
	}
	if literal == nil {
		return 0
	}
	n, ok := whole(share(literal))
	if !ok {
		s.failAt(s.pos-len(literal), "want a whole number of at most 64 bits")
	}
	return n
}

// number reads a number and returns its bytes, nil on failure. It is plain if it
// is made of digits only.
func (s *Scanner) number() (literal []byte, plain bool) {
	if c := s.space(); c != '-' && !isDigit(c) {
		s.mismatch(Number)
		return nil, false
	}
	d, from := s.data, s.pos
	i, plain := from, true
	if d[i] == '-' {
		i, plain = i+1, false
	}
	first := i
	i = digits(d, i)
	if i == first || (d[first] == '0' && i > first+1) {
		s.failAt(from, badNumber)
		return nil, false
	}
	if i < len(d) && d[i] == '.' {
		plain = false
		if i = digits(d, i+1); d[i-1] == '.' {
			s.failAt(from, badNumber)
			return nil, false
		}
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		plain = false
		if i++; i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if i = digits(d, i); !isDigit(d[i-1]) {
			s.failAt(from, badNumber)
			return nil, false
		}
	}
	s.pos = i
	return d[from:i:i], plain
}

const badNumber = "invalid number"

func digits(d []byte, i int) int {
	for i < len(d) && isDigit(d[i]) {
		i++
	}
	return i
}

// small is the value of at most 18 digits.
func small(literal []byte) (n int64) {
	for _, c := range literal {
		n = n*10 + int64(c-'0')
	}
	return n
}

// whole returns the value of a valid number if it is a whole one that fits,
// working on its decimal digits so that nothing is lost on the way.
func whole(literal string) (int64, bool) {
	mantissa, exponent := literal, 0
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa = literal[:i]
		n, err := strconv.ParseInt(literal[i+1:], 10, 32)
		if err != nil { // out of range: nothing but a zero is whole and fits
			n = math.MaxInt32
		}
		exponent = int(n)
	}
	integer, fraction, _ := strings.Cut(mantissa, ".")
	exponent -= len(fraction)
	digits := integer + fraction
	significant := strings.TrimRight(digits, "0")
	if strings.Trim(significant, "-0") == "" {
		return 0, true
	}
	exponent += len(digits) - len(significant)
	if exponent < 0 || exponent > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(significant+strings.Repeat("0", exponent), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}
