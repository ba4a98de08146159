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

// Counts are ends since the loop began, and what led to them.
type Counts struct {
	Delivered, Unchanged, Skipped, Filtered, Dead, Superseded uint64
	Retried                                                   uint64 // verdicts of retryable
	Calls                                                     uint64 // deliveries
}

func (c *Counts) add(word string) {
	switch word {
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
