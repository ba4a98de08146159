package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/custsync/custsync/internal/worker"
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
// row is another one than what the destination was last given, after whatever else
// there is to send.
//
// Only so many are awake at a time, so that a retry or a replay does not come behind
// them all. So it takes as long as the sending does; where it was cut short, another
// one passes quickly over those who were sent.
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
	room, scheduled := 0, uint64(math.MaxUint64)
	queue := &queue{desk: d, cause: pipeline.Backfill, pace: pace{rate: b.Rate}}
	for keys, err := range d.Streams.Keys(ctx) {
		if err != nil {
			return done, fmt.Errorf("backfill: %w", err)
		}
		done.Customers += len(keys)
		for len(keys) > 0 && !b.DryRun {
			if room == 0 {
				if room, scheduled, err = d.roomToFill(ctx, destination, scheduled); err != nil {
					return done, fmt.Errorf("backfill: %w", err)
				}
			}
			n := min(room, len(keys))
			for _, key := range keys[:n] {
				if err := queue.add(ctx, destination, key); err != nil {
					return done, fmt.Errorf("backfill: %w", err)
				}
			}
			keys, room = keys[n:], room-n
			if room == 0 {
				if err := queue.flush(ctx); err != nil {
					return done, fmt.Errorf("backfill: %w", err)
				}
			}
			done.Queued = queue.queued
			b.tell(queue.queued)
		}
	}
	err := queue.flush(ctx)
	done.Queued = queue.queued
	if err != nil {
		return done, fmt.Errorf("backfill: %w", err)
	}
	return done, nil
}

const (
	fillAwake = 1000                   // customers of a destination at a time
	fillPause = 100 * time.Millisecond // between looks whether there is room
	// fillFires is how long a wake-up that is due may take to fire.
	fillFires = 2 * time.Second
	// fillAlone is how long nobody may work: a worker may just be starting.
	fillAlone = 5 * time.Second
)

// NobodyWorks says that no worker works on a destination for which customers wait.
type NobodyWorks struct{ Destination string }

func (e *NobodyWorks) Error() string {
	return fmt.Sprintf("no worker works on %s, and as many customers are queued for it as may be at a time: start one, and run the backfill again", e.Destination)
}

// roomToFill waits until few enough wake-ups of a destination have fired and are not
// settled, and returns how many more may be. Those that were set a moment ago may not
// have fired yet, and can't be told from those that wait for long: there were so many
// scheduled before them, and are now.
func (d *Desk) roomToFill(ctx context.Context, destination string, before uint64) (room int, now uint64, err error) {
	began, alone := time.Now(), time.Time{}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		fired, err := d.Streams.Fired(ctx, destination)
		if err != nil {
			return 0, 0, err
		}
		scheduled, err := d.Streams.Retrying(ctx, destination)
		if err != nil {
			return 0, 0, err
		}
		settling := time.Since(began) < fillFires && scheduled > before
		switch {
		case !settling && fired < fillAwake:
			return fillAwake - int(fired), scheduled, nil
		case settling || d.worked(ctx, destination):
			alone = time.Time{}
		case alone.IsZero():
			alone = time.Now()
		case time.Since(alone) > fillAlone:
			return 0, 0, &NobodyWorks{destination}
		}
		pause.Reset(fillPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// worked reports whether a living worker works on a destination, as far as is known.
func (d *Desk) worked(ctx context.Context, destination string) bool {
	board, err := d.Streams.Board(ctx)
	if err != nil {
		return true
	}
	for _, m := range board.Members {
		var told map[string]worker.Stats
		if json.Unmarshal(m.Stats, &told) == nil {
			if _, here := told[destination]; here {
				return true
			}
		}
	}
	return false
}
