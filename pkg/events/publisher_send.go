package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoStream says that the server has nothing that stores events.
var ErrNoStream = errors.New("JetStream has no stream for customers.>: start a worker first, it creates the stream")

// ErrUnconfirmed says that ctx ended before the answer came: the event may be
// stored or not. Publishing it again under its id is safe for two minutes, and
// afterwards costs a row that ends as unchanged.
var ErrUnconfirmed = errors.New("not confirmed in time, the event may be stored or not: publish it again under the same id")

// ErrDenied says that the server lets this user not publish to the customer's
// subject, or not hear the answers.
var ErrDenied = errors.New("this user lacks a right at the server: it needs to publish to customers.<shop>.* and to subscribe to its inboxes (nats.CustomInboxPrefix, where they have a name of their own)")

// send sends the message until there is an answer. failed is why an attempt that
// was made already had none.
func (p *Publisher) send(ctx context.Context, msg *nats.Msg, failed error) (Ack, error) {
	var missed time.Time // since when no stream has answered
	for attempt := 0; ; attempt++ {
		if failed != nil {
			if !noStream(failed) {
				missed = time.Time{} // a server that is away says nothing of streams
			} else if missed.IsZero() {
				missed = time.Now()
			}
			if err := p.final(ctx, msg, failed, missed); err != nil {
				return Ack{}, err
			}
			if pause(ctx, attempt) != nil {
				return Ack{}, p.final(ctx, msg, failed, missed)
			}
		}
		var ack *jetstream.PubAck
		if ack, failed = p.attempt(ctx, msg); failed == nil {
			return Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
		}
	}
}

func noStream(err error) bool {
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

func (p *Publisher) attempt(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, or(p.Timeout, 5*time.Second))
	defer cancel()
	return p.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
}

// final returns the error with which to give up, nil to send again; after ctx has
// ended it never returns nil.
func (p *Publisher) final(ctx context.Context, msg *nats.Msg, err error, missed time.Time) error {
	var api *jetstream.APIError
	switch {
	case noStream(err):
		patience, since := or(p.Patience, 10*time.Second), time.Since(missed)
		if ctx.Err() == nil && since < patience {
			p.move(since, min(patience/5, 2*time.Second))
			return nil
		}
		return fmt.Errorf("publish: %w", ErrNoStream)
	case silent(err) && p.denied(msg.Subject):
		return fmt.Errorf("publish: %w: %w", ErrDenied, p.Conn.LastError())
	case ctx.Err() != nil:
		return fmt.Errorf("publish: %w: %w", ErrUnconfirmed, context.Cause(ctx))
	case silent(err), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, jetstream.ErrTooManyStalledMsgs):
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

// silent says that no answer came.
func silent(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, jetstream.ErrAsyncPublishTimeout)
}

// denied says whether silence is all that will come: the server drops what a user
// may not publish, and tells the connection and not whoever waits for an answer.
func (p *Publisher) denied(subject string) bool {
	err := p.Conn.LastError() // forgotten with each new connection
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	inbox := cmp.Or(p.Conn.Opts.InboxPrefix, "_INBOX")
	return strings.Contains(err.Error(), `"`+subject+`"`) || strings.Contains(err.Error(), `Subscription to "`+strings.TrimSuffix(inbox, ".")+".")
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
