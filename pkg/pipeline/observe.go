package pipeline

import (
	"time"

	"github.com/custsync/custsync/pkg/ledger"
)

// Observer is told what happens, for logs and metrics. Its methods are called
// from the loop and must not wait.
type Observer interface {
	Call(call *Call)           // a delivery ended
	Gate(gate Gate)            // the gate changed
	Trouble(trouble Trouble)   // a store failed; it is asked again
	Latency(age time.Duration) // a row was taken, so long after the stream stored its event
}

// Call is one delivery, without any customer data.
type Call struct {
	Destination string
	Lane        string
	Rows        int
	Verdicts    [6]int // by sinks.Verdict
	Unheard     int    // rows without a verdict
	Took        time.Duration
	Probe       bool
	Class       string // of the error; empty: none
	Code        string
	Err         error
}

// Trouble is a failure of the stream or the stores.
type Trouble struct {
	Destination string
	Doing       string
	Shard       int
	Err         error
}

// Counts are ends that were stored since the loop began, and what led to them.
// Every event that was settled is counted once: it ended, was superseded, or was
// handed to a wake-up. So they add up:
//
//	events = Delivered + Unchanged + Skipped + Filtered + Dead - Woken + Superseded + Handed
type Counts struct {
	Delivered, Unchanged, Skipped, Filtered, Dead uint64
	Woken                                         uint64 // of these, ends of wake-ups alone, their event having been settled before
	Superseded                                    uint64 // events
	Handed                                        uint64 // events that wait, or waited, for a wake-up
	Retried                                       uint64 // verdicts of retryable
	Calls                                         uint64 // deliveries
}

// Events is the number of events that were settled.
func (c *Counts) Events() uint64 {
	return c.Delivered + c.Unchanged + c.Skipped + c.Filtered + c.Dead - c.Woken + c.Superseded + c.Handed
}

// ended counts what was settled with the loans of a row.
func (c *Counts) ended(end *settlement, loans []loan) {
	n := eventsIn(loans)
	if end.kind == handed {
		c.Handed += n
		return
	}
	if n == 0 {
		c.Woken++
	} else {
		c.Superseded += n - 1 // events in whose place this one was read
	}
	switch end.outcome {
	case ledger.Delivered:
		c.Delivered++
	case ledger.Unchanged:
		c.Unchanged++
	case ledger.Skipped:
		c.Skipped++
	case ledger.Filtered:
		c.Filtered++
	case ledger.Dead:
		c.Dead++
	}
}

// eventsIn is how many of the messages are events.
func eventsIn(loans []loan) uint64 {
	n := uint64(0)
	for i := range loans {
		if loans[i].event {
			n++
		}
	}
	return n
}

// Snapshot is the loop's state at one moment.
type Snapshot struct {
	At       time.Time
	Gate     Gate
	Waiting  int // customers in memory that have rows
	Parked   int // of these, those that wait for a time
	InFlight int // deliveries under way
	Bytes    int // of rows in memory
	Counts   Counts
}

// Snapshot returns the loop's state as of a moment ago; nil before Run.
func (d *Destination) Snapshot() *Snapshot { return d.snapshot.Load() }

// snapshotEvery is how old a snapshot may get while things happen.
const snapshotEvery = 100 * time.Millisecond

// publish stores a snapshot, or returns when the next one is due.
func (d *Destination) publish(now time.Time) time.Time {
	if last := d.snapshot.Load(); last != nil {
		if due := last.At.Add(snapshotEvery); now.Before(due) {
			return due
		}
	}
	d.snapshot.Store(&Snapshot{
		At: now, Gate: d.gate.shown(), Waiting: len(d.customers), Parked: len(d.parked),
		InFlight: d.inflight, Bytes: d.used, Counts: d.counts,
	})
	return time.Time{}
}

type nobody struct{}

func (nobody) Call(*Call)            {}
func (nobody) Gate(Gate)             {}
func (nobody) Trouble(Trouble)       {}
func (nobody) Latency(time.Duration) {}
