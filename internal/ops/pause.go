package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// Pause stops a destination across the fleet. Calls in flight are finished;
// events wait in the stream. Pausing it again changes the note.
func (d *Desk) Pause(ctx context.Context, destination, note string) error {
	if _, err := d.configured(destination); err != nil {
		return err
	}
	if err := d.note(ctx, "pause", destination, d.action(note)); err != nil {
		return err
	}
	if err := d.Streams.Pause(ctx, destination, stream.Paused{Since: time.Now().UTC(), Note: note, By: d.By}); err != nil {
		return fmt.Errorf("pause %s: %w", destination, err)
	}
	return nil
}

// Resumed says what a resume did.
type Resumed string

const (
	WasPaused Resumed = "paused" // it goes on
	// WasClosed: its gate was closed. It tries at once, and takes a refusal of
	// everything for the provider's word on each row.
	WasClosed Resumed = "closed"
	WasOpen   Resumed = "running" // there was nothing to do
)

// ForeignStreams says that a destination is blocked since its streams are not those
// that it was worked on with. No try ends that: a person puts them back, or accepts
// what is there.
type ForeignStreams struct{ Destination, Reason string }

func (e *ForeignStreams) Error() string {
	return fmt.Sprintf("%s can't go on: %s; put it back, or go on with what is there: --accept", e.Destination, e.Reason)
}

// Resume starts a destination that a person paused, or makes one try at once
// whose gate is closed by an outage or a block. The error is a *ForeignStreams where
// it needs Accept.
func (d *Desk) Resume(ctx context.Context, destination, note string) (Resumed, error) {
	if _, err := d.configured(destination); err != nil {
		return "", err
	}
	board, err := d.Streams.Board(ctx)
	if err != nil {
		return "", fmt.Errorf("resume %s: %w", destination, err)
	}
	gate, told := board.Gates[destination]
	if _, paused := board.Paused[destination]; !paused && gate.State == string(pipeline.Refusing) {
		foreign, err := d.Streams.Inspect(ctx, destination)
		if err != nil {
			return "", fmt.Errorf("resume %s: %w", destination, err)
		}
		if foreign != nil {
			return "", &ForeignStreams{destination, foreign.Reason}
		}
	}
	if err := d.note(ctx, "resume", destination, d.action(note)); err != nil {
		return "", err
	}
	was, err := d.Streams.Resume(ctx, destination)
	if err != nil {
		return "", fmt.Errorf("resume %s: %w", destination, err)
	}
	if was {
		return WasPaused, nil
	}
	// A gate without a member is an earlier resume. Whether the probe that it led
	// to went well is told when the gate changes, so it may be asked for again.
	if !told || gate.Member != "" && gate.State == string(pipeline.Running) {
		return WasOpen, nil
	}
	open := stream.Gate{State: string(pipeline.Running), Since: time.Now().UTC(), Reason: "resumed"}
	if err := d.Streams.SetGate(ctx, destination, open); err != nil {
		return "", fmt.Errorf("resume %s: %w", destination, err)
	}
	return WasClosed, nil
}
