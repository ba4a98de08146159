package events

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoStream says that the server has nothing that stores events.
var ErrNoStream = errors.New("JetStream has no stream for customers.>: start a worker first, it creates the stream")

// ErrUnconfirmed says that ctx ended before the answer came: the event may be
// stored or not. Publishing it again under its id is safe for two minutes, and
// afterwards costs a row that ends as unchanged.
var ErrUnconfirmed = errors.New("not confirmed in time, the event may be stored or not: publish it again under the same id (a missing permission to publish looks the same)")

// send sends the message until there is an answer. failed is why an attempt that
// was made already had none.
func (p *Publisher) send(ctx context.Context, msg *nats.Msg, failed error) (Ack, error) {
	start := time.Now()
	for attempt := 0; ; attempt++ {
		if failed != nil {
			if err := p.final(ctx, failed, time.Since(start)); err != nil {
				return Ack{}, err
			}
			if pause(ctx, attempt) != nil {
				return Ack{}, p.final(ctx, failed, time.Since(start))
			}
		}
		var ack *jetstream.PubAck
		if ack, failed = p.attempt(ctx, msg); failed == nil {
			return Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
		}
	}
}

func (p *Publisher) attempt(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, or(p.Timeout, 5*time.Second))
	defer cancel()
	return p.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
}

// final returns the error with which to give up, nil to send again; after ctx has
// ended it never returns nil.
func (p *Publisher) final(ctx context.Context, err error, since time.Duration) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		patience := or(p.Patience, 10*time.Second)
		if ctx.Err() == nil && since < patience {
			p.move(since, min(patience/5, 2*time.Second))
			return nil
		}
		return fmt.Errorf("publish: %w", ErrNoStream)
	case ctx.Err() != nil:
		return fmt.Errorf("publish: %w: %w", ErrUnconfirmed, context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrAsyncPublishTimeout),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, jetstream.ErrTooManyStalledMsgs):
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("publish: the server takes %d bytes at most: set its max_payload to 1 MiB: %w", p.Conn.MaxPayload(), err)
	case p.Conn.IsClosed(), p.Conn.IsDraining(), errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("publish: the connection is closed, make a new Publisher: %w", err)
	case errors.As(err, &api) && (api.ErrorCode == errTemporarilyUnavailable || api.ErrorCode == errInProcess):
		return nil
	case errors.As(err, &api) && (api.ErrorCode == errStoreFailed || api.ErrorCode == errStoreFull):
		return fmt.Errorf("publish: the stream can't store it, look at its limits and at the server's disk: %w", err)
	}
	return fmt.Errorf("publish: %w", err)
}

// move asks for another server when no stream has answered for a while, once for
// all events that miss it.
func (p *Publisher) move(since, after time.Duration) {
	if p.Elsewhere == nil || since < after {
		return
	}
	p.mu.Lock()
	due := time.Since(p.moved) >= after
	if due {
		p.moved = time.Now()
	}
	p.mu.Unlock()
	if due {
		p.Elsewhere()
	}
}

// Codes of nats-server that nats.go has no names for.
const (
	errTemporarilyUnavailable jetstream.ErrorCode = 10008
	errStoreFull              jetstream.ErrorCode = 10023
	errStoreFailed            jetstream.ErrorCode = 10077
	// errInProcess says that the nodes of a cluster are still storing an earlier
	// attempt: the next one is told how that ended.
	errInProcess jetstream.ErrorCode = 10158
)

// pause waits before the next attempt: from 100 ms doubled up to 2 s, each cut by
// up to a half so that publishers do not come back all at once.
func pause(ctx context.Context, attempt int) error {
	wait := min(100*time.Millisecond<<min(attempt, 5), 2*time.Second)
	timer := time.NewTimer(wait - rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
