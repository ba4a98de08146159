// Package sinks is what custsync and a provider have to say to each other: a
// batch of rows goes out, one outcome per row comes back.
//
// A sink is our code that talks to one provider. It lives in a folder of its
// own below this one, passes the suite in sinktest, and is named in one place,
// cmd/worker/wire.go.
package sinks

import (
	"context"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// Sink delivers batches to one destination. Its methods may be called from
// several goroutines at once.
type Sink interface {
	// Limits are the provider's own bounds on one call. They never change.
	Limits() Limits

	// Deliver sends the rows and returns the provider's verdict on each, in row
	// order. A shorter slice, or a zero Outcome in it, is a row without a
	// verdict: it is neither delivered nor blamed.
	//
	// The error says why rows have no verdict. As with io.Reader, outcomes count
	// even beside an error. Its class (see package retry) decides what follows:
	//
	//   - permanent: the call as a whole was refused for what it carried; the
	//     batch is halved until the row at fault stands alone;
	//   - after: the provider named a time before which nothing is to be sent;
	//   - blocked: nothing will work until a person acts (credentials, address);
	//   - everything else, unknown errors included, is transient: the rows wait
	//     and are sent again. Unless the error is marked unsent, the call may
	//     have been applied, and its rows are in doubt.
	//
	// Deliver makes no retries of its own, except one renewal of an expired
	// session. It returns soon after ctx ends. It keeps no reference to rows.
	Deliver(ctx context.Context, rows []Row) ([]Outcome, error)
}

// Mapper turns events into rows, without any I/O. Every sink is one. Its
// methods may be called from several goroutines at once.
type Mapper interface {
	// Map writes the provider's fields for the event's customer into rec, which
	// comes empty: absent fields stay absent, null fields are set to null. For a
	// deletion it is not called.
	Map(ev *events.Event, rec *Record)

	// Check judges a record as it would be sent, after a destination's own
	// mapping. It returns one FieldError per rule broken, none if it may go out.
	// Messages never repeat the field's value.
	Check(rec *Record) []FieldError
}

// Planner is optional: a sink whose rows can't all share one call says which
// can. Rows of one batch always have the same Lane. Without it all rows share
// the zero Lane.
type Planner interface {
	Lane(row *Row) Lane
}

// Lane says with what a row may share a call.
type Lane struct {
	Name    string // rows of different names never share a call
	MaxRows int    // bound of this lane; 0: Limits.MaxRows
	Once    bool   // the call creates and can't be repeated: doubt is marked in the ledger before it
	Local   bool   // needs no call at all: Deliver answers by itself, so no rate is spent
	Calls   int    // that one delivery may make one after another, each with the destination's timeout; 0: one
}

// Limits are a provider's own bounds on one call; 0 means that none is known.
type Limits struct {
	MaxRows  int
	MaxBytes int // of the request body
	Frame    int // bytes of the request body around the rows
	PerRow   int // bytes that each row costs besides its body (separators, ids)
}

// Row is a customer's place in a batch.
type Row struct {
	Shop       string // as in the event, unescaped
	Customer   string // the shop's id of the customer, unescaped
	Version    int64
	Delete     bool   // the customer is to go; Body is nil
	Body       []byte // the Record as a JSON object; read only
	Apart      string // rows with the same Apart (not empty) are never in one batch
	ProviderID string // the provider's id of the customer from the ledger; empty: unknown
	Held       bool   // the ledger says that the provider has this customer
	Attempt    int    // 1 for the first
	Doubt      bool   // an earlier attempt may have been applied: look before creating
}

// Verdict is a provider's word on one row.
type Verdict uint8

const (
	Unknown   Verdict = iota // no verdict: never success, never the row's fault
	Delivered                // the provider has this version now
	Unchanged                // the provider had it already
	Skipped                  // the provider has no such operation; Reason says which
	Retryable                // this row failed for now; it is tried again after a backoff
	Rejected                 // the provider will not take this version; a person has to act
)

// String returns the word used in logs, metrics and the ledger.
func (v Verdict) String() string {
	switch v {
	case Delivered:
		return "delivered"
	case Unchanged:
		return "unchanged"
	case Skipped:
		return "skipped"
	case Retryable:
		return "retryable"
	case Rejected:
		return "rejected"
	case Unknown:
	}
	return "unknown"
}

// Outcome is the provider's verdict on one row. The zero value is no verdict.
type Outcome struct {
	Verdict    Verdict
	ProviderID string        // the provider's id of the customer, where it told one
	Reason     string        // for Skipped and for in doubt: a word of the sink, such as "no_delete"
	Errors     []FieldError  // for Rejected and Retryable: what is wrong with which field
	Message    string        // the provider's own words; scrubbed and capped before it is kept
	After      time.Duration // for Retryable: not before; 0: by the destination's policy
	InDoubt    bool          // for Rejected: whether an earlier attempt was applied can't be found out
	Partly     bool          // for Rejected and Retryable: some of the row was applied, so the provider no longer has what the ledger says
}

// FieldError is one broken rule. Field is the provider's name of the field,
// with dots for nested ones; empty when the whole row is meant. Message says
// the rule and never repeats the value.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}
