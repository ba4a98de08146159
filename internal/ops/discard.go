package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

	discardWindow = 200
)

// Discard closes open dead letters for good: their customers stay at the
// destinations as they are, until a newer version comes.
//
// The ledger is its shards' owners' to write, but for this word: "dead" becomes
// "discarded" by compare-and-set. An owner that knew the entry before loses its
// next write of it, and reads it again. The letter goes last, so that what is cut
// short can be done again.
func (d *Desk) Discard(ctx context.Context, f Filter, b Bulk) (DiscardResult, error) {
	done := DiscardResult{DryRun: b.DryRun}
	pace := pace{rate: b.Rate}
	var wrong []error
	var window []*deadletter.Letter
	flush := func() {
		if len(window) == 0 || b.DryRun {
			return
		}
		err := pace.wait(ctx, len(window))
		if err == nil {
			err = d.discard(ctx, window, b.Note, &done)
		}
		if err != nil {
			wrong = keep(wrong, err)
		}
		window = nil
		b.tell(done.Discarded)
	}
	for l, err := range d.stored(ctx, f) {
		done.Selected++
		if err != nil {
			wrong = keep(wrong, err)
			continue
		}
		if len(window) > 0 && (len(window) >= pace.window(discardWindow) || window[0].Destination != l.Destination) {
			flush()
		}
		if ctx.Err() != nil {
			break
		}
		window = append(window, l)
	}
	flush()
	return done, errors.Join(wrong...)
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
	changed, err := d.reword(ctx, letters, ledger.Dead, ledger.Discarded)
	if err != nil {
		return fmt.Errorf("discard: %w", err)
	}
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

// reword changes the last end of the letters' customers from one word to another
// where it is the letter's own, and tells where it did. All letters are of one
// destination.
func (d *Desk) reword(ctx context.Context, letters []*deadletter.Letter, from, to string) ([]bool, error) {
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
			s := entry.Settled
			if s == nil || s.Outcome != from || s.Seq != letters[i].Seq {
				continue
			}
			end := *s
			end.Outcome, end.At = to, time.Now().UTC()
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
	pace := pace{rate: b.Rate}
	for a, err := range d.Streams.Actions(ctx, verbDiscard, f.Destination) {
		if err != nil {
			return done, fmt.Errorf("undo: %w", err)
		}
		var n discardNote
		if json.Unmarshal(a.Body, &n) != nil || !f.admits(&n) {
			continue
		}
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
	if state == nil {
		done.Gone++
		return nil
	}
	if b.DryRun {
		done.Restored++
		return nil
	}
	l.Event = state.Data
	if err := d.Streams.Letters(l.Destination).Open(ctx, l); err != nil {
		return err
	}
	changed, err := d.reword(ctx, []*deadletter.Letter{l}, ledger.Discarded, ledger.Dead)
	if err != nil {
		return err
	}
	if !changed[0] {
		return d.Streams.Letters(l.Destination).Drop(ctx, l)
	}
	done.Restored++
	return d.note(ctx, verbUndo, l.Destination, discardNote{d.action(b.Note), letterOf(l), l.Seq})
}
