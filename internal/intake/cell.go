package intake

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
)

// value appends a cell as the JSON that its field takes. Spreadsheets write
// dates, numbers and times in forms of their own; those that mean one thing only
// are taken, all others refused.
func (s *shape) value(b []byte, k kind, cell string) ([]byte, error) {
	switch k {
	case boolean:
		v, err := parseBool(cell)
		return strconv.AppendBool(b, v), err
	case whole:
		v, err := strconv.ParseInt(cell, 10, 64)
		if err != nil {
			return b, errors.New("want a whole number")
		}
		return strconv.AppendInt(b, v, 10), nil
	case number:
		return s.number(b, cell)
	case moment:
		t, err := s.moment(cell)
		if err != nil {
			return b, err
		}
		return scan.AppendText(b, t.Format(time.RFC3339Nano)), nil
	case date:
		if t, err := time.Parse("2.1.2006", cell); err == nil { // day first wherever dots are written
			cell = t.Format(time.DateOnly)
		}
		return scan.AppendText(b, cell), nil
	case list:
		return appendList(b, cell), nil
	case words:
		if shortened(cell) {
			return b, errors.New("a spreadsheet has cut this number: make the column one of text and export it again")
		}
	case unknown, branch, branches:
	}
	return scan.AppendText(b, cell), nil
}

// shortened reports whether a cell is what spreadsheets make of long numbers, such
// as 3.47771E+08: of ids, phones and cards, whose last digits are then gone.
func shortened(cell string) bool {
	mantissa, exponent, found := strings.Cut(cell, "E+")
	if !found || exponent == "" || strings.Trim(mantissa+exponent, "0123456789.,") != "" {
		return false
	}
	whole, fraction, _ := strings.Cut(strings.Replace(mantissa, ",", ".", 1), ".")
	return len(whole) == 1 && strings.Trim(fraction+exponent, "0123456789") == ""
}

func parseBool(cell string) (bool, error) {
	switch strings.ToLower(cell) {
	case "true", "1", "yes", "так", "да":
		return true, nil
	case "false", "0", "no", "ні", "нет":
		return false, nil
	}
	return false, errors.New("want true or false, yes or no, 1 or 0")
}

// number takes a comma for the decimal point only where it can't be the comma
// of thousands: in a file whose cells semicolons separate.
func (s *shape) number(b []byte, cell string) ([]byte, error) {
	if s.decimalComma && strings.Count(cell, ",") == 1 && !strings.Contains(cell, ".") {
		cell = strings.Replace(cell, ",", ".", 1)
	}
	check := scan.New([]byte(cell))
	check.Float()
	if check.End() != nil {
		return b, errors.New("want a number, such as 12.50")
	}
	return append(b, cell...), nil
}

func (s *shape) moment(cell string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, cell); err == nil {
		return t, nil
	}
	for _, form := range []string{time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly, "2.1.2006 15:04:05", "2.1.2006 15:04", "2.1.2006"} {
		t, err := time.ParseInLocation(form, cell, or(s.options.Zone, time.UTC))
		if err != nil {
			continue
		}
		if s.options.Zone == nil {
			return t, errors.New("the time has no zone: say which is meant (--timezone)")
		}
		return t, nil
	}
	return time.Time{}, errors.New("want a time, such as 2026-11-22T10:00:00Z")
}

func or(zone, zero *time.Location) *time.Location {
	if zone == nil {
		return zero
	}
	return zone
}

// appendList writes a cell that holds several addresses or numbers.
func appendList(b []byte, cell string) []byte {
	b = append(b, '[')
	first := true
	for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return r == ',' || r == ';' || r == '|' || r == '\n' }) {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = scan.AppendText(b, part)
	}
	return append(b, ']')
}
