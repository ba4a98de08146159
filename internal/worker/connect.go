package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/stream"
)

// retryStart is how often a worker that starts asks for a server that is away.
const retryStart = 2 * time.Second

// connect waits for the server to be there: workers and servers may be started
// in any order. It returns nothing at all when ctx ends before.
func (w *Worker) connect(ctx context.Context) (*nats.Conn, error) {
	for {
		nc, err := Dial(w.Config, w.Log)
		if err == nil || !stream.IsAway(err) {
			return nc, err
		}
		w.Log.Warn().Err(err).Msg("nats is away; trying again")
		if pause(ctx, retryStart); ctx.Err() != nil {
			return nil, nil
		}
	}
}

// open makes or finds the streams. It returns nothing at all when ctx ends before.
func (w *Worker) open(ctx context.Context) (*stream.Streams, error) {
	c := w.Config.Stream
	return insist(ctx, w, func() (*stream.Streams, error) {
		return stream.Open(ctx, w.nc, stream.Config{
			Partitions: c.Partitions, Replicas: c.Replicas, History: c.HistoryPerCustomer,
			Synced: w.Config.NATS.IsEmbedded() && w.Config.NATS.Embedded.Sync.Always(),
		})
	})
}

// begin makes a destination's runner. It returns nothing at all when ctx ends before.
// While others work on the destination by the name that it had, it waits for them.
func (w *Worker) begin(ctx context.Context, d *config.Destination) (*runner, error) {
	for {
		r, err := insist(ctx, w, func() (*runner, error) { return w.newRunner(ctx, d) })
		if !errors.Is(err, stream.ErrLayoutBusy) {
			return r, err
		}
		w.Log.Warn().Err(err).Msg("waiting for the workers that know it by its former name; stop them")
		if pause(ctx, retryStart); ctx.Err() != nil {
			return nil, nil
		}
	}
}

// insist waits for JetStream to answer, at whichever server of those that there are.
func insist[T any](ctx context.Context, w *Worker, do func() (*T, error)) (*T, error) {
	for {
		before := w.nc.Stats().Reconnects
		made, err := do()
		// What a connection that broke meanwhile makes of it says nothing.
		whole := w.nc.IsConnected() && w.nc.Stats().Reconnects == before
		if err == nil || ctx.Err() == nil && !stream.IsAway(err) && whole {
			return made, err
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		w.Log.Warn().Err(err).Msg("jetstream does not answer; trying again")
		w.tryAnother(ctx)
		if pause(ctx, retryStart); ctx.Err() != nil {
			return nil, nil
		}
	}
}

// A connection without an answer to two of these is given up for another one: a
// cut cable tells nothing, and the lease runs on.
const pingInterval = 2 * time.Second

// Dial connects to the server that a configuration names, and comes back to it
// for ever.
func Dial(c *config.Config, log zerolog.Logger) (*nats.Conn, error) {
	n := &c.NATS
	options := []nats.Option{
		nats.Name("custsync"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			log.Error().Err(err).Msg("nats")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn().Err(err).Msg("nats is away")
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info().Msg("nats is back") }),
	}
	options = append(options, credentials(n)...)
	nc, err := nats.Connect(n.DialURL(), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to nats at %s: %w%s", n.DialURL(), err, dialHint(n))
	}
	return nc, nil
}

func dialHint(n *config.NATS) string {
	if n.IsEmbedded() {
		return "; start it with: worker run -c FILE"
	}
	return "; is nats-server running there, with JetStream?"
}

func credentials(n *config.NATS) []nats.Option {
	var options []nats.Option
	if n.Creds != "" {
		options = append(options, nats.UserCredentials(n.Creds))
	}
	if n.User != "" {
		options = append(options, nats.UserInfo(n.User, string(n.Password)))
	}
	if n.NKey != "" {
		if o, err := nats.NkeyOptionFromSeed(n.NKey); err == nil {
			options = append(options, o)
		} else {
			options = append(options, func(*nats.Options) error { return fmt.Errorf("nkey: %w", err) })
		}
	}
	if n.TLS.CA != "" {
		options = append(options, nats.RootCAs(n.TLS.CA))
	}
	if n.TLS.Cert != "" {
		options = append(options, nats.ClientCert(n.TLS.Cert, n.TLS.Key))
	}
	return options
}
