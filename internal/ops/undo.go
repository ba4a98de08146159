package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

// UndoResult is what became of an undo.
type UndoResult struct {
	Restored int  `json:"restored"`
	Gone     int  `json:"gone"` // their events are not kept any more
	DryRun   bool `json:"dry_run"`
	// UpTo is the place of the last discard that a dry run told of.
	UpTo uint64 `json:"up_to,omitempty"`
}

// Undo opens discarded letters again. Of a customer that has got another end
// since, nothing is restored. Request rows are not kept; a replay builds new ones.
func (d *Desk) Undo(ctx context.Context, f Filter, b Bulk) (UndoResult, error) {
	done := UndoResult{DryRun: b.DryRun}
	if err := d.known(ctx, f.Destination); err != nil {
		return done, err
	}
	pace := pace{rate: b.Rate}
	seen := map[uint64]bool{} // a letter may have been discarded more than once
	for a, err := range d.Streams.Actions(ctx, verbDiscard, f.Destination) {
		if err != nil {
			return done, fmt.Errorf("undo: %w", err)
		}
		if f.UpTo > 0 && a.Place > f.UpTo {
			break // discarded since
		}
		var n discardNote
		if json.Unmarshal(a.Body, &n) != nil || !f.admits(&n) {
			continue
		}
		letter := xxhash.Sum64String(fmt.Sprintf("%s %s %s %d", n.Destination, n.Shop, n.Customer, n.Seq))
		if seen[letter] {
			continue
		}
		seen[letter] = true
		if err := pace.wait(ctx, 1); err != nil {
			return done, err
		}
		if b.DryRun {
			done.UpTo = a.Place
		}
		if err := d.restore(ctx, d.letter(&n), b, &done); err != nil {
			return done, fmt.Errorf("undo: %w", err)
		}
		b.tell(done.Restored)
	}
	return done, nil
}

func (f *Filter) admits(n *discardNote) bool {
	return (f.Run == "" || f.Run == n.Run) && (f.Reason == "" || f.Reason == n.Reason) && (f.Shop == "" || f.Shop == n.Shop) &&
		(f.Customer == "" || f.Customer == n.Customer) && (f.Fingerprint == "" || f.Fingerprint == n.Fingerprint) &&
		(f.OlderThan <= 0 || n.LastAt.Before(time.Now().Add(-f.OlderThan)))
}

// letter is the letter of a note, without its event.
func (d *Desk) letter(n *discardNote) *deadletter.Letter {
	l := &deadletter.Letter{
		Destination: n.Destination, Version: n.Version, Seq: n.Seq, Reason: n.Reason,
		Message: n.ProviderMessage, Attempts: n.Attempts, FirstAt: n.FirstAt, LastAt: n.LastAt, Fingerprint: n.Fingerprint,
	}
	for _, e := range n.Errors {
		l.Errors = append(l.Errors, e.FieldError)
	}
	l.SetKey(d.key(n.Shop, n.Customer))
	return l
}

// restore stores a letter again, then says so in the ledger.
func (d *Desk) restore(ctx context.Context, l *deadletter.Letter, b Bulk, done *UndoResult) error {
	book, err := d.Streams.Ledger(ctx, l.Destination)
	if err != nil {
		return err
	}
	found, err := book.Get(ctx, []ledger.Key{l.Key()})
	if err != nil {
		return err
	}
	s := found[0].Entry.Settled
	if s == nil || s.Outcome != ledger.Discarded || s.Seq != l.Seq {
		return nil // restored already, or a newer version has ended since
	}
	var state *stream.State
	if state, err = d.Streams.Kept(ctx, l.Key(), l.Seq); err != nil {
		return err
	}
	w := would(l, WouldRestore)
	if state == nil {
		done.Gone++
		if w.Would = WouldBeGone; b.DryRun {
			return b.row(&w)
		}
		return nil
	}
	if b.DryRun {
		done.Restored++
		return b.row(&w)
	}
	l.Event = state.Data
	if err := d.Streams.Letters(l.Destination).Open(ctx, l); err != nil {
		return err
	}
	if err := d.note(ctx, verbUndo, l.Destination, discardNote{d.action(b.Note), letterOf(l), l.Seq, ""}); err != nil {
		return err
	}
	changed, err := d.rewrite(ctx, []*deadletter.Letter{l}, reword(ledger.Discarded, ledger.Dead))
	if err != nil {
		return err
	}
	if !changed[0] {
		return d.Streams.Letters(l.Destination).Drop(ctx, l)
	}
	done.Restored++
	return nil
}
