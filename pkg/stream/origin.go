package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
)

const originKey = "origin."

// origin says which streams a destination's cursors and ledger belong to.
type origin struct {
	Customers mark `json:"customers"`
	Wakeups   mark `json:"wakeups"`
	Ledger    mark `json:"ledger"`
	Filled    bool `json:"filled,omitempty"` // the ledger had entries of the destination
}

// mark is what tells a stream from one that was put in its place.
type mark struct {
	Created time.Time `json:"created"`
	Last    uint64    `json:"last"` // sequence; it never goes back
}

// Foreign says that a stream is not the one that a destination was worked on
// with: it was made anew, emptied, or put back to an earlier state. Going on would
// leave customers out, or create all of them again.
type Foreign struct {
	Destination string
	Reason      string
	customers   bool // the customers' stream is another one
}

func (f *Foreign) Error() string {
	return fmt.Sprintf("destination %s: %s", f.Destination, f.Reason)
}

// Vet looks whether the streams are those that a destination was worked on with,
// and remembers them if it never was. The error is a *Foreign if they are not.
func (s *Streams) Vet(ctx context.Context, destination string) error {
	revision, now, foreign, err := s.inspect(ctx, destination)
	switch {
	case err != nil:
		return fmt.Errorf("vet %s: %w", destination, err)
	case foreign != nil:
		return foreign
	}
	if _, err := s.setRecord(ctx, originKey+destination, revision, now); err != nil && !isConflict(err) {
		return fmt.Errorf("vet %s: %w", destination, err)
	}
	return nil
}

// inspect holds what is there against what was, and against what cursors and
// ledger tell. What is there is read last, since it may grow meanwhile.
func (s *Streams) inspect(ctx context.Context, destination string) (revision uint64, now origin, foreign *Foreign, err error) {
	var before origin
	revision, known, err := s.record(ctx, originKey+destination, &before)
	if err != nil {
		return 0, now, nil, err
	}
	layout, err := s.Layout(ctx, destination)
	if err != nil {
		return 0, now, nil, err
	}
	var settled, woken uint64
	var newest *ledger.Entry
	if layout != nil {
		if settled, woken, err = s.progress(ctx, destination, *layout); err != nil {
			return 0, now, nil, err
		}
		if newest, err = s.newestEntry(ctx, destination); err != nil {
			return 0, now, nil, err
		}
	}
	if now, err = s.origins(ctx); err != nil || layout == nil {
		return revision, now, nil, err // nothing was ever worked on
	}
	now.Filled = newest != nil
	seen := settled
	if newest != nil && !known {
		seen = max(seen, newest.Top().Seq)
	}
	var reason string
	customers, entries, wakeups := before.Customers.differs(now.Customers, seen), before.Ledger.differs(now.Ledger, 0), before.Wakeups.differs(now.Wakeups, woken)
	switch {
	case customers != "":
		reason = "the stream " + Customers + " " + customers + ": what is published to it would be taken for delivered"
	case entries != "":
		reason = "the stream " + ledgerStream + " " + entries + ": customers would be created again"
	case newest == nil && before.Filled: // cursors alone may move by what is superseded
		reason = "the stream " + ledgerStream + " was emptied: every customer would be created again"
	case wakeups != "":
		reason = "the stream " + Wakeups + " " + wakeups + ": nobody would come back to customers who wait"
	default:
		return revision, now, nil, nil
	}
	return revision, now, &Foreign{Destination: destination, Reason: reason, customers: customers != ""}, nil
}

// origins are what the streams are now.
func (s *Streams) origins(ctx context.Context) (o origin, err error) {
	for name, m := range map[string]*mark{Customers: &o.Customers, Wakeups: &o.Wakeups, ledgerStream: &o.Ledger} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return o, fmt.Errorf("stream %s: %w", name, err)
		}
		info := stream.CachedInfo()
		*m = mark{info.Created.UTC(), info.State.LastSeq}
	}
	return o, nil
}

// differs says how a stream differs from what it was when the sequences up to one
// were there; empty: it does not.
func (m mark) differs(now mark, seen uint64) string {
	switch {
	case !m.Created.IsZero() && !m.Created.Equal(now.Created):
		return fmt.Sprintf("is not the one of before (made %s, not %s)", now.Created.Format(time.RFC3339), m.Created.Format(time.RFC3339))
	case max(m.Last, seen) > now.Last:
		return fmt.Sprintf("was put back to an earlier state, or made anew (it ends at %d, and %d was seen)", now.Last, max(m.Last, seen))
	}
	return ""
}

// progress is how far a destination's cursors are at most.
func (s *Streams) progress(ctx context.Context, destination string, l Layout) (settled, woken uint64, err error) {
	for id := range l.Shards {
		c, err := s.Cursor(ctx, Place{destination, l.Generation, l.Shards, id})
		if errors.Is(err, ErrNoShard) {
			continue // the layout changes just now
		}
		if err != nil {
			return 0, 0, err
		}
		for _, p := range c.Events {
			settled = max(settled, p.Settled)
		}
		woken = max(woken, c.Wakeups.Settled)
	}
	return settled, woken, nil
}

// newestEntry is the entry of a destination that was written last; nil: it has none.
func (s *Streams) newestEntry(ctx context.Context, destination string) (*ledger.Entry, error) {
	data, seq, err := s.post.last(ctx, ledgerStream, ledgerPrefix+destination+".>")
	if err != nil || seq == 0 {
		return nil, err
	}
	e := new(ledger.Entry)
	if len(data) == 0 {
		return e, nil
	}
	return e, ledger.Parse(data, e)
}

// Remember notes how far the streams of a destination are, so that one that is
// put back to an earlier state later is known. Nothing is done where they were not
// vetted, or are not those any more.
func (s *Streams) Remember(ctx context.Context, destination string) error {
	var before origin
	revision, there, err := s.record(ctx, originKey+destination, &before)
	if err != nil || !there {
		return err
	}
	now, err := s.origins(ctx)
	if err != nil {
		return err
	}
	newest, err := s.newestEntry(ctx, destination)
	if now.Filled = before.Filled || newest != nil; err != nil || before == now {
		return err
	}
	for _, m := range [][2]mark{{before.Customers, now.Customers}, {before.Wakeups, now.Wakeups}, {before.Ledger, now.Ledger}} {
		if m[0].differs(m[1], 0) != "" {
			return nil
		}
	}
	if _, err := s.setRecord(ctx, originKey+destination, revision, now); err != nil && !isConflict(err) {
		return err
	}
	return nil
}

// Inspect tells what is wrong with the streams of a destination, and writes nothing;
// nil: they are those of before.
func (s *Streams) Inspect(ctx context.Context, destination string) (*Foreign, error) {
	_, _, foreign, err := s.inspect(ctx, destination)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", destination, err)
	}
	return foreign, nil
}

// Accept makes a destination go on with streams that are not those of before: all
// customers are read anew and held against whatever the ledger has. It returns
// what was accepted; nil: nothing was to be. It can be done again, and by several at
// once: ErrConflict says that another one was first.
func (s *Streams) Accept(ctx context.Context, destination string) (*Foreign, error) {
	revision, now, foreign, err := s.inspect(ctx, destination)
	if err == nil && foreign != nil {
		err = s.Unowned(ctx, destination)
	}
	if err == nil && foreign != nil {
		err = s.beginAnew(ctx, destination, foreign.customers)
	}
	if err == nil && foreign != nil {
		_, err = s.setRecord(ctx, originKey+destination, revision, now)
	}
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return foreign, nil
}

// beginAnew lays a destination out in a new generation, whose cursors are at the
// beginning: that of the stream where it is another one, otherwise the
// destination's own. Whoever works by the layout before gives its shards up.
func (s *Streams) beginAnew(ctx context.Context, destination string, other bool) error {
	var l Layout
	revision, there, err := s.record(ctx, layoutKey+destination, &l)
	if err != nil || !there {
		return err
	}
	if l.Generation++; other {
		l.Start = 0
	}
	if l.Next > 0 {
		l.Shards, l.Next = l.Next, 0
	}
	for id := range l.Shards {
		begin := Position{Events: l.Start}.cursor(s.config.Partitions / l.Shards)
		if err := s.layOut(ctx, Place{destination, l.Generation, l.Shards, id}, begin); err != nil {
			return err
		}
	}
	_, err = s.setRecord(ctx, layoutKey+destination, revision, l)
	return err
}

// Unowned returns ErrOwned while a living worker has a shard of the destination.
func (s *Streams) Unowned(ctx context.Context, destination string) error {
	records, err := s.leaderRecords(ctx, leaseKey+destination+".>")
	if err != nil {
		return err
	}
	for _, r := range records {
		var l LeaseRecord
		if err := json.Unmarshal(r.Value, &l); err != nil {
			return fmt.Errorf("read %s: %w", strings.TrimSuffix(r.Key, "."), err)
		}
		alive, err := s.alive(ctx, l.Member)
		if err != nil {
			return err
		}
		if alive {
			return ErrOwned
		}
	}
	return nil
}
