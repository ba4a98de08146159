package pipeline

import (
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// An event that takes no place in the order of versions does not take that of one
// which waits for its wake-up, and its letter outlives that one's end.
func TestUnreadableEventLeavesWhatWaits(t *testing.T) {
	before := map[string]ledger.Entry{
		"a new customer": {},
		"the same version once more": {
			Held:    &ledger.Held{Version: 7, ProviderID: "id-a", Hash: "other"},
			Settled: &ledger.Settled{Version: 7, Outcome: ledger.Delivered},
		},
	}
	for name, entry := range before {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.hold("a", entry)
				r.sink.answer = func(n int, rows []sinks.Row) ([]sinks.Outcome, error) {
					if n == 1 {
						return []sinks.Outcome{{Verdict: sinks.Retryable, After: time.Hour}}, nil
					}
					return allTaken(rows), nil
				}
				r.start()
				r.changed("a", 7, "")
				r.wait(time.Minute)
				r.publish("a", []byte("{"))
				r.wait(time.Minute)
				r.wantLetter("a", "undecodable")
				if e := r.entry("a"); !e.Waits() {
					t.Errorf("version 7 waits no more: %+v beside %+v", e.Pending, e.Settled)
				}
				r.wait(2 * time.Hour)
				if h := r.entry("a").Held; h == nil || h.Seq != 1 {
					t.Errorf("the provider holds %+v, want version 7", h)
				}
				r.wantOutcome("a", "dead 7")
				r.wantLetter("a", "undecodable")
				r.changed("a", 8, "")
				r.wait(time.Minute)
				r.wantOutcome("a", "delivered 8")
				r.wantLetter("a", "")
				r.wantSettled()
			})
		})
	}
}
