package retry

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy says how a row, or a closed gate, waits from attempt to attempt. The
// zero Policy has the defaults that are given at each field.
type Policy struct {
	Initial    time.Duration // wait after the first attempt; 500 ms
	Max        time.Duration // the longest wait; 2 min
	Multiplier float64       // from wait to wait; 2
	Jitter     float64       // share of a wait that chance takes or adds; 0.5, negative for none
	// MaxAttempts and MaxElapsed bound a row's retries, whichever is reached
	// first; 10 and 24 h. What the provider as a whole refuses does not count.
	MaxAttempts int
	MaxElapsed  time.Duration
}

// WithDefaults returns the policy with every zero field given its default.
func (p Policy) WithDefaults() Policy {
	if p.Initial <= 0 {
		p.Initial = 500 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 2 * time.Minute
	}
	if p.Multiplier < 1 {
		p.Multiplier = 2
	}
	if p.Jitter == 0 {
		p.Jitter = 0.5
	}
	if p.MaxAttempts <= 0 {
		p.MaxAttempts = 10
	}
	if p.MaxElapsed <= 0 {
		p.MaxElapsed = 24 * time.Hour
	}
	return p
}

// Delay returns how long to wait after the attempt of that number, 1 being the
// first: Initial, growing by Multiplier up to Max, spread by Jitter.
func (p Policy) Delay(attempt int) time.Duration {
	p = p.WithDefaults()
	b := backoff.ExponentialBackOff{
		InitialInterval:     p.Initial,
		MaxInterval:         p.Max,
		Multiplier:          p.Multiplier,
		RandomizationFactor: max(p.Jitter, 0),
		Clock:               backoff.SystemClock,
	}
	b.Reset()
	wait := b.NextBackOff()
	// The interval grows to Max in few steps; beyond them more steps change nothing.
	for i := 1; i < min(attempt, 64); i++ {
		wait = b.NextBackOff()
	}
	return wait
}

// Exhausted reports whether a row that has had so many attempts since its first
// one is at its bound.
func (p Policy) Exhausted(attempts int, elapsed time.Duration) bool {
	p = p.WithDefaults()
	return attempts >= p.MaxAttempts || elapsed >= p.MaxElapsed
}
