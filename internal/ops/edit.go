package ops

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

// EditResult is what became of an edit.
type EditResult struct {
	Selected  int  `json:"selected"`
	Edited    int  `json:"edited"`
	Unchanged int  `json:"unchanged"` // the patch changes nothing of them
	Refused   int  `json:"refused"`   // they would not be valid with it, or can't be edited
	Moved     int  `json:"moved"`     // had got another end in the meantime, and were left alone
	DryRun    bool `json:"dry_run"`
	Began
}

const verbEdit = "edit"

// editNote is what ACTIONS keeps of an edit: the names of the fields, and nothing
// of the customer's data.
type editNote struct {
	action
	Shop     string   `json:"shop"`
	Customer string   `json:"customer"`
	Version  int64    `json:"version"`
	Seq      uint64   `json:"seq"`
	Fields   []string `json:"fields"` // that differ from what was published; none: the edit was taken back
}

// Edit corrects the customers of open dead letters, each for its destination only,
// by a JSON merge patch (RFC 7396) of the event's data, on top of an earlier edit;
// the patch null takes the edit back. Nothing is sent before a replay. An edit is
// of the letter's version: a newer one supersedes it, and nothing else sends that
// version as it was published.
//
// Each letter is judged alone: one whose row would still be refused by the rules
// that are known before sending stays as it is, and is told of.
func (d *Desk) Edit(ctx context.Context, f Filter, patch []byte, b Bulk) (EditResult, error) {
	done := EditResult{DryRun: b.DryRun}
	ch := &change{patch: patch, paths: b.Paths, back: string(bytes.TrimSpace(patch)) == "null"}
	if !ch.back {
		if _, err := deadletter.CheckPatch(patch); err != nil {
			return done, &Misuse{err}
		}
	}
	if f.Destination != "" {
		if _, err := d.configured(f.Destination); err != nil {
			return done, err
		}
	}
	q, err := d.bounded(ctx, f)
	if err != nil || q.UpTo == 0 {
		return done, err
	}
	q.Bodies = true
	pace := pace{rate: b.Rate}
	if b.DryRun {
		pace.rate = 0 // it is only looked
	}
	var wrong []error
	done.Selected, err = d.windows(ctx, q, f.Destination, pace.window(letterWindow), &wrong, func(window []*deadletter.Letter) error {
		if err := pace.wait(ctx, len(window)); err != nil {
			return err
		}
		if b.DryRun {
			done.UpTo = through(window)
		} else {
			done.UpTo = q.UpTo
			b.begin(done.Began)
		}
		err := byDestination(window, func(letters []*deadletter.Letter) error {
			all, err := d.foresee(ctx, letters, ch)
			if err == nil {
				err = d.correct(ctx, all, ch, b, &done)
			}
			return err
		})
		b.tell(done.Edited)
		return err
	})
	return done, errors.Join(append(wrong, err)...)
}

// correct carries out an edit of letters of one destination.
func (d *Desk) correct(ctx context.Context, all []prospect, ch *change, b Bulk, done *EditResult) error {
	var taken []*prospect
	for i := range all {
		p := &all[i]
		refused := false
		switch {
		case p.Would.Would == WouldSupersede || p.Would.Would == WouldFind:
			done.Moved++
		case p.Would.Would == WouldFilter && !ch.back:
			p.Would.Would, p.Message, p.Row = WouldRefuse, "the destination's shops or when would not admit the customer", nil
			refused = true
		case p.unfit, p.Would.Would == WouldRefuse && !ch.back:
			refused = true
		case p.same:
			done.Unchanged++
		default:
			taken = append(taken, p)
		}
		if refused {
			done.Refused++
		}
		if b.DryRun || refused {
			if err := b.row(&p.Would); err != nil {
				return err
			}
		}
	}
	if b.DryRun {
		done.Edited += len(taken)
		return nil
	}
	if len(taken) == 0 {
		return nil
	}
	return d.store(ctx, taken, b.Note, done)
}

// store notes the edits, stores them, and has the ledger say that they are in
// force: from then on the version is sent as they say. Then the owners are told,
// who may have the customer waiting as it was published.
func (d *Desk) store(ctx context.Context, taken []*prospect, note string, done *EditResult) error {
	destination := taken[0].letter.Destination
	desk := d.Streams.Letters(destination)
	now := time.Now().UTC()
	letters, notes := make([]*deadletter.Letter, len(taken)), make([]any, len(taken))
	var keys []ledger.Key
	var edits []*deadletter.Edit
	for i, p := range taken {
		l := p.letter
		n := editNote{d.action(note), plain(l.Shop), plain(l.Customer), l.Version, l.Seq, []string{}}
		if p.edit != nil {
			p.edit.ID, p.edit.At, p.edit.By, p.edit.Note = rand.Text(), now, d.By, note
			n.Fields = deadletter.Touched(p.edit.Patch)
			keys, edits = append(keys, l.Key()), append(edits, p.edit)
		}
		letters[i], notes[i] = l, n
	}
	if err := d.Streams.NoteAll(ctx, verbEdit, destination, notes); err != nil {
		return err
	}
	if err := desk.StoreEdits(ctx, keys, edits); err != nil {
		return err
	}
	// From here on it comes to its end, even where whoever asked has left meanwhile:
	// owners hear of what the ledger says is in force.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), windowTakes)
	defer cancel()
	changed, err := d.rewrite(ctx, letters, func(i int, end *ledger.Settled) bool {
		if end.Outcome != ledger.Dead {
			return false
		}
		end.Edit = ""
		if e := taken[i].edit; e != nil {
			end.Edit = e.ID
		}
		return true
	})
	var errs []error
	var wakeups []pipeline.Wakeup
	for i, l := range letters {
		over := l.Edit
		switch {
		case changed[i]:
			done.Edited++
			wakeups = append(wakeups, pipeline.Wakeup{Key: l.Key(), At: now, Cause: pipeline.Retry})
		case err != nil:
			continue // nobody knows: one of the two may be in force
		default:
			done.Moved++
			if over = ""; taken[i].edit != nil {
				over = taken[i].edit.ID
			}
		}
		if over == "" {
			continue
		}
		if e := desk.DropEdit(ctx, l.Key(), over); e != nil {
			errs = keep(errs, e)
		}
	}
	errs = append(errs, err, d.Streams.Alarm(destination).Set(ctx, wakeups))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	return nil
}
