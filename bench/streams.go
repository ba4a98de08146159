package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/pkg/stream"
)

// publishCustomers makes the product's streams and publishes n events of n
// customers, each once.
func publishCustomers(ctx context.Context, nc *nats.Conn, n int) error {
	if err := makeStreams(ctx, nc); err != nil {
		return err
	}
	return publish(ctx, nc, firstEvents(n), 4)
}

// makeStreams makes the product's streams.
func makeStreams(ctx context.Context, nc *nats.Conn) error {
	streams, err := stream.Open(ctx, nc, stream.Config{Partitions: partitions})
	if err != nil {
		return err
	}
	streams.Close()
	return nil
}

// openBroker starts a broker that has the product's streams. The caller ends it.
func openBroker(ctx context.Context, sync string) (s *server, nc *nats.Conn, end func() error, err error) {
	if s, err = startServer(ctx, sync); err != nil {
		return nil, nil, nil, err
	}
	if nc, err = s.connect(); err != nil {
		return nil, nil, nil, errors.Join(err, s.stop())
	}
	end = func() error {
		nc.Close()
		return s.stop()
	}
	if err = makeStreams(ctx, nc); err != nil {
		return nil, nil, nil, errors.Join(err, end())
	}
	return s, nc, end, nil
}

// publish stores the changes as fast as it can, so many groups at once: one keeps
// them in order.
func publish(ctx context.Context, nc *nats.Conn, changes []change, atOnce int) error {
	w, err := newWriter(nc, atOnce, writerSlots)
	if err != nil {
		return err
	}
	defer w.close()
	return inGroups(len(changes), writerSlots, atOnce, func(first, count int) error {
		subjects, events := make([]string, count), make([][]byte, count)
		for i, c := range changes[first : first+count] {
			subjects[i], events[i] = customerSubject(c.Customer), c.event()
		}
		if err := w.write(ctx, subjects, events, nil); err != nil {
			return fmt.Errorf("publish events: %w", err)
		}
		return nil
	})
}

// makeLedger makes a stream shaped like the ledger's bucket, which also takes
// fast ingest. Its keys begin with the returned prefix.
func makeLedger(ctx context.Context, js jetstream.JetStream, name string) (prefix string, err error) {
	prefix = "$KV." + name
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name:               "KV_" + name,
		Subjects:           []string{prefix + ".>"},
		Storage:            jetstream.FileStorage,
		MaxMsgsPerSubject:  1,
		Discard:            jetstream.DiscardNew,
		AllowDirect:        true,
		AllowRollup:        true,
		DenyDelete:         true,
		AllowAtomicPublish: true,
		AllowBatchPublish:  true,
	})
	if err != nil {
		return "", fmt.Errorf("make ledger %s: %w", name, err)
	}
	return prefix, nil
}
