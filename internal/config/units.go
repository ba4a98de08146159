package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as a plain number or with one of the units
// B, kB, MB, GB (powers of 1000) and KiB, MiB, GiB (powers of 1024).
type Size int

var errSize = errors.New("not a number of bytes")

// UnmarshalText reads a size as it is written in the file.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "BKMGkmgib")
	factor := 0.0
	switch strings.ToLower(strings.TrimSpace(string(text[len(number):]))) {
	case "", "b":
		factor = 1
	case "kb":
		factor = 1e3
	case "mb":
		factor = 1e6
	case "gb":
		factor = 1e9
	case "kib":
		factor = 1 << 10
	case "mib":
		factor = 1 << 20
	case "gib":
		factor = 1 << 30
	default:
		return errSize
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || strings.ContainsAny(number, "xXpP_infINFnaNA") {
		return errSize
	}
	bytes := n * factor
	if bytes < 0 || bytes > math.MaxInt32 || bytes != math.Trunc(bytes) {
		return errors.New("not a whole number of bytes below 2 GiB")
	}
	*s = Size(bytes)
	return nil
}

// String writes a size as it may be written in the file.
func (s Size) String() string {
	switch {
	case s != 0 && s%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", int(s>>20))
	case s != 0 && s%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", int(s>>10))
	}
	return strconv.Itoa(int(s))
}

// UnmarshalText reads "always" or a duration.
func (s *Sync) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*s = 0
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return errors.New("neither always nor a duration above zero")
	}
	*s = Sync(d)
	return nil
}

// String writes it as in the file.
func (s Sync) String() string {
	if s.Always() {
		return "always"
	}
	return time.Duration(s).String()
}
