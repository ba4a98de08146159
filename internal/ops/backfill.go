package ops

import (
	"context"
	"fmt"

	"github.com/custsync/custsync/pkg/pipeline"
)

// BackfillResult is what became of a backfill.
type BackfillResult struct {
	Destination string `json:"destination"`
	Customers   int    `json:"customers"`
	Queued      int    `json:"queued"`
	DryRun      bool   `json:"dry_run"`
}

// Backfill wakes every customer at one destination. Its workers send those whose
// row is another one than what the destination was last given.
func (d *Desk) Backfill(ctx context.Context, destination string, b Bulk) (BackfillResult, error) {
	done := BackfillResult{Destination: destination, DryRun: b.DryRun}
	if _, err := d.configured(destination); err != nil {
		return done, err
	}
	if !b.DryRun {
		if err := d.note(ctx, "backfill", destination, d.action(b.Note)); err != nil {
			return done, err
		}
	}
	queue := &queue{desk: d, cause: pipeline.Backfill, pace: pace{rate: b.Rate}}
	for keys, err := range d.Streams.Keys(ctx) {
		if err != nil {
			return done, fmt.Errorf("backfill: %w", err)
		}
		done.Customers += len(keys)
		for _, key := range keys {
			if b.DryRun {
				break
			}
			if err := queue.add(ctx, destination, key); err != nil {
				return done, fmt.Errorf("backfill: %w", err)
			}
			done.Queued = queue.queued
		}
		b.tell(queue.queued)
	}
	err := queue.flush(ctx)
	done.Queued = queue.queued
	if err != nil {
		return done, fmt.Errorf("backfill: %w", err)
	}
	return done, nil
}
