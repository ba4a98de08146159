package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Rate holds a destination to its calls per second. The loop takes the first
// call of a delivery before it cuts the batch, so that rows wait where newer
// ones can still replace them; further calls of the delivery wait in Before.
type Rate struct {
	limiter *rate.Limiter
	calls   atomic.Uint64
}

// NewRate allows so many calls per second, evenly spread; 0 means no limit.
func NewRate(callsPerSecond float64) *Rate {
	if callsPerSecond <= 0 {
		return &Rate{limiter: rate.NewLimiter(rate.Inf, 1)}
	}
	return &Rate{limiter: rate.NewLimiter(rate.Limit(callsPerSecond), 1)}
}

// Set changes the limit, for a share of a fleet's.
func (r *Rate) Set(callsPerSecond float64) {
	if callsPerSecond > 0 {
		r.limiter.SetLimit(rate.Limit(callsPerSecond))
	}
}

// Calls is the number of calls made so far.
func (r *Rate) Calls() uint64 { return r.calls.Load() }

type prepaidKey struct{}

// take takes the right to a call now, or says how long to wait for it.
func (r *Rate) take(now time.Time) (wait time.Duration, ok bool) {
	if r == nil {
		return 0, true
	}
	res := r.limiter.ReserveN(now, 1)
	if wait = res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// prepaid marks a delivery's context: its first call has been taken.
func prepaid(ctx context.Context) context.Context {
	return context.WithValue(ctx, prepaidKey{}, new(atomic.Bool))
}

// Before is called by a sink before each call of a delivery; it waits for the
// right to make it.
func (r *Rate) Before(ctx context.Context) error {
	r.calls.Add(1)
	if used, ok := ctx.Value(prepaidKey{}).(*atomic.Bool); ok && used.CompareAndSwap(false, true) {
		return nil
	}
	return r.limiter.Wait(ctx)
}
