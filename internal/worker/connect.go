package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
		if err == nil || !isAway(err) {
			return nc, err
		}
		w.Log.Warn().Err(err).Msg("nats is away; trying again")
		if pause(ctx, retryStart); ctx.Err() != nil {
			return nil, nil
		}
	}
}

// open makes or finds the streams, and waits for JetStream to answer.
func (w *Worker) open(ctx context.Context) (*stream.Streams, error) {
	c := w.Config.Stream
	for {
		s, err := stream.Open(ctx, w.nc, stream.Config{
			Partitions: c.Partitions, Replicas: c.Replicas, History: c.HistoryPerCustomer,
			Synced: w.Config.NATS.IsEmbedded() && w.Config.NATS.Embedded.Sync.Always(),
		})
		if err == nil || ctx.Err() == nil && !isAway(err) && w.nc.IsConnected() {
			return s, err
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		w.Log.Warn().Err(err).Msg("jetstream does not answer; trying again")
		if pause(ctx, retryStart); ctx.Err() != nil {
			return nil, nil
		}
	}
}

// begin makes a destination's runner, and waits for JetStream to answer. It returns
// nothing at all when ctx ends before.
func (w *Worker) begin(ctx context.Context, d *config.Destination) (*runner, error) {
	for {
		r, err := w.newRunner(ctx, d)
		if err == nil || ctx.Err() == nil && !isAway(err) && w.nc.IsConnected() {
			return r, err
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		w.Log.Warn().Err(err).Msg("jetstream does not answer; trying again")
		if pause(ctx, retryStart); ctx.Err() != nil {
			return nil, nil
		}
	}
}

// isAway tells an absent server from one that refuses. Its name may be unknown for
// as long as it is away.
func isAway(err error) bool {
	if at, ok := errors.AsType[*net.OpError](err); ok && at.Op == "dial" {
		return true
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.Code == http.StatusServiceUnavailable {
		return true // a cluster without a leader
	}
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrDisconnected)
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
