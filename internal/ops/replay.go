package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/pipeline"
)

// ReplayResult is what became of a replay.
type ReplayResult struct {
	Selected int  `json:"selected"`
	Queued   int  `json:"queued"`
	DryRun   bool `json:"dry_run"`
	// Of Began, Run is empty where it came to its end. QueuedBefore is how many the run had queued when it was cut short.
	QueuedBefore int `json:"queued_before,omitempty"`
	Began
}

const (
	verbReplay   = "replay"
	verbReplayed = "replayed" // how far a replay came

	// replayWindow is how many wake-ups are stored at once.
	replayWindow = 500
	// noteGrace is how long the note may take of how far a replay came that is cut short.
	noteGrace = 5 * time.Second
)

// replayNote is what ACTIONS keeps of a replay's beginning.
type replayNote struct {
	action
	Filter  Filter     `json:"filter"`
	Run     string     `json:"run"`
	Before  *time.Time `json:"before,omitempty"` // the filter's age, as of the beginning
	UpTo    uint64     `json:"up_to"`            // letters up to here
	Resumes bool       `json:"resumes,omitempty"`
}

// replayedNote is what ACTIONS keeps of how far it came.
type replayedNote struct {
	action
	Run      string `json:"run"`
	Through  uint64 `json:"through"` // all letters up to here
	Queued   int    `json:"queued"`
	Complete bool   `json:"complete"`
}

// Replay queues the customers of open dead letters for their destinations: each
// is woken, and its newest state is delivered, as a person corrected it where one
// did, whatever the letter holds. No other destination is touched. Letters that
// come back meanwhile are not replayed again. The error says why letters were not
// queued.
func (d *Desk) Replay(ctx context.Context, f Filter, b Bulk) (ReplayResult, error) {
	q, err := d.bounded(ctx, f)
	if err != nil {
		return ReplayResult{DryRun: b.DryRun}, err
	}
	run := replayNote{Filter: f, Run: newRun(), UpTo: q.UpTo}
	if f.OlderThan > 0 {
		before := time.Now().Add(-f.OlderThan).UTC()
		run.Before = &before
	}
	return d.replay(ctx, run, replayedNote{}, b)
}

// ResumeReplay goes on with a replay that was cut short, where it was.
func (d *Desk) ResumeReplay(ctx context.Context, run string, b Bulk) (ReplayResult, error) {
	began, so, err := d.run(ctx, run)
	if err != nil {
		return ReplayResult{DryRun: b.DryRun}, err
	}
	if err := d.known(ctx, began.Filter.Destination); err != nil {
		return ReplayResult{DryRun: b.DryRun}, err
	}
	began.Resumes = true
	return d.replay(ctx, *began, so, b)
}

// run finds a replay in ACTIONS, and how far it came in all its parts.
func (d *Desk) run(ctx context.Context, run string) (began *replayNote, so replayedNote, err error) {
	if run == "" {
		return nil, so, misuse("say which replay to go on with: the run that it told when it began")
	}
	for _, verb := range []string{verbReplayed, verbReplay} {
		for a, err := range d.Streams.ActionsBack(ctx, verb, "", 0) {
			if err != nil {
				return nil, so, err
			}
			var end replayedNote
			var note replayNote
			switch {
			case verb == verbReplayed && json.Unmarshal(a.Body, &end) == nil && end.Run == run:
				if end.Complete {
					return nil, so, misuse("replay %s came to its end: begin a new one", run)
				}
				so.Through, so.Queued = max(so.Through, end.Through), so.Queued+end.Queued
			case verb == verbReplay && json.Unmarshal(a.Body, &note) == nil && note.Run == run:
				return &note, so, nil
			}
		}
	}
	return nil, so, misuse("no replay %s is known: begin a new one, without a run to go on with", run)
}

// replay goes through the letters of a run that come after those that it has done.
func (d *Desk) replay(ctx context.Context, run replayNote, so replayedNote, b Bulk) (ReplayResult, error) {
	done := ReplayResult{DryRun: b.DryRun, QueuedBefore: so.Queued}
	q := run.Filter.query()
	if run.Before != nil {
		q.Before = *run.Before
	}
	if q.After, q.UpTo = so.Through, run.UpTo; q.UpTo == 0 || q.After >= q.UpTo {
		return done, nil // there is not one letter
	}
	var wrong []error
	if b.DryRun {
		var err error
		q.Bodies = false
		done.Selected, err = d.windows(ctx, q, run.Filter.Destination, letterWindow, &wrong, func(window []*deadletter.Letter) error {
			done.UpTo = through(window)
			return d.foretell(ctx, window, b)
		})
		return done, errors.Join(append(wrong, err)...)
	}
	run.action = d.action(b.Note)
	noted := false
	queue := &queue{desk: d, cause: pipeline.Replay, pace: pace{rate: b.Rate}}
	came := so.Through
	var err error
	done.Selected, err = d.windows(ctx, q, run.Filter.Destination, queue.pace.window(replayWindow), &wrong, func(window []*deadletter.Letter) error {
		if !noted {
			if err := d.note(ctx, verbReplay, run.Filter.Destination, run); err != nil {
				return err
			}
			noted = true
			done.Began = Began{run.Run, run.UpTo}
			b.begin(done.Began)
		}
		for _, l := range window {
			if _, err := d.configured(l.Destination); err != nil {
				wrong = keep(wrong, fmt.Errorf("replay: %w", err))
				continue
			}
			if err := queue.add(ctx, l.Destination, l.Key()); err != nil {
				return err
			}
		}
		if err := queue.flush(ctx); err != nil {
			return err
		}
		came = through(window)
		b.tell(queue.queued)
		return nil
	})
	done.Queued = queue.queued
	if err != nil {
		wrong = append(wrong, err)
	}
	if !noted {
		return done, errors.Join(wrong...) // there was not one letter
	}
	if err == nil {
		done.Run = "" // there is nothing to go on with
	}
	end := replayedNote{d.action(""), run.Run, came, queue.queued, err == nil}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteGrace)
	defer cancel()
	if err := d.note(last, verbReplayed, run.Filter.Destination, end); err != nil {
		wrong = append(wrong, err)
	}
	return done, errors.Join(wrong...)
}

// foretell tells what a replay would do with a window of letters.
func (d *Desk) foretell(ctx context.Context, window []*deadletter.Letter, b Bulk) error {
	if b.Row == nil {
		return nil
	}
	return byDestination(window, func(letters []*deadletter.Letter) error {
		all, err := d.foresee(ctx, letters, nil)
		if err != nil {
			return err
		}
		for i := range all {
			if err := b.row(&all[i].Would); err != nil {
				return err
			}
		}
		return nil
	})
}

// queue stores wake-ups window by window, at a pace.
type queue struct {
	desk   *Desk
	cause  pipeline.Cause
	force  bool
	pace   pace
	of     []string // the destinations of the window
	window map[string][]pipeline.Wakeup
	size   int
	queued int
}

// add puts a customer into the window and stores a window that is full. An error
// means that the customers of the window were not queued.
func (q *queue) add(ctx context.Context, destination, key string) error {
	if q.window == nil {
		q.window = map[string][]pipeline.Wakeup{}
	}
	if len(q.window[destination]) == 0 {
		q.of = append(q.of, destination)
	}
	q.window[destination] = append(q.window[destination], pipeline.Wakeup{Key: key, Cause: q.cause, Force: q.force})
	if q.size++; q.size < q.pace.window(replayWindow) {
		return nil
	}
	return q.flush(ctx)
}

func (q *queue) flush(ctx context.Context) error {
	if q.size == 0 {
		return nil
	}
	defer func() {
		for _, destination := range q.of {
			q.window[destination] = q.window[destination][:0]
		}
		q.of, q.size = q.of[:0], 0
	}()
	if err := q.pace.wait(ctx, q.size); err != nil {
		return err
	}
	now := time.Now()
	for _, destination := range q.of {
		wakeups := q.window[destination]
		for i := range wakeups {
			wakeups[i].At = now
		}
		if err := q.desk.Streams.Alarm(destination).Set(ctx, wakeups); err != nil {
			return fmt.Errorf("queue %d customers for %s: %w", len(wakeups), destination, err)
		}
		q.queued += len(wakeups)
	}
	return nil
}
