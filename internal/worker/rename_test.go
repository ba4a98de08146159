package worker

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/pkg/events"
)

// A worker that is to carry a destination over waits for those that still work on it
// by the name that it had.
func TestRenamingWaitsForWhoeverKnowsTheFormerName(t *testing.T) {
	t.Parallel()
	p := newProvider(t, 0)
	f := newFleet(t, p, "concurrency: 4")
	stop := f.start("a")
	f.publish(20)
	p.await(t, "all are delivered", func(calls []call) bool { return len(calls) == 20 })
	w := f.worker("b")
	d := &w.Config.Destinations[0]
	d.Name, d.Formerly = "two", "one"
	waits := make(chan struct{})
	waited := sync.OnceFunc(func() { close(waits) })
	w.Log = zerolog.New(io.Discard).Hook(zerolog.HookFunc(func(_ *zerolog.Event, _ zerolog.Level, message string) {
		if strings.HasPrefix(message, "waiting for the workers") {
			waited()
		}
	}))
	f.run(w)
	select {
	case <-waits:
	case <-time.After(deadline):
		t.Fatal("it does not wait")
	}
	stop()
	if _, err := f.publisher.Publish(t.Context(), "acme", events.Customer{ID: "c0", Version: events.Some(int64(2))}); err != nil {
		t.Fatal(err)
	}
	calls := p.await(t, "the one change is delivered", func(calls []call) bool { return by(calls)["b"] > 0 })
	if len(calls) != 21 {
		t.Errorf("%d calls, want 20 by the former name and one by the new one", len(calls))
	}
}
