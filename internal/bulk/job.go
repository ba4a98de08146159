// Package bulk publishes whole files of customers.
//
// Promises: every record ends stored, as a duplicate, or refused with its line
// and reason; one that is refused holds up no other; what was counted was
// acknowledged, whatever ends the process; a job that is run again goes on where
// that was, and gives what it repeats the same ids and versions, so that nothing
// is stored twice within two minutes and nothing delivered twice after them.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/internal/intake"
	"github.com/custsync/custsync/pkg/events"
)

const (
	grace       = 5 * time.Second        // for what is in flight when a job is asked to end
	settleEvery = 100 * time.Millisecond // what a kill can cost is repeated, never lost

	// What waits behind a record without an end is bounded, too: a file may hold
	// nothing but lines to be refused.
	maxMarks = 1 << 16
	maxKept  = 8 << 20 // bytes of refused lines
)

// Totals say what became of the records.
type Totals struct {
	Stored    int64 `json:"stored"`
	Duplicate int64 `json:"duplicate"`
	Refused   int64 `json:"refused"`
}

// Add returns the sum.
func (t Totals) Add(u Totals) Totals {
	return Totals{t.Stored + u.Stored, t.Duplicate + u.Duplicate, t.Refused + u.Refused}
}

// Lines is the number of records.
func (t Totals) Lines() int64 { return t.Stored + t.Duplicate + t.Refused }

// Job publishes one input, once.
type Job struct {
	Publisher *events.Publisher // nil: a dry run, in which what could be stored counts as stored
	Input     io.Reader         // required
	Name      string            // of the input, for the format and for refusals
	Options   intake.Options
	Shop      string // of bare customers; empty: each names its own

	// AsOf is the version of bare customers that have none: the record's line
	// number in microseconds is added. Zero: now. A job that is resumed keeps the
	// time it began with.
	AsOf time.Time

	Refusals *Refusals       // required
	Progress *Progress       // nil: the job can't be resumed
	Refused  func(r Refusal) // told of each refusal; nil: nobody

	lines     atomic.Int64
	window    window
	unwritten bool                    // refused lines that left the window could not be written
	cancel    context.CancelCauseFunc // ends reading
}

// LastLine returns the last line that came to its end. Call it after Run.
func (j *Job) LastLine() int { return j.window.lastLine() }

// Done returns how many records have come to their end so far.
func (j *Job) Done() int64 { return j.lines.Load() }

// Run publishes until the input ends or ctx does, and returns what became of the
// records up to the first that has no end yet, those of earlier runs included.
// What is in flight when ctx ends is given a few seconds.
func (j *Job) Run(ctx context.Context) (totals Totals, err error) {
	began, err := j.begin()
	if err != nil {
		return Totals{}, err
	}
	ctx, j.cancel = context.WithCancelCause(ctx)
	defer j.cancel(nil)
	// What was read before ctx ended may still be sent.
	sendCtx, cancelSend := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelSend(nil)
	var timer atomic.Pointer[time.Timer]
	defer context.AfterFunc(ctx, func() {
		timer.Store(time.AfterFunc(grace, func() { cancelSend(context.Cause(ctx)) }))
	})()

	settled := make(chan error, 1)
	go func() { settled <- j.settleRegularly(ctx) }()
	err = j.publish(ctx, sendCtx, began)
	if j.Publisher != nil {
		// It ends at the latest when sendCtx does, and with it every attempt.
		err = errors.Join(err, j.Publisher.Wait(context.WithoutCancel(ctx)))
	}
	if cause := context.Cause(ctx); cause != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = cause
	}
	j.cancel(nil)
	if t := timer.Load(); t != nil {
		t.Stop()
	}
	err = errors.Join(err, <-settled, j.settle())
	if _, unfit := errors.AsType[*intake.HeaderError](err); err != nil && !unfit {
		return j.window.totals(), err
	}
	return j.window.totals(), errors.Join(err, j.Progress.finish())
}

// begin finds where to go on.
func (j *Job) begin() (*state, error) {
	began, err := j.Progress.load()
	if err != nil {
		return nil, err
	}
	if began == nil {
		began = &state{AsOf: j.AsOf}
		if began.AsOf.IsZero() {
			began.AsOf = time.Now()
		}
		began.AsOf = began.AsOf.UTC().Truncate(time.Microsecond)
	}
	if err := j.Refusals.begin(began.RefusedBytes); err != nil {
		return nil, err
	}
	j.window.begin(began)
	j.lines.Store(began.Totals.Lines())
	// The time must be stored before anything is sent with it.
	return began, j.Progress.save(began)
}

func (j *Job) publish(ctx, sendCtx context.Context, began *state) error {
	options := j.Options
	if began.Encoding != intake.Auto8 {
		options.Encoding = began.Encoding
	}
	reader, err := intake.Open(j.Input, j.Name, options, began.At)
	if err != nil {
		return err
	}
	defer reader.Close()
	maker := intake.Maker{Shop: j.Shop}
	for ctx.Err() == nil {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		j.window.setEncoding(reader.Encoding())
		m := j.window.add(rec)
		if rec.Err == nil {
			rec.Err = j.one(sendCtx, &maker, rec, began.AsOf, m)
			if errors.Is(rec.Err, errEnded) {
				return nil
			}
		}
		if rec.Err != nil {
			j.refuse(m, rec.Text, rec.Err)
		}
		if err := j.makeRoom(sendCtx); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom keeps the window bounded.
func (j *Job) makeRoom(sendCtx context.Context) error {
	if !j.window.full() {
		return nil
	}
	if err := j.settle(); err != nil || !j.window.full() || j.Publisher == nil {
		return err
	}
	if err := j.Publisher.Wait(sendCtx); err != nil {
		return err
	}
	return j.settle()
}

// errEnded says that the record was not sent, since the job ends.
var errEnded = errors.New("the job ends")

// one sends one record. The error is why it is refused.
func (j *Job) one(sendCtx context.Context, maker *intake.Maker, rec intake.Record, asOf time.Time, m *mark) error {
	made, err := maker.Make(rec.Doc, rec.Shop, asOf.Add(time.Duration(rec.Line)*time.Microsecond))
	if err != nil {
		return err
	}
	if j.Publisher == nil {
		j.end(m, stored)
		return nil
	}
	if !j.window.depart(m, made) {
		// A version that is not above one in flight: which of them is the newest,
		// the order of arrival may decide.
		if err := j.Publisher.Wait(sendCtx); err != nil {
			return errEnded
		}
		j.window.depart(m, made)
	}
	text := rec.Text
	err = j.Publisher.PublishRawAsync(sendCtx, made.Raw, func(ack events.Ack, err error) {
		j.window.land(m)
		switch {
		case errors.Is(err, nats.ErrMaxPayload):
			j.refuse(m, text, err)
		case err != nil:
			j.cancel(err)
		case ack.Duplicate:
			j.end(m, duplicate)
		default:
			j.end(m, stored)
		}
	})
	if err != nil { // Make has checked the event, so it is not the event's fault
		j.cancel(err)
		return errEnded
	}
	return nil
}

func (j *Job) end(m *mark, e end) {
	j.window.end(m, e, nil)
	j.lines.Add(1)
}

func (j *Job) refuse(m *mark, text []byte, why error) {
	r := Refusal{File: j.Name, Line: m.line, Reason: why.Error(), Raw: text}
	if j.Refused != nil {
		j.Refused(r)
	}
	j.window.end(m, refused, &r)
	j.lines.Add(1)
}

// settleRegularly stores how far the job is until ctx ends.
func (j *Job) settleRegularly(ctx context.Context) error {
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := j.settle(); err != nil {
			j.cancel(err)
			return nil
		}
	}
}

// settle writes refusals and progress up to the first record without an end. The
// refusals come first, so that progress never passes what is not written.
func (j *Job) settle() error {
	j.window.settling.Lock()
	defer j.window.settling.Unlock()
	if j.unwritten {
		return nil // it was told, and progress would pass the lines
	}
	now, list := j.window.settled()
	size, err := j.Refusals.write(list)
	if err != nil {
		j.unwritten = true
		return fmt.Errorf("write refused lines: %w", err)
	}
	now.RefusedBytes = size
	return j.Progress.save(now)
}
