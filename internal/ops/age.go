package ops

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errAge = errors.New("want a time such as 90m, 12h or 7d")

// ParseAge reads how long ago something was: a duration that may be in days.
func ParseAge(s string) (time.Duration, error) {
	days, isDays := strings.CutSuffix(s, "d")
	if !isDays {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, errAge
		}
		return d, nil
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || n < 0 || math.IsNaN(n) {
		return 0, errAge
	}
	// A hundred years: more than a time.Duration holds is all the same.
	return time.Duration(min(n, 36_500) * 24 * float64(time.Hour)), nil
}
