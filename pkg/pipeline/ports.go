package pipeline

import (
	"context"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// Cause says why a shard looks at a customer.
type Cause string

const (
	Live     Cause = ""         // an event came
	Retry    Cause = "retry"    // a wait is over
	Replay   Cause = "replay"   // a person asked for a dead letter's customer again
	Backfill Cause = "backfill" // a destination is filled with every customer
)

// Message is an event or a wake-up on loan from a shard's consumer.
type Message struct {
	Seq   uint64 // in its stream; the feed's order
	Key   ledger.Key
	Data  []byte    // the event as published; for a wake-up the newest state that is kept, nil if none is
	At    time.Time // when the stream stored the event
	Event uint64    // the event's own sequence in CUSTOMERS; equals Seq for a Live message
	Cause Cause
	Force bool   // send even what the ledger calls unchanged
	Again bool   // an earlier owner of the shard may have been lent it, and may have sent it
	Later uint64 // the sequence of a later message of the same key that is known to come, which may prove wrong; 0: none is
}

// Feed lends the messages of one consumer of one shard, in order and without
// gaps: a message is handed out only when every earlier one was. It may hand
// one out again. Fetch is called from one goroutine, the others from one other.
type Feed interface {
	// Fetch waits until there is something to lend and returns it, at most about
	// maxBytes in all; an empty slice and no error means that nothing came for a
	// while. An error is an outage of the stream: call again after a pause. The
	// slice is the feed's again at the next Fetch; what it points to is not.
	Fetch(ctx context.Context, maxBytes int) ([]Message, error)

	// Settle says that all messages up to and including seq are settled. It does
	// not wait; a settling that gets lost is made good by a later one, or by the
	// message's coming again.
	Settle(seq uint64)
}

// Write is one compare-and-set of the ledger.
type Write struct {
	Key      ledger.Key
	Revision uint64 // of the entry that this one replaces; 0: there is none
	Entry    ledger.Entry
}

// Written is what became of one Write.
type Written struct {
	Revision uint64 // of the new entry; 0 when it was not written
	Lost     bool   // somebody else wrote the entry since: the shard may be lost
}

// Found is one look-up's answer.
type Found struct {
	Revision uint64 // 0: there is no entry
	Entry    ledger.Entry
}

// Ledger reads and writes a destination's entries. Its methods may be called
// from several goroutines at once, never at once for the same key.
type Ledger interface {
	// Get returns one Found per key, in order, or an error: then nothing is known.
	Get(ctx context.Context, keys []ledger.Key) ([]Found, error)

	// Put writes entries and returns one Written per write, in order, once they
	// are stored. A write whose fate is unknown because the answer got lost is
	// found out before Put returns: its own value counts as written. On an error
	// nothing more is known than the revisions returned beside it.
	Put(ctx context.Context, writes []Write) ([]Written, error)
}

// Letters stores dead letters. Its methods may be called from several
// goroutines at once, never at once for the same key.
type Letters interface {
	// Open stores the letter and returns once it is stored. One without FirstAt
	// comes back after a replay: it keeps that of the letter which is open.
	Open(ctx context.Context, letter *deadletter.Letter) error
	// Close removes the letter of key that an end closes, if there is one, and all edits
	// of it but the one that the end names. A letter of something newer stays.
	Close(ctx context.Context, key ledger.Key, end ledger.Settled) error
	// Edit returns a person's correction by its id; nil: it is not kept.
	Edit(ctx context.Context, key ledger.Key, id string) (*deadletter.Edit, error)
}

// Wakeup is a note to come back to a customer.
type Wakeup struct {
	Key   ledger.Key
	At    time.Time
	Cause Cause
	Force bool
}

// Alarm keeps wake-ups. A later one for the same key replaces an earlier one.
type Alarm interface {
	// Set stores wake-ups and returns once all are stored.
	Set(ctx context.Context, wakeups []Wakeup) error
}

// States reads what the stream keeps. Its methods may be called from several
// goroutines at once.
type States interface {
	// Newest returns the newest state of a customer that is kept by now, as a Live
	// message; nil Data says that none is.
	Newest(ctx context.Context, key ledger.Key) (Message, error)
}

// Keeper looks after what the stream keeps of a customer. Its methods may be
// called from several goroutines at once.
type Keeper interface {
	// Late is called when an older state of a customer came after a newer one. The
	// stream keeps a few messages of each customer, so that more of the kind would
	// push out the newest one, which others may not have read yet: it is published
	// again when that is near. Newest is its event where it is at hand, else nil.
	Late(ctx context.Context, key ledger.Key, newest []byte) error
	// Deleted is called when a customer's deletion has ended at this destination.
	Deleted(ctx context.Context, key ledger.Key, deletion ledger.Mark) error
}

// Calls is the journal of calls that create and can't be repeated. What is in
// it when a worker dies is in doubt.
type Calls interface {
	// Open stores the call of this slot, replacing what the slot held, and returns
	// once that is stored.
	Open(ctx context.Context, slot int, call OpenCall) error
	// Close empties the slots, all verdicts being in the ledger.
	Close(ctx context.Context, slots []int) error
}

// OpenCall is a call in the journal.
type OpenCall struct {
	At    time.Time `json:"at"`    // when it began: what ended before is no end of it
	Until time.Time `json:"until"` // when its time is over: nothing of it takes effect later
	Rows  []CallRow `json:"rows"`
}

// CallRow is one row of a call in the journal.
type CallRow struct {
	Key     ledger.Key `json:"key"`
	Version int64      `json:"version"`
	Seq     uint64     `json:"seq"`
}

// Lease says how long a shard may still be worked on. Its context ends when the
// lease may have run out or was given up; a call made for the shard ends with it.
type Lease interface {
	Context() context.Context
	// Held reports whether a call may start now.
	Held() bool
}

// Shard is one destination's range of partitions, leased to this worker.
type Shard struct {
	ID    int
	Lease Lease
	Feeds []Feed // of events and of wake-ups
}

// Rendered is a row as a destination's mapping makes it.
type Rendered struct {
	Admitted bool   // shops and when let the customer through
	Body     []byte // JSON object; nil for a deletion
	Hash     string // of Body
	Apart    string
	Errors   []sinks.FieldError // rules that the row breaks; it is not to be sent then
}

// Renderer makes rows of events, without any I/O. It may be called from several
// goroutines at once. An error is the mapping's failure on this customer; its
// text is shown to people and holds no customer data.
type Renderer interface {
	Render(ev *events.Event) (Rendered, error)
}
