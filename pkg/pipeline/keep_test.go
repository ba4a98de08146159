package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// keeping notes what the loop tells.
type keeping struct {
	mu   sync.Mutex
	told []string
}

func (k *keeping) Late(_ context.Context, key ledger.Key, newest []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, fmt.Sprintf("late %s at hand %v", key[len(key)-1:], newest != nil))
	return nil
}

func (k *keeping) Deleted(_ context.Context, key ledger.Key, m ledger.Mark) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, fmt.Sprintf("deleted %s:%d", key[len(key)-1:], m.Version))
	return nil
}

func (k *keeping) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}

func TestKeeperIsToldOfLateStates(t *testing.T) {
	inWorld(t, func(r *rig) {
		k := &keeping{}
		r.d.Keeper = k
		r.sink.took = time.Second
		r.start()
		r.changed("a", 7, "")
		r.wait(500 * time.Millisecond)
		r.changed("a", 6, "") // while version 7 is in a call
		r.wait(time.Minute)
		r.changed("a", 5, "") // when it has ended
		r.wait(time.Minute)
		r.changed("b", 1, "")
		r.changed("b", 2, "")
		r.wait(time.Minute)
		if got, want := k.all(), []string{"late a at hand true", "late a at hand false"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		r.wantSent("a:7", "b:2")
	})
}

func TestKeeperIsToldOfDeletions(t *testing.T) {
	inWorld(t, func(r *rig) {
		k := &keeping{}
		r.d.Keeper = k
		r.hold("a", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-a"}})
		r.hold("b", ledger.Entry{Held: &ledger.Held{Version: 1, ProviderID: "id-b"}})
		refuse := true
		r.sink.answer = func(_ int, rows []sinks.Row) ([]sinks.Outcome, error) {
			outcomes := allTaken(rows)
			for i := range rows {
				if refuse && rows[i].Customer == "b" {
					outcomes[i] = sinks.Outcome{Verdict: sinks.Rejected, Message: "no"}
				}
			}
			return outcomes, nil
		}
		r.start()
		r.deleted("a", 2)
		r.deleted("b", 2)
		r.wait(time.Minute)
		if got, want := k.all(), []string{"deleted a:2"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q: b is dead", got, want)
		}
	})
}

// Whoever takes a shard over is lent it again, and can't know whether it was told.
func TestKeeperIsToldOfADeletionThatEndedBefore(t *testing.T) {
	inWorld(t, func(r *rig) {
		k := &keeping{}
		r.d.Keeper = k
		r.hold("a", ledger.Entry{Settled: &ledger.Settled{Version: 2, Seq: 1, Outcome: ledger.Delivered}})
		r.deleted("a", 2)
		r.lent["events-0"] = 1
		r.start()
		r.wait(time.Minute)
		if got, want := k.all(), []string{"deleted a:2"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		r.wantSent()
	})
}
