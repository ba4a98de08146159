package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// acceptNote is what ACTIONS keeps of an acceptance.
type acceptNote struct {
	action
	Accepted string `json:"accepted"`
}

// Accept has the workers of a destination go on with streams that are not those it
// was worked on with, and tells what is wrong with them; empty: nothing is. All
// customers are read anew and held against what the ledger has; where it is empty,
// all of them are created again.
func (d *Desk) Accept(ctx context.Context, destination, note string) (string, error) {
	if _, err := d.configured(destination); err != nil {
		return "", err
	}
	foreign, err := d.Streams.Inspect(ctx, destination)
	if err != nil || foreign == nil {
		return "", err
	}
	if err := d.note(ctx, "accept", destination, acceptNote{d.action(note), foreign.Reason}); err != nil {
		return "", err
	}
	open := stream.Gate{State: string(pipeline.Running), Since: time.Now().UTC(), Reason: stream.Accepted}
	if err := d.Streams.SetGate(ctx, destination, open); err != nil {
		return "", fmt.Errorf("accept %s: %w", destination, err)
	}
	return foreign.Reason, nil
}
