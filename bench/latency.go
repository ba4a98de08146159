package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// latency measures from publish to arrival at the provider, events coming evenly
// at a rate that leaves the machine idle. An event's time is when it was due, so
// that a publisher that falls behind makes the figure worse and not better.
type latency struct {
	PerSecond int
	Warm      time.Duration // published before, not measured
	Measured  time.Duration
	Linger    time.Duration
}

func (l latency) runs(ctx context.Context, s *suite) ([][]measure, error) {
	return s.onSites(ctx, "latency", func(ctx context.Context, t *trial) ([]measure, error) {
		provider, err := t.provider(ctx, manner{Times: true})
		if err != nil {
			return nil, err
		}
		m, err := startMeter(t.server)
		if err != nil {
			return nil, err
		}
		d := usual("latency", provider.URL)
		d.Linger = l.Linger
		if _, err := t.work(ctx, d); err != nil {
			return nil, err
		}
		js, err := jetstream.New(t.nc)
		if err != nil {
			return nil, fmt.Errorf("use JetStream: %w", err)
		}
		warm, measured := l.events(l.Warm), l.events(l.Measured)
		if _, err := l.publish(ctx, js, 0, warm, false); err != nil {
			return nil, err
		}
		late, err := l.publish(ctx, js, warm, measured, true)
		if err != nil {
			return nil, err
		}
		n := warm + measured
		seen, err := t.await(ctx, provider, func(seen standInState) (bool, error) { return seen.Customers >= n, nil })
		if err != nil {
			return nil, err
		}
		if err := owed(seen, n, n); err != nil {
			return nil, err
		}
		if len(seen.Waits) != measured {
			return nil, fmt.Errorf("%d events were measured, want %d", len(seen.Waits), measured)
		}
		cost, err := t.cost(m)
		if err != nil {
			return nil, err
		}
		slices.Sort(seen.Waits)
		of := func(share float64) float64 { return quantile(seen.Waits, share) / 1e3 }
		linger := float64(l.Linger.Milliseconds())
		told := []measure{
			{What: "publish to arrival, p50", Unit: "ms", Value: of(0.50), Beside: "a perfect linger", Raw: linger / 2, Want: atMost(30)},
			{What: "publish to arrival, p99", Unit: "ms", Value: of(0.99), Beside: "a perfect linger", Raw: linger, Want: atMost(58)},
			{What: "publish to arrival, longest", Unit: "ms", Value: of(1)},
			{What: "of it the publisher's being late, p99", Unit: "ms", Value: quantile(late, 0.99) / 1e3},
			{What: "rows of a call", Value: float64(seen.Rows) / float64(seen.Calls), Beside: "a perfect linger", Raw: float64(l.PerSecond) * l.Linger.Seconds()},
		}
		return append(told, cost.measures(n)...), nil
	})
}

func (l latency) events(within time.Duration) int {
	return int(within.Seconds() * float64(l.PerSecond))
}

// publish publishes the first events of n customers, one after another when each
// is due, without waiting for answers, and returns how late each was, in
// microseconds from the shortest to the longest. All are stored when it returns.
func (l latency) publish(ctx context.Context, js jetstream.JetStream, from, n int, stamped bool) ([]int64, error) {
	late := make([]int64, n)
	answers := make([]jetstream.PubAckFuture, n)
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(l.PerSecond))
		if err := sleepUntil(ctx, due); err != nil {
			return nil, err
		}
		late[i] = time.Since(due).Microseconds()
		c := change{Customer: from + i, Version: 1}
		if stamped {
			c.Stamp = due.UnixNano()
		}
		var err error
		if answers[i], err = js.PublishAsync(customerSubject(c.Customer), c.event()); err != nil {
			return nil, fmt.Errorf("publish: %w", err)
		}
	}
	for _, answer := range answers {
		select {
		case <-answer.Ok():
		case err := <-answer.Err():
			return nil, fmt.Errorf("publish: %w", err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	slices.Sort(late)
	return late, nil
}

// sleepUntil is exact to a fraction of a millisecond, which the runtime's timers
// are not while the process is idle.
func sleepUntil(ctx context.Context, due time.Time) error {
	for wait := time.Until(due); wait > 0; wait = time.Until(due) {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := syscall.NsecToTimespec(min(wait, time.Second).Nanoseconds())
		if err := syscall.Nanosleep(&step, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("sleep: %w", err)
		}
	}
	return nil
}

// quantile is the value below or at which this share of the sorted ones lies.
func quantile(sorted []int64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(share*float64(len(sorted))+0.5) - 1
	return float64(sorted[min(max(i, 0), len(sorted)-1)])
}
