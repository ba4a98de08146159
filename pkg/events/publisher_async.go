package events

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// PublishAsync sends an event without waiting for its Ack. It waits for room
// while MaxPending events are in flight. Events leave in the order of the calls;
// only one that has to be sent again may come behind later ones.
//
// done is called once, from another goroutine, with what Publish would have
// returned; ctx bounds the attempts. With a nil done an error is kept for Wait.
// When PublishAsync itself returns an error, nothing was sent and done is not
// called.
func (p *Publisher) PublishAsync(ctx context.Context, ev *Event, done func(Ack, error)) error {
	raw, err := p.Prepare(ev)
	if err != nil {
		return err
	}
	return p.PublishRawAsync(ctx, raw, done)
}

// PublishRawAsync is PublishAsync for an event that is encoded already. Its Data
// must not change before done is called.
func (p *Publisher) PublishRawAsync(ctx context.Context, raw Raw, done func(Ack, error)) error {
	msg, err := raw.message()
	if err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	if ctx.Err() != nil { // before a slot that may be free as well
		return fmt.Errorf("publish: %w", context.Cause(ctx))
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("publish: %w", context.Cause(ctx))
	}
	p.mu.Lock()
	if p.flying++; p.flying == 1 {
		p.landed = make(chan struct{})
	}
	p.mu.Unlock()

	future, failed := p.js.PublishMsgAsync(msg)
	go func() { // Wait waits for it
		var ack Ack
		if failed == nil {
			ack, failed = await(ctx, future)
		}
		if failed != nil {
			ack, failed = p.send(ctx, msg, failed)
		}
		<-p.slots // before done, which may publish the next
		p.land(ack, failed, done)
	}()
	return nil
}

func await(ctx context.Context, future jetstream.PubAckFuture) (Ack, error) {
	select {
	case ack := <-future.Ok():
		return Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
	case err := <-future.Err():
		return Ack{}, err
	case <-ctx.Done():
		return Ack{}, context.Cause(ctx)
	}
}

func (p *Publisher) land(ack Ack, err error, done func(Ack, error)) {
	if done != nil {
		done(ack, err)
		err = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dropped == nil {
		p.dropped = err
	}
	if p.flying--; p.flying == 0 {
		close(p.landed)
	}
}

// Wait waits until nothing is in flight and every done has returned. It returns
// the first error of an event without a done since the last Wait, or why ctx
// ended.
func (p *Publisher) Wait(ctx context.Context) error {
	p.mu.Lock()
	flying, landed := p.flying, p.landed
	p.mu.Unlock()
	if flying > 0 {
		select {
		case <-landed:
		case <-ctx.Done():
			return fmt.Errorf("wait for events in flight: %w", context.Cause(ctx))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.dropped
	p.dropped = nil
	return err
}
