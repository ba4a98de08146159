package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
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

// Strike removes a customer from the journals of a destination's calls, but for
// calls that began after the end given. A journal is emptied a while after the
// ledger knows what became of its calls; who takes that end out of the ledger has
// to take the calls out too, or a new owner would find them in doubt.
func (s *Streams) Strike(ctx context.Context, destination string, key ledger.Key, end *ledger.Settled) error {
	journals, err := s.records(ctx, callKey+destination+".>")
	if err != nil {
		return fmt.Errorf("strike a customer's calls: %w", err)
	}
	for _, r := range journals {
		var call pipeline.OpenCall
		if err := json.Unmarshal(r.Value, &call); err != nil {
			return fmt.Errorf("strike a customer's calls: read %s: %w", r.Key, err)
		}
		rows := slices.DeleteFunc(slices.Clone(call.Rows), func(row pipeline.CallRow) bool {
			ended := ledger.Mark{Version: end.Version, Seq: end.Seq}
			return row.Key == key && ended.Compare(ledger.Mark{Version: row.Version, Seq: row.Seq}) >= 0 && !call.At.After(end.At)
		})
		if len(rows) == len(call.Rows) {
			continue
		}
		if call.Rows = rows; len(rows) == 0 {
			err = s.dropRecord(ctx, r.Key, r.Revision)
		} else {
			_, err = s.setRecord(ctx, r.Key, r.Revision, call)
		}
		// Where its writer used the slot again, the old call is gone with it.
		if err != nil && !isConflict(err) {
			return fmt.Errorf("strike a customer's calls: %w", err)
		}
	}
	return nil
}
