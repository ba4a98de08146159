package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// trial is one run: its own providers and workers at a site.
type trial struct {
	*site
	providers []*child
	workers   []*worker
	spent     time.Duration // processor time of workers that have ended
}

// try makes a trial, has it measured, and ends what is left of it. The last
// measure is what others used of the machine meanwhile.
func (s *site) try(ctx context.Context, measure func(context.Context, *trial) ([]measure, error)) (told []measure, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTakes)
	defer cancel()
	t := &trial{site: s}
	m, err := startMeter(s.server)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, ended := t.end()
		for _, p := range t.providers {
			ended = errors.Join(ended, p.stop())
		}
		err = errors.Join(err, ended)
	}()
	if told, err = measure(ctx, t); err != nil {
		return nil, err
	}
	others, err := t.others(m)
	return append(told, others), err
}

// others ends the workers and tells what the machine did beside the trial.
func (t *trial) others(m *meter) (measure, error) {
	if _, err := t.end(); err != nil {
		return measure{}, err
	}
	took, err := m.stop(1)
	if err != nil {
		return measure{}, err
	}
	// The trial's own children are among the others of the meter, which knows this
	// process and the broker only.
	others := took.Others - t.spent
	for _, p := range t.providers {
		var seen standInState
		if err := p.ask(&seen); err != nil {
			return measure{}, err
		}
		others -= seen.CPU
	}
	return measure{What: "others' share of the machine", Unit: "%", Value: 100 * shareOfMachine(max(0, others), took.Took)}, nil
}

// provider starts a stand-in, which ends with the trial.
func (t *trial) provider(ctx context.Context, m manner) (*child, error) {
	p, err := startChild(ctx, append([]string{"stand-in"}, m.flags()...)...)
	if err == nil {
		t.providers = append(t.providers, p)
	}
	return p, err
}

// work starts a worker.
func (t *trial) work(ctx context.Context, destinations ...destination) (*worker, error) {
	w, err := startWorker(ctx, t.program, t.folder, setting{NATS: t.URL, Destinations: destinations})
	if err == nil {
		t.workers = append(t.workers, w)
	}
	return w, err
}

// end ends the workers as an operator does and returns the processor time that
// they used.
func (t *trial) end() (used time.Duration, errs error) {
	for _, w := range t.workers {
		its, err := w.stop()
		errs = errors.Join(errs, err)
		used += its
	}
	t.workers = nil
	t.spent += used
	return used, errs
}

// await returns what the provider has seen as soon as done says yes to it.
func (t *trial) await(ctx context.Context, provider *child, done func(standInState) (bool, error)) (standInState, error) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		var seen standInState
		if err := provider.ask(&seen); err != nil {
			return seen, err
		}
		if yes, err := done(seen); yes || err != nil {
			return seen, err
		}
		if err := t.running(); err != nil {
			return seen, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return seen, fmt.Errorf("%d customers delivered so far: %w", seen.Customers, ctx.Err())
		}
	}
}

// running says if a worker has ended on its own.
func (t *trial) running() error {
	for _, w := range t.workers {
		select {
		case <-w.ended:
			return errors.New("the worker ended on its own")
		default:
		}
	}
	return nil
}

// pause waits while the workers work.
func (t *trial) pause(ctx context.Context, d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		return t.running()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cost is what a trial took of the machine.
type cost struct {
	Worker, Broker, Provider time.Duration
	Took                     time.Duration
}

// cost ends the workers and returns what was used since the meter began.
func (t *trial) cost(m *meter) (cost, error) {
	took, err := m.stop(1)
	if err != nil {
		return cost{}, err
	}
	c := cost{Broker: took.Server, Took: took.Took}
	if c.Worker, err = t.end(); err != nil {
		return cost{}, err
	}
	for _, p := range t.providers {
		var seen standInState
		if err := p.ask(&seen); err != nil {
			return cost{}, err
		}
		c.Provider += seen.CPU
	}
	return c, nil
}

// measures tells the cost of n rows.
func (c cost) measures(n int) []measure {
	return []measure{
		{What: workersTime, Unit: "s", Value: per100k(c.Worker, n)},
		{What: brokersTime, Unit: "s", Value: per100k(c.Broker, n)},
		{What: "provider's", Unit: "s", Value: per100k(c.Provider, n)},
	}
}

// beside tells the cost of n rows beside the raw pull's of as many events.
func (c cost) beside(raw sample, n int) []measure {
	told := c.measures(n)
	told[0].Beside, told[0].Raw = "raw pull", per100k(raw.Client, raw.Count)
	told[1].Beside, told[1].Raw = "raw pull", per100k(raw.Server, raw.Count)
	return told
}

const (
	workersTime = "worker's processor time for 100,000 rows"
	brokersTime = "broker's"
)

// per100k is the time used for 100,000 rows in seconds, if it was used for n.
func per100k(used time.Duration, n int) float64 { return used.Seconds() / float64(n) * 100_000 }

// owed says what is wrong with what a provider was given, which is to be the
// newest of each customer, none older than before, and nobody created twice.
func owed(seen standInState, customers, versions int) error {
	if seen.Customers != customers || seen.Versions != versions {
		return fmt.Errorf("the provider holds %d customers at %d versions in sum, want %d at %d", seen.Customers, seen.Versions, customers, versions)
	}
	return sound(seen)
}

// sound is owed for a provider that has not been given all yet.
func sound(seen standInState) error {
	if seen.Back > 0 || seen.Twice > 0 || seen.Strange > 0 {
		return fmt.Errorf("the provider was given %d rows older than before, %d customers to create once more, and %d things that are no batch or search",
			seen.Back, seen.Twice, seen.Strange)
	}
	return nil
}
