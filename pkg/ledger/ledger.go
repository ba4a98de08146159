// Package ledger is the observed state: what each destination was last given
// of each customer, at which version, and what is under way. It holds the
// entry, its wire form and the fence; storing it is the stream package's work.
//
// Promises of this package: an entry never goes back, and the fence never lets
// a version through that is not above what the entry already settled, unless a
// person or a due retry asks for the same version again.
package ledger

import "time"

// Key names one customer at one destination: the subject tail
// "<partition>.<shop token>.<customer token>", as in the stored event's
// subject. The destination is not part of it; each destination has its own
// view of the ledger.
type Key = string

// Entry is one customer's record at one destination. The zero Entry means that
// the destination was never given this customer.
type Entry struct {
	Held    *Held    `json:"held,omitempty"`    // what the provider has; nil: nothing, or deleted
	Settled *Settled `json:"settled,omitempty"` // the last end of any kind
	Pending *Pending `json:"pending,omitempty"` // what is under way beyond memory
}

// Held is what the provider was last given.
type Held struct {
	Version    int64     `json:"version"`
	Seq        uint64    `json:"seq"`
	Hash       string    `json:"hash,omitempty"`        // of the row as sent; empty: unknown
	ProviderID string    `json:"provider_id,omitempty"` // the provider's own id of the customer
	At         time.Time `json:"at"`
}

// Outcome words of Settled, besides the sinks' verdicts.
const (
	Delivered  = "delivered"
	Unchanged  = "unchanged"
	Skipped    = "skipped"
	Filtered   = "filtered"
	Dead       = "dead"
	Discarded  = "discarded" // a person discarded the dead letter
	Superseded = "superseded"
)

// Settled is the last end of any kind.
type Settled struct {
	Version int64     `json:"version"`
	Seq     uint64    `json:"seq"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
	Edit    string    `json:"edit,omitempty"` // a person's correction, by its id, that this version is sent with
}

// Pending is a version that waits for a wake-up, or whose last call is in doubt. One
// without a sequence is what the next version has to know of earlier calls: a doubt,
// or until when (Next) one of them may still arrive at the provider.
type Pending struct {
	Version  int64     `json:"version"`
	Seq      uint64    `json:"seq"`
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first,omitzero"`   // the first attempt, for the bound on elapsed time
	Next     time.Time `json:"next,omitzero"`    // not before; zero: at once
	Doubt    bool      `json:"doubt,omitempty"`  // an earlier attempt may have been applied
	Delete   bool      `json:"delete,omitempty"` // the pending version deletes the customer
	Error    string    `json:"error,omitempty"`  // the last error's class and code, never customer data
}
