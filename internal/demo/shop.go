package demo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/internal/sample"
	"github.com/custsync/custsync/pkg/events"
)

// shop publishes what the five shops' customers do, and remembers what the
// providers have to hold in the end.
type shop struct {
	publisher *events.Publisher
	steps     []step
	customers []*customer

	done      atomic.Int64  // steps
	stored    atomic.Uint64 // events that the stream stored
	duplicate atomic.Uint64 // events that it had already
	failed    atomic.Pointer[error]
}

// customer is one whose newest state the providers owe.
type customer struct {
	shop    string
	state   events.Customer // as last made; its versions grow from 1
	newest  int64           // highest version published; 0: nothing that can be read
	deleted bool
}

// step is one thing that a shop does.
type step struct {
	of     *customer
	change change
	says   string // told when it happens; empty: it is nothing special
}

type change uint8

const (
	first  change = iota // the customer as it is
	next                 // its next version
	late                 // the next but one, and the next one behind it
	twice                // the last event again, with its id
	remove               // a delete
	bare                 // a document that is no event
)

const seed = 20261122 // the same customers in every run

// newShop lays out the steps: each customer comes up; every fifth changes a
// while later; every twentieth twice at once; and one each does what
// customers rarely do.
func newShop(p *events.Publisher, n int) *shop {
	s := &shop{publisher: p}
	later := make([][]step, n)
	at := func(i, after int, st step) { later[min(i+after, n-1)] = append(later[min(i+after, n-1)], st) }
	for i := range n {
		name, state := sample.Customer(seed, i)
		c := &customer{shop: name, state: state}
		s.customers = append(s.customers, c)
		at(i, 0, step{of: c})
		id := c.shop + " " + c.state.ID
		switch i {
		case n / 5:
			at(i, 0, step{of: c, change: twice, says: id + " is published twice: the stream keeps one"})
		case n / 3:
			at(i, 1, step{of: c, change: late, says: id + ": version 2 comes behind version 3: superseded"})
		case n / 2:
			at(i, n/4, step{of: c, change: remove, says: id + " is deleted"})
		case 2 * n / 3:
			lost := &customer{shop: name, state: events.Customer{ID: "bare-1"}}
			s.customers = append(s.customers, lost)
			at(i, 0, step{of: lost, change: bare, says: name + " bare-1 is no event: a dead letter, nothing guessed at"})
		default:
			if i%5 == 0 {
				at(i, n/4, step{of: c, change: next})
			}
			if i%20 == 7 {
				at(i, 0, step{of: c, change: next})
				at(i, 0, step{of: c, change: next})
			}
		}
	}
	for _, steps := range later {
		s.steps = append(s.steps, steps...)
	}
	return s
}

// publish does all steps, at a pace that can be followed, and returns when the
// stream has stored them.
func (s *shop) publish(ctx context.Context, say func(string)) error {
	span := min(max(time.Duration(len(s.customers))*time.Second/250, shortest), longest)
	begun := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < len(s.steps); {
		due := int(float64(len(s.steps)) * min(float64(time.Since(begun))/float64(span), 1))
		for ; i < due; i++ {
			if err := s.take(ctx, &s.steps[i]); err != nil {
				return err
			}
			s.done.Add(1)
			if says := s.steps[i].says; says != "" {
				say(says)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	err := s.publisher.Wait(ctx)
	if failed := s.failed.Load(); failed != nil {
		err = errors.Join(*failed, err)
	}
	return err
}

// How long publishing may take: long enough to see the worker work while it goes
// on, short enough to wait for.
const (
	shortest = 1500 * time.Millisecond
	longest  = 10 * time.Second
)

// share is how much has been published, 0 to 1.
func (s *shop) share() float64 { return float64(s.done.Load()) / float64(len(s.steps)) }

// take does one step.
func (s *shop) take(ctx context.Context, st *step) error {
	c := st.of
	switch st.change {
	case first:
		return s.send(ctx, c)
	case next:
		c.state = sample.Change(c.state, c.state.Version.V+1)
		return s.send(ctx, c)
	case late:
		older := sample.Change(c.state, c.state.Version.V+1)
		c.state = sample.Change(older, older.Version.V+1)
		if err := s.send(ctx, c); err != nil {
			return err
		}
		return s.async(ctx, &events.Event{Shop: c.shop, Customer: older})
	case twice:
		return s.send(ctx, c)
	case remove:
		c.state.Version.V++
		c.newest, c.deleted = c.state.Version.V, true
		return s.async(ctx, &events.Event{
			Type: events.Deleted, Shop: c.shop, Customer: events.Customer{ID: c.state.ID, Version: c.state.Version},
		})
	case bare:
		raw := events.Raw{Shop: c.shop, Customer: c.state.ID, ID: c.state.ID, Data: fmt.Appendf(nil, `{"id":%q}`, c.state.ID)}
		return s.publisher.PublishRawAsync(ctx, raw, s.stand)
	}
	return nil
}

// send publishes the customer's state as it is now.
func (s *shop) send(ctx context.Context, c *customer) error {
	c.newest = c.state.Version.V
	return s.async(ctx, &events.Event{Shop: c.shop, Customer: c.state})
}

func (s *shop) async(ctx context.Context, ev *events.Event) error {
	return s.publisher.PublishAsync(ctx, ev, s.stand)
}

// stand notes what became of an event.
func (s *shop) stand(ack events.Ack, err error) {
	switch {
	case err != nil:
		s.failed.CompareAndSwap(nil, &err)
	case ack.Duplicate:
		s.duplicate.Add(1)
	default:
		s.stored.Add(1)
	}
}
