package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// combined is all that the broker does for a drained row: pull, look up the
// ledger, write the ledger, ack. It bounds every worker, whose own work and the
// provider's come on top.
type combined struct {
	policy jetstream.AckPolicy
	window int
	atomic bool // write a window's rows in one batch; else singly
	lookUp bool // look the keys up before
}

func (c combined) run(ctx context.Context, m *raw) (sample, error) {
	ledger := m.freshLedger()
	prefix, err := makeLedger(ctx, m.js, ledger)
	if err != nil {
		return sample{}, err
	}
	w, err := newWriter(m.nc, partitions, c.window)
	if err != nil {
		return sample{}, err
	}
	defer w.close()
	values := slices.Repeat([][]byte{entryOf()}, c.window)

	p := pull{consumers: partitions, policy: c.policy, window: c.window}
	p.each = func(ctx context.Context, subjects []string) error {
		for i, subject := range subjects {
			subjects[i] = prefix + ".d1" + strings.TrimPrefix(subject, "customers")
		}
		if c.lookUp {
			if err := lookUpNew(ctx, m.js, "KV_"+ledger, subjects); err != nil {
				return err
			}
		}
		if c.atomic {
			return atomicBatch(ctx, m.nc, subjects, values[0])
		}
		return w.write(ctx, subjects, values, absent())
	}
	taken, err := p.run(ctx, m.server, m.js, m.Events)
	if err != nil {
		return sample{}, err
	}
	return taken, m.js.DeleteStream(ctx, "KV_"+ledger)
}

// lookUpNew looks up keys none of which may be there.
func lookUpNew(ctx context.Context, js jetstream.JetStream, stream string, subjects []string) error {
	for keys := range slices.Chunk(subjects, window) {
		n, err := lookUpOwn(ctx, js, stream, keys)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("look up: %d keys are there before they were written", n)
		}
	}
	return nil
}
