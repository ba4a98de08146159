package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/pkg/stream"
)

// maxAckPending is far above what a pull holds, so that it is never what slows it.
const maxAckPending = 20_000

// pull is one way of draining the events.
type pull struct {
	consumers int // each with its share of the partitions
	policy    jetstream.AckPolicy
	window    int // events of one Fetch, and of one ack where that is for all
	// each is done with a window's subjects before its ack; nil: nothing.
	each func(ctx context.Context, subjects []string) error
}

// run drains n events and returns when the server has filed all acks.
func (p pull) run(ctx context.Context, s *server, js jetstream.JetStream, n int) (sample, error) {
	consumers, err := p.open(ctx, js)
	if err != nil {
		return sample{}, err
	}
	m, err := startMeter(s)
	if err != nil {
		return sample{}, err
	}
	if err := p.drain(ctx, consumers, n); err != nil {
		return sample{}, err
	}
	taken, err := m.stop(n)
	for _, c := range consumers {
		err = errors.Join(err, js.DeleteConsumer(ctx, stream.Customers, c.CachedInfo().Name))
	}
	return taken, err
}

func (p pull) open(ctx context.Context, js jetstream.JetStream) ([]jetstream.Consumer, error) {
	consumers := make([]jetstream.Consumer, p.consumers)
	for i := range consumers {
		config := jetstream.ConsumerConfig{
			Durable:        fmt.Sprintf("bench-%d", i),
			AckPolicy:      p.policy,
			FilterSubjects: shareOfPartitions(i, p.consumers),
		}
		if p.policy != jetstream.AckNonePolicy {
			config.AckWait, config.MaxAckPending = time.Minute, maxAckPending
		}
		var err error
		if consumers[i], err = js.CreateConsumer(ctx, stream.Customers, config); err != nil {
			return nil, fmt.Errorf("make consumer: %w", err)
		}
	}
	return consumers, nil
}

// shareOfPartitions returns the filters of the i-th of n consumers; none for one
// that takes everything.
func shareOfPartitions(i, n int) []string {
	if n == 1 {
		return nil
	}
	filters := make([]string, partitions/n)
	for p := range filters {
		filters[p] = fmt.Sprintf("customers.%d.>", i*len(filters)+p)
	}
	return filters
}

// drain takes n events from all consumers at once.
func (p pull) drain(ctx context.Context, consumers []jetstream.Consumer, n int) error {
	var total atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, len(consumers))
	for i, c := range consumers {
		group.Go(func() {
			got, err := p.empty(ctx, c, n)
			total.Add(int64(got))
			errs[i] = err
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if got := int(total.Load()); got != n {
		return fmt.Errorf("drain: got %d events, want %d", got, n)
	}
	return nil
}

// empty takes what one consumer has, n events at most. It never asks for more
// than there is, because Fetch waits for all that it asked for.
func (p pull) empty(ctx context.Context, c jetstream.Consumer, n int) (got int, err error) {
	info, err := c.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask consumer: %w", err)
	}
	n = min(n, int(info.NumPending))
	held := make([]jetstream.Msg, 0, p.window)
	for got < n {
		batch, err := c.Fetch(min(p.window, n-got), jetstream.FetchContext(ctx))
		if err != nil {
			return got, fmt.Errorf("fetch: %w", err)
		}
		held = held[:0]
		for msg := range batch.Messages() {
			held = append(held, msg)
		}
		if err := batch.Error(); err != nil {
			return got, fmt.Errorf("fetch: %w", err)
		}
		if err := p.settle(ctx, held); err != nil {
			return got, err
		}
		got += len(held)
	}
	return got, waitSettled(ctx, c)
}

// settle does each with a window and acks it.
func (p pull) settle(ctx context.Context, held []jetstream.Msg) error {
	if p.each != nil {
		subjects := make([]string, len(held))
		for i, msg := range held {
			subjects[i] = msg.Subject()
		}
		if err := p.each(ctx, subjects); err != nil {
			return err
		}
	}
	switch p.policy {
	case jetstream.AckNonePolicy:
		return nil
	case jetstream.AckAllPolicy:
		held = held[len(held)-1:]
	}
	for _, msg := range held {
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
	return nil
}

// waitSettled returns when the server has filed every ack: they are sent without
// waiting for an answer, and what is not filed is not done.
func waitSettled(ctx context.Context, c jetstream.Consumer) error {
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		info, err := c.Info(ctx)
		if err != nil {
			return fmt.Errorf("ask consumer: %w", err)
		}
		if info.NumAckPending == 0 {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
