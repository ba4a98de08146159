package ops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

// DiscardResult is what became of a discard.
type DiscardResult struct {
	Selected  int  `json:"selected"`
	Discarded int  `json:"discarded"`
	Moved     int  `json:"moved"` // had got another end in the meantime, and were left alone
	DryRun    bool `json:"dry_run"`
	Began
}

// discardNote is what ACTIONS keeps of a discarded letter: enough to restore it
// while the stream keeps its event, and nothing of the customer's data.
type discardNote struct {
	action
	Letter
	Seq uint64 `json:"seq"`
	Run string `json:"run,omitempty"` // of all that were discarded at once
}

const (
	verbDiscard = "discard"
	verbUndo    = "undo"
)

// Discard closes open dead letters for good: their customers stay at the
// destinations as they are, until a newer version comes. What is told to be
// discarded is, also where an error tells that not all was done.
//
// The ledger is its shards' owners' to write, but for this word: "dead" becomes
// "discarded" by compare-and-set. An owner that knew the entry before loses its
// next write of it, and reads it again. The letter goes last; whoever stops a
// discard lets the window that is under way come to its end.
func (d *Desk) Discard(ctx context.Context, f Filter, b Bulk) (DiscardResult, error) {
	done := DiscardResult{DryRun: b.DryRun}
	q, err := d.bounded(ctx, f)
	if err != nil || q.UpTo == 0 {
		return done, err
	}
	pace := pace{rate: b.Rate}
	var wrong []error
	done.Selected, err = d.windows(ctx, q, f.Destination, pace.window(letterWindow), &wrong, func(window []*deadletter.Letter) error {
		if b.DryRun {
			done.UpTo = through(window)
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
		if done.Run == "" {
			done.Began = Began{newRun(), q.UpTo}
			b.begin(done.Began)
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
		notes[i] = discardNote{d.action(note), letterOf(l), l.Seq, done.Run}
	}
	if err := d.Streams.NoteAll(ctx, verbDiscard, destination, notes); err != nil {
		return err
	}
	// What was noted comes to its end, even where whoever asked has left meanwhile:
	// what the ledger says is discarded no list shows again, so that its data go now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), windowTakes)
	defer cancel()
	changed, err := d.rewrite(ctx, letters, reword(ledger.Dead, ledger.Discarded))
	var left error
	for i, l := range letters {
		switch {
		case changed[i]:
			done.Discarded++
			if e := d.Streams.Letters(destination).Drop(ctx, l); e != nil {
				left = fmt.Errorf("discarded, but what it holds could not be removed: %w", e)
			}
		case err == nil:
			done.Moved++
		}
	}
	if err = errors.Join(err, left); err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	return nil
}

// windowTakes bounds the end of a window of letters after its act was stopped.
const windowTakes = 30 * time.Second

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
