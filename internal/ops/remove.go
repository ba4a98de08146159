package ops

import (
	"context"
	"fmt"

	"github.com/custsync/custsync/pkg/stream"
)

// Removed is what was kept for a destination that is gone.
type Removed struct {
	Destination string `json:"destination"`
	stream.Kept
	DryRun bool `json:"dry_run"`
}

// StillConfigured says that a destination is not gone.
type StillConfigured struct {
	Name string
	As   string // the name under which it is in the configuration now
}

func (e *StillConfigured) Error() string {
	if e.As != e.Name {
		return fmt.Sprintf("%s is to become %s: run a worker, which carries over what is kept for it", e.Name, e.As)
	}
	return fmt.Sprintf("%s is in the configuration: take it out there and at every worker, then remove it", e.Name)
}

// Remove deletes all that is kept for a destination that is in no configuration any
// more: ledger, letters, wake-ups and what the workers tell each other of it. It is
// refused while a worker works on it. A dry run says what would go. It can be done
// again, where it was cut short.
func (d *Desk) Remove(ctx context.Context, destination, note string, dryRun bool) (Removed, error) {
	done := Removed{Destination: destination, DryRun: dryRun}
	for i := range d.Config.Destinations {
		if c := &d.Config.Destinations[i]; destination == c.Name || destination == c.Formerly {
			return done, &StillConfigured{destination, c.Name}
		}
	}
	kept, err := d.Streams.KeptFor(ctx, destination)
	if err != nil {
		return done, fmt.Errorf("remove %s: %w", destination, err)
	}
	if done.Kept = kept; kept == (stream.Kept{}) {
		return done, d.nothingKept(ctx, destination)
	}
	if err := d.Streams.Unowned(ctx, destination); err != nil {
		return done, fmt.Errorf("remove %s: %w", destination, err)
	}
	if dryRun {
		return done, nil
	}
	if err := d.note(ctx, "remove", destination, struct {
		action
		stream.Kept
	}{d.action(note), kept}); err != nil {
		return done, err
	}
	return done, d.Streams.Remove(ctx, destination)
}

// nothingKept says which destinations could have been meant.
func (d *Desk) nothingKept(ctx context.Context, destination string) error {
	board, err := d.Streams.Board(ctx)
	if err != nil {
		return fmt.Errorf("remove %s: %w", destination, err)
	}
	return &NothingKept{Name: destination, Left: d.names(board)[len(d.Config.Destinations):]}
}

// NothingKept says that nothing is kept for a destination.
type NothingKept struct {
	Name string
	Left []string // destinations of which something is left
}

func (e *NothingKept) Error() string { return fmt.Sprintf("nothing is kept for %q", e.Name) }
