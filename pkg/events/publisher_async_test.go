package events_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/custsync/custsync/pkg/events"
)

func TestPublisherAsync(t *testing.T) {
	p, stream := newPublisher(t)
	p.MaxPending = 16
	const n = 2000
	var flying, most, done atomic.Int32
	seqs := make([]uint64, n)
	for i := range n {
		flying.Add(1)
		err := p.PublishAsync(t.Context(), &events.Event{Shop: "acme", Customer: events.Customer{ID: fmt.Sprint(i)}}, func(ack events.Ack, err error) {
			if err != nil {
				t.Error(err)
			}
			seqs[i] = ack.Seq
			flying.Add(-1)
			done.Add(1)
		})
		if err != nil {
			t.Fatal(err)
		}
		most.Store(max(most.Load(), flying.Load()))
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := done.Load(); got != n || count(t, stream) != n {
		t.Fatalf("%d done, %d stored, want %d", got, count(t, stream), n)
	}
	for i, seq := range seqs {
		if seq != uint64(i+1) {
			t.Fatalf("event %d is stored as %d: order is lost", i+1, seq)
		}
	}
	// A slot is freed just before done runs, so a few more may be under way.
	if got := most.Load(); got > 4*16 {
		t.Errorf("%d in flight, want about 16", got)
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
}

func TestPublisherWaitTellsErrors(t *testing.T) {
	p, _ := newPublisher(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.PublishAsync(ctx, &events.Event{Shop: "acme", Customer: events.Customer{ID: "1"}}, nil)
	if waited := p.Wait(t.Context()); !errors.Is(err, context.Canceled) || waited != nil {
		t.Errorf("got %v and %v, want nothing to be sent", err, waited)
	}
	p.Conn.Close()
	if err := p.PublishAsync(t.Context(), &events.Event{Shop: "acme", Customer: events.Customer{ID: "1"}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "the connection is closed") {
		t.Errorf("got %v, want that the connection is closed", err)
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("told twice: %v", err)
	}
}
