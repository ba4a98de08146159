package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// sending is the rows of one batch on their way. A customer's rows go one after
// the other, so that none is stored before an earlier one, whatever is sent twice.
type sending struct {
	publisher *events.Publisher
	hold      func() error // why no more may be sent
}

type key struct{ shop, customer string }

// errStale says that this relay may have lost its lock while it stood still.
var errStale = errors.New("the database was not heard of in time, and another relay may be active")

// send publishes the rows and returns when nothing is in flight any more: soon
// after asked ends. failed is why some of them are not stored yet; err ends the
// session.
func (s *session) send(asked context.Context, rows []*row) (failed, err error) {
	// What is in flight when the relay is asked to stop is waited for.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(asked))
	defer cancel(nil)
	defer context.AfterFunc(asked, func() {
		_ = wait(ctx, grace)
		cancel(context.Cause(asked))
	})()
	b := &sending{publisher: s.relay.Publisher, hold: func() error {
		if !s.fresh() {
			return errStale
		}
		return asked.Err()
	}}
	sent := make(chan error, 1)
	go func() { sent <- b.all(ctx, rows) }()

	ticker := time.NewTicker(speak)
	defer ticker.Stop()
	away := time.Now()
	for {
		select {
		case err := <-sent:
			return errors.Join(err, first(rows)), nil
		case <-ticker.C:
		}
		// The database hears that this relay lives; another one's way to NATS may be better.
		if pinged := s.keep(ctx); pinged != nil {
			cancel(pinged)
			<-sent
			return nil, pinged
		}
		if s.relay.connected() {
			away = time.Now()
		} else if time.Since(away) > bear {
			cancel(errAway)
			<-sent
			return nil, errors.Join(errAway, s.settle(context.WithoutCancel(ctx), rows))
		}
	}
}

var errAway = errors.New("NATS is away; another relay may be active meanwhile")

// all sends the first rows of all customers, and each one's others as they land.
func (b *sending) all(ctx context.Context, rows []*row) error {
	chains := make(map[key][]*row, len(rows))
	for _, r := range rows {
		if r.refused == "" {
			k := key{r.shop, r.key}
			chains[k] = append(chains[k], r)
		}
	}
	for _, r := range rows {
		if chain := chains[key{r.shop, r.key}]; len(chain) > 0 && chain[0] == r {
			b.next(ctx, chain)
		}
	}
	return b.publisher.Wait(context.WithoutCancel(ctx)) // it ends when ctx does, and every attempt with it
}

// next sends a customer's next row. What is not sent stays in the table, as does
// all that comes behind it.
func (b *sending) next(ctx context.Context, chain []*row) {
	r := chain[0]
	if r.err = b.hold(); r.err != nil {
		return
	}
	err := b.publisher.PublishRawAsync(ctx, r.raw, func(ack events.Ack, err error) {
		switch {
		case err == nil:
			r.stored, r.duplicate = true, ack.Duplicate
		case unfit(err):
			r.refused = err.Error()
		default:
			r.err = err
			return
		}
		if len(chain) > 1 {
			b.next(ctx, chain[1:])
		}
	})
	if err != nil {
		r.err = err
	}
}

// first is the first failure of a batch.
func first(rows []*row) error {
	for _, r := range rows {
		if r.err != nil {
			return r.err
		}
	}
	return nil
}
