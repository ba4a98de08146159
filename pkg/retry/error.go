// Package retry says what an error means for what comes next, and how long to
// wait. It makes no calls and keeps no state.
//
// An error without a class is transient: permanence has to be proved.
package retry

import (
	"errors"
	"time"
)

// Class is what an error means for the batch it stands for.
type Class uint8

const (
	Transient Class = iota // the provider or the way to it failed; send again later
	Permanent              // what was sent is refused; sending it again is no use
	After                  // nothing before the time that the provider named
	Blocked                // nothing will work until a person acts
)

// String returns the word used in logs and metrics.
func (c Class) String() string {
	switch c {
	case Permanent:
		return "permanent"
	case After:
		return "after"
	case Blocked:
		return "blocked"
	case Transient:
	}
	return "transient"
}

// Error marks an error with its class.
type Error struct {
	Class Class
	Wait  time.Duration // for After: how long from now
	// Unsent says that the call certainly had no effect at the provider, so that
	// its rows are not in doubt.
	Unsent bool
	// Over says that the call has ended at the provider too, so that nothing of
	// it can take effect later: it was answered, by the provider and not by a
	// proxy in front of it. Unsent calls are over.
	Over bool
	// Code is a short word without customer data for status and metrics, such as
	// "http_503", "timeout", "not_json".
	Code string
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Of returns the mark on err; an unmarked error is transient and may have had
// an effect.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: "unknown", Err: err}
}
