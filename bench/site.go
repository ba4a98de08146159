package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/pkg/stream"
)

// site is a broker with the product's streams, and the product to run on it.
type site struct {
	*server
	nc      *nats.Conn
	js      jetstream.JetStream
	program string
	folder  string
}

// openSite starts a broker and makes the streams. The caller closes the site.
func (s *suite) openSite(ctx context.Context) (*site, error) {
	broker, err := startServer(ctx, s.Sync)
	if err != nil {
		return nil, err
	}
	o := &site{server: broker, program: s.Worker, folder: s.folder}
	if err := o.open(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (s *site) open(ctx context.Context) (err error) {
	if s.nc, err = s.connect(); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	return makeStreams(ctx, s.nc)
}

func (s *site) close() error {
	if s.nc != nil {
		s.nc.Close()
	}
	return s.stop()
}

// stored is how many messages a stream holds.
func (s *site) stored(ctx context.Context, name string) (int, error) {
	info, err := s.js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", name, err)
	}
	return int(info.CachedInfo().State.Msgs), nil
}

// entries is how many entries the ledger has, of all destinations.
func (s *site) entries(ctx context.Context) (int, error) { return s.stored(ctx, "KV_LEDGER") }

// rawPull pulls the first n events and acks them one by one, the measure of
// every drain.
func (s *site) rawPull(ctx context.Context, n int) (sample, error) {
	waiting, err := s.stored(ctx, stream.Customers)
	if err != nil {
		return sample{}, err
	}
	raw := pull{consumers: 1, policy: jetstream.AckExplicitPolicy, window: 500}
	took, err := raw.run(ctx, s.server, s.js, min(n, waiting))
	if err != nil {
		return sample{}, fmt.Errorf("raw pull: %w", err)
	}
	return took, nil
}
