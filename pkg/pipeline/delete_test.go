package pipeline

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// brake ends the loop that sets wake-ups on and on.
type brake struct {
	*rig
	set atomic.Int64
}

func (b *brake) Set(ctx context.Context, wakeups []Wakeup) error {
	if b.set.Add(1) == 50 {
		b.kill()
	}
	return b.world.Set(ctx, wakeups)
}

// What follows a deletion that has to wait for long waits with it, once, and goes
// out after it.
func TestWhatFollowsADeletionWaitsWithIt(t *testing.T) {
	for name, change := range map[string]func(*rig){"here": func(*rig) {}, "at the next owner": (*rig).restart} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				b := &brake{rig: r}
				r.d.Alarm = b
				r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
				r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
					if n == 1 {
						return []sinks.Outcome{{Verdict: sinks.Retryable, After: time.Hour}}, nil
					}
					return allTaken(rows), nil
				}
				r.start()
				r.deleted("a", 7)
				r.wait(time.Minute)
				r.changed("a", 8, "")
				r.wait(time.Minute)
				if n := b.set.Load(); n > 2 {
					t.Fatalf("%d wake-ups were set", n)
				}
				r.wantSettled()
				change(r)
				r.wait(2 * time.Hour)
				r.wantSent("a:7-", "a:7-", "a:8")
				r.wantOutcome("a", "delivered 8")
				r.wantSettled()
			})
		})
	}
}
