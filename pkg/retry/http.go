package retry

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxWait is the longest wait that a provider may ask for. A provider that
// names a later time has a wrong clock or a slip in its units; after an hour one
// more call is no burden to it.
const MaxWait = time.Hour

// FromResponse returns what an HTTP answer of this status means, or nil when it
// is a success (2xx). now is used where the answer doesn't carry its own Date.
//
// An answer that says no was not applied, so it is marked unsent, with these
// exceptions: 408 and the 5xx besides 503 can come from a proxy in front of a
// provider that did the work, and 302 and 303 are what web applications answer
// to a form that they took.
func FromResponse(status int, header http.Header, now time.Time) *Error {
	if status >= 200 && status <= 299 {
		return nil
	}
	e := &Error{
		Code:   "http_" + strconv.Itoa(status),
		Unsent: status >= 400 && status <= 499 && status != http.StatusRequestTimeout,
		Err:    fmt.Errorf("answered %s", statusWords(status)),
	}
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		e.Class = Permanent
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		e.Class = Blocked
	case http.StatusTooManyRequests:
		e.Class = After
		e.Wait, _ = wait(header, now)
	case http.StatusServiceUnavailable:
		e.Unsent = true
		if d, ok := wait(header, now); ok {
			e.Class, e.Wait = After, d
		}
	case http.StatusInternalServerError:
		e.Over = true // the provider itself broke down over it
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.Class, e.Code, e.Unsent = Blocked, "redirect", true
	default:
		if status >= 300 && status <= 399 {
			e.Class, e.Code = Blocked, "redirect"
		}
	}
	e.Over = e.Over || e.Unsent
	return e
}

// In returns the error with the operation before its text.
func (e *Error) In(op string) *Error {
	named := *e
	if e.Err == nil {
		named.Err = fmt.Errorf("%s: %s", op, e.Code)
	} else {
		named.Err = fmt.Errorf("%s: %w", op, e.Err)
	}
	return &named
}

func statusWords(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// wait returns how long the answer asks to wait, 0 to MaxWait, and whether it
// asks at all. Where it names several times, the latest counts.
func wait(header http.Header, now time.Time) (time.Duration, bool) {
	// Times are held against the provider's own clock: ours may differ from it
	// by more than the wait is long.
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	var longest time.Duration
	var asked bool
	ask := func(d time.Duration) {
		asked = true
		longest = max(longest, min(d, MaxWait))
	}
	if v := strings.TrimSpace(header.Get("Retry-After")); v != "" {
		if seconds, ok := wholeSeconds(v); ok {
			ask(seconds)
		} else if at, err := http.ParseTime(v); err == nil {
			ask(at.Sub(now))
		}
	}
	if at, ok := resetTime(header.Get("X-RateLimit-Reset")); ok {
		ask(at.Sub(now))
	}
	return longest, asked
}

// wholeSeconds reads the number of seconds of Retry-After, however large.
func wholeSeconds(s string) (time.Duration, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(MaxWait/time.Second) {
		return MaxWait, true // more digits than an int64 has are a long time too
	}
	return time.Duration(n) * time.Second, true
}

// resetTime reads X-RateLimit-Reset in the two forms that Aplaut sends: the
// one of its document and the one that its servers were seen to write.
func resetTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
