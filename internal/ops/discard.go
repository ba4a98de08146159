package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// DiscardResult is what became of a discard.
type DiscardResult struct {
	Selected  int  `json:"selected"`
	Discarded int  `json:"discarded"`
	Moved     int  `json:"moved"` // had got another end in the meantime, and were left alone
	DryRun    bool `json:"dry_run"`
}

// discardNote is what ACTIONS keeps of a discarded letter: enough to restore it
// while the stream keeps its event, and nothing of the customer's data.
type discardNote struct {
	action
	Letter
	Seq uint64 `json:"seq"`
}

const (
	verbDiscard = "discard"
	verbUndo    = "undo"
)

// Discard closes open dead letters for good: their customers stay at the
// destinations as they are, until a newer version comes.
//
// The ledger is its shards' owners' to write, but for this word: "dead" becomes
// "discarded" by compare-and-set. An owner that knew the entry before loses its
// next write of it, and reads it again. The letter goes last; whoever stops a
// discard lets the window that is under way come to its end.
func (d *Desk) Discard(ctx context.Context, f Filter, b Bulk) (DiscardResult, error) {
	done := DiscardResult{DryRun: b.DryRun}
	pace := pace{rate: b.Rate}
	var wrong []error
	var err error
	done.Selected, err = d.windows(ctx, f.query(), f.Destination, pace.window(letterWindow), &wrong, func(window []*deadletter.Letter) error {
		if b.DryRun {
			for _, l := range window {
				w := would(l, WouldDiscard)
				if err := b.row(&w); err != nil {
					return err
				}
			}
			return nil
		}
		if err := pace.wait(ctx, len(window)); err != nil {
			return err
		}
		err := byDestination(window, func(letters []*deadletter.Letter) error {
			return d.discard(ctx, letters, b.Note, &done)
		})
		b.tell(done.Discarded)
		return err
	})
	return done, errors.Join(append(wrong, err)...)
}

// discard closes letters of one destination.
func (d *Desk) discard(ctx context.Context, letters []*deadletter.Letter, note string, done *DiscardResult) error {
	destination := letters[0].Destination
	notes := make([]any, len(letters))
	for i, l := range letters {
		notes[i] = discardNote{d.action(note), letterOf(l), l.Seq}
	}
	if err := d.Streams.NoteAll(ctx, verbDiscard, destination, notes); err != nil {
		return err
	}
	changed, err := d.rewrite(ctx, letters, reword(ledger.Dead, ledger.Discarded))
	if err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	// What the ledger says is discarded no list shows again: its data go now, even
	// where whoever asked has left meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTakes)
	defer cancel()
	for i, l := range letters {
		if !changed[i] {
			done.Moved++
			continue
		}
		if err := d.Streams.Letters(destination).Drop(ctx, l); err != nil {
			return fmt.Errorf("discard: %w", err)
		}
		done.Discarded++
	}
	return nil
}

// dropTakes bounds the dropping of one window of letters.
const dropTakes = 30 * time.Second

// reword changes an end from one word to another.
func reword(from, to string) func(int, *ledger.Settled) bool {
	return func(_ int, end *ledger.Settled) bool {
		is := end.Outcome == from
		end.Outcome, end.At = to, time.Now().UTC()
		return is
	}
}

// rewrite changes the last end of the letters' customers where it is the letter's
// own and change has it so, and tells where it did. All letters are of one
// destination.
func (d *Desk) rewrite(ctx context.Context, letters []*deadletter.Letter, change func(i int, end *ledger.Settled) bool) ([]bool, error) {
	changed := make([]bool, len(letters))
	book, err := d.Streams.Ledger(ctx, letters[0].Destination)
	if err != nil {
		return changed, err
	}
	var open []int
	for i := range letters {
		open = append(open, i)
	}
	// Whoever else writes an entry ends its customer's matter, or is about to: it
	// is not chased for ever.
	for range 5 {
		if len(open) == 0 {
			break
		}
		keys := make([]ledger.Key, len(open))
		for n, i := range open {
			keys[n] = letters[i].Key()
		}
		found, err := book.Get(ctx, keys)
		if err != nil {
			return changed, err
		}
		var writes []pipeline.Write
		var of []int
		for n, i := range open {
			entry := found[n].Entry
			if entry.Settled == nil || entry.Settled.Seq != letters[i].Seq {
				continue
			}
			end := *entry.Settled
			if !change(i, &end) {
				continue
			}
			entry.Settled = &end
			writes = append(writes, pipeline.Write{Key: keys[n], Revision: found[n].Revision, Entry: entry})
			of = append(of, i)
		}
		written, err := book.Put(ctx, writes)
		open = open[:0]
		for n, w := range written {
			if w.Revision > 0 {
				changed[of[n]] = true
			} else if w.Lost {
				open = append(open, of[n])
			}
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// UndoResult is what became of an undo.
type UndoResult struct {
	Restored int  `json:"restored"`
	Gone     int  `json:"gone"` // their events are not kept any more
	DryRun   bool `json:"dry_run"`
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
		if err := d.restore(ctx, d.letter(&n), b, &done); err != nil {
			return done, fmt.Errorf("undo: %w", err)
		}
		b.tell(done.Restored)
	}
	return done, nil
}

func (f *Filter) admits(n *discardNote) bool {
	return (f.Reason == "" || f.Reason == n.Reason) && (f.Shop == "" || f.Shop == n.Shop) &&
		(f.Customer == "" || f.Customer == n.Customer) && (f.Fingerprint == "" || f.Fingerprint == n.Fingerprint) &&
		(f.OlderThan <= 0 || n.LastAt.Before(time.Now().Add(-f.OlderThan)))
}

// letter is the letter of a note, without its event.
func (d *Desk) letter(n *discardNote) *deadletter.Letter {
	l := &deadletter.Letter{
		Destination: n.Destination, Version: n.Version, Seq: n.Seq, Reason: n.Reason, Errors: n.Errors,
		Message: n.ProviderMessage, Attempts: n.Attempts, FirstAt: n.FirstAt, LastAt: n.LastAt, Fingerprint: n.Fingerprint,
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
	changed, err := d.rewrite(ctx, []*deadletter.Letter{l}, reword(ledger.Discarded, ledger.Dead))
	if err != nil {
		return err
	}
	if !changed[0] {
		return d.Streams.Letters(l.Destination).Drop(ctx, l)
	}
	done.Restored++
	return d.note(ctx, verbUndo, l.Destination, discardNote{d.action(b.Note), letterOf(l), l.Seq})
}
