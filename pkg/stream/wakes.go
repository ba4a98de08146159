package stream

import (
	"context"
	"fmt"

	"github.com/custsync/custsync/pkg/ledger"
)

// Woken is what is stored of a customer's wake-ups at a destination.
type Woken struct {
	Scheduled bool   // its time has not come
	Fired     uint64 // sequence of the one whose time has come; 0: none is stored
}

// Woken tells of each customer which wake-ups are stored. No key may be there
// twice, and there may be at most 500. One that has fired counts as long as the
// shard's cursor is not beyond it.
func (s *Streams) Woken(ctx context.Context, destination string, keys []ledger.Key) ([]Woken, error) {
	woken := make([]Woken, len(keys))
	subjects := make([]string, 0, 2*len(keys))
	for _, key := range keys {
		subjects = append(subjects, schedulePrefix+destination+"."+key, wakePrefix+destination+"."+key)
	}
	err := s.lastOf(ctx, Wakeups, subjects, 0, func(i int, k kept) {
		if w := &woken[i/2]; i%2 == 0 {
			w.Scheduled = true
		} else {
			w.Fired = k.seq
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look for wake-ups: %w", err)
	}
	return woken, nil
}

// PlaceOf is the shard that a customer falls into.
func (s *Streams) PlaceOf(destination string, l Layout, key ledger.Key) Place {
	return Place{destination, l.Generation, l.Shards, partitionOf(key) * l.Shards / s.config.Partitions}
}
