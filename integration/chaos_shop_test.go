package integration

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// shop is a backend with many writers, each of whom changes customers of its own:
// what it has published last of a customer is the customer's newest version.
type shop struct {
	publisher *events.Publisher
	newest    []state // by customer; a writer touches its own only
	published atomic.Int64
}

// state is what a shop says of a customer.
type state struct {
	version int64
	kind    kind
	late    int // older versions that were published after it
}

type kind uint8

const (
	changed kind = iota
	deleted
	invalid // no provider takes it
	refused // thulium answers that it doesn't take it
)

const (
	shopWriters = 6
	// shopPause is about how long a writer waits between two changes.
	shopPause = 40 * time.Millisecond
	// maxLate is how many older versions may follow the newest: the stream keeps
	// four of a customer.
	maxLate = 2
)

func newShop(publisher *events.Publisher, customers int) *shop {
	return &shop{publisher: publisher, newest: make([]state, customers)}
}

// run publishes until stop is closed, and returns once all that it has published
// is stored. Each seed writes the same customers in the same order.
func (s *shop) run(ctx context.Context, seed uint64, stop <-chan struct{}) error {
	errs := make([]error, shopWriters)
	var wg sync.WaitGroup
	for w := range shopWriters {
		wg.Go(func() { errs[w] = s.write(ctx, w, rand.New(rand.NewPCG(seed, uint64(w))), stop) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// write is one writer. It begins with each of its customers once.
func (s *shop) write(ctx context.Context, w int, dice *rand.Rand, stop <-chan struct{}) error {
	for i := w; i < len(s.newest); i += shopWriters {
		if err := s.change(ctx, i, dice); err != nil {
			return err
		}
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-pause.C:
		}
		pause.Reset(time.Duration(dice.Int64N(int64(2 * shopPause))))
		mine := (len(s.newest) - w + shopWriters - 1) / shopWriters
		if err := s.change(ctx, w+shopWriters*dice.IntN(mine), dice); err != nil {
			return err
		}
	}
}

// change publishes a customer's next version; now and then two at once, of which
// either may be stored first, or an older one that comes late.
func (s *shop) change(ctx context.Context, i int, dice *rand.Rand) error {
	now := &s.newest[i]
	last := *now
	switch what := dice.IntN(100); {
	case last.version > 1 && last.late < maxLate && what < 8:
		now.late++
		return s.publish(ctx, i, state{version: 1 + dice.Int64N(last.version-1), kind: changed})
	case last.version > 0 && what < 20:
		*now = state{version: last.version + 2, kind: someKind(dice)}
		older := state{version: last.version + 1, kind: someKind(dice)}
		var err error
		var both sync.WaitGroup
		both.Go(func() { err = s.publish(ctx, i, older) })
		return errors.Join(s.publish(ctx, i, *now), wait(&both, &err))
	}
	*now = state{version: last.version + 1, kind: someKind(dice)}
	return s.publish(ctx, i, *now)
}

func wait(wg *sync.WaitGroup, err *error) error {
	wg.Wait()
	return *err
}

func someKind(dice *rand.Rand) kind {
	switch what := dice.IntN(100); {
	case what < 6:
		return deleted
	case what < 9:
		return invalid
	case what < 12:
		return refused
	}
	return changed
}

// publish stores one version, however long that takes.
func (s *shop) publish(ctx context.Context, i int, st state) error {
	c := aCustomer(i, st.version)
	ev := events.Event{Shop: "acme", Customer: c}
	switch st.kind {
	case deleted:
		ev = events.Event{Type: events.Deleted, Shop: "acme", Customer: events.Customer{ID: c.ID, Version: c.Version}}
	case invalid:
		ev.Customer.Email = events.Some("nowhere")
	case refused:
		ev.Customer.Group = events.Some("unheard of")
	case changed:
	}
	_, err := s.publisher.PublishEvent(ctx, &ev)
	if err == nil {
		s.published.Add(1)
	}
	return err
}
