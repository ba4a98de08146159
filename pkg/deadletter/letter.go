// Package deadletter is the dead letter: a customer that one destination would
// not take, with the reason. A letter is open until a person discards it or a
// version gets through that is not below the letter's.
package deadletter

import (
	"time"

	"github.com/custsync/custsync/pkg/sinks"
)

// Reason says why a destination would not take a customer.
type Reason string

const (
	Undecodable   Reason = "undecodable"    // not an event; nothing in it is guessed at
	Invalid       Reason = "invalid"        // breaks a rule of the provider that is checked before sending
	Rejected      Reason = "rejected"       // the provider refused the row
	Exhausted     Reason = "exhausted"      // retried to the bound of attempts or time
	InDoubt       Reason = "in_doubt"       // may have been created; a person has to look
	Mapping       Reason = "mapping"        // the destination's own expression failed on it
	VersionMixed  Reason = "version_mixed"  // an explicit version after a version made of time
	VersionFuture Reason = "version_future" // a time version more than ten minutes ahead
)

// Letter is one open dead letter. There is at most one for a destination and a
// customer.
type Letter struct {
	Destination string
	Partition   int
	Shop        string // token, as in the subject
	Customer    string // token, as in the subject
	Version     int64  // 0 for undecodable
	Seq         uint64 // of the event in the stream
	Reason      Reason
	Errors      []sinks.FieldError
	Message     string // the provider's own words, scrubbed and capped
	Attempts    int
	FirstAt     time.Time
	LastAt      time.Time
	Fingerprint string // groups letters of one cause
	Event       []byte // the event's bytes as published
	Row         []byte // the request row as built; nil when none was
	Place       uint64 // in the list of letters, which is in the order of LastAt; 0: not known
	Edit        string // the id of the edit in force, as the ledger has it; empty: none
}

// Ordered reports whether the letter's event has a place in the order of the
// customer's versions. Where it has none, its place in the stream counts.
func (l *Letter) Ordered() bool {
	switch l.Reason {
	case Undecodable, VersionMixed, VersionFuture:
		return false
	case Invalid, Rejected, Exhausted, InDoubt, Mapping:
	}
	return true
}
