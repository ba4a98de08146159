package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
)

// Restart removes all states of a customer that were stored before the last one
// that can be read, so that it is the newest, whatever its version.
func (s *Streams) Restart(ctx context.Context, key ledger.Key) error {
	var last uint64
	var ev events.Event
	now := time.Now()
	err := s.states(ctx, key, func(k kept) {
		if readState(key, k, now, &ev).Err == nil {
			last = k.seq
		}
	})
	if err == nil && last > 0 {
		err = s.purge(ctx, Customers, customersPrefix+key, last)
	}
	if err != nil {
		return fmt.Errorf("restart a customer: %w", err)
	}
	return nil
}
