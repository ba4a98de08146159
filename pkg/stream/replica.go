package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
)

// In a cluster any replica of a stream answers a direct get, and one that was
// away lags behind what others were told is stored. Where that would break a
// promise the leader is asked too.

// replicated reports whether there are replicas that may lag.
func (s *Streams) replicated() bool { return s.config.Replicas > 1 }

// catchUp makes the ledger see all that was stored before the call, by whomever:
// who takes a shard over has to know what its owner before wrote last.
func (s *Streams) catchUp(ctx context.Context, l *Ledger) error {
	if !s.replicated() {
		return nil
	}
	last, err := s.lastSeq(ctx, ledgerStream)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.raise(last)
	return nil
}

// lastSeq is how far a stream is, as its leader has it.
func (s *Streams) lastSeq(ctx context.Context, name string) (uint64, error) {
	stream, err := s.js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", name, err)
	}
	return stream.CachedInfo().State.LastSeq, nil
}

// leaderRecords reads all records of a filter as the leader has them.
func (s *Streams) leaderRecords(ctx context.Context, filter string) ([]Record, error) {
	if !s.replicated() {
		return s.records(ctx, filter)
	}
	var all []Record
	for seq := uint64(1); ; {
		ask, err := json.Marshal(get{Filter: workersPrefix + filter, Seq: seq})
		if err != nil {
			return nil, err
		}
		k, err := s.post.leaders(ctx, workersStream, ask)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", filter, err)
		case k == nil:
			return all, nil
		case len(k.msg.Data) > 0:
			all = append(all, Record{k.subject[len(workersPrefix):], k.msg.Data, k.seq})
		}
		seq = k.seq + 1
	}
}

// leaderNewest is Newest by an answer that holds all that the leader has of the
// customer.
func (s *Streams) leaderNewest(ctx context.Context, key ledger.Key) (*State, error) {
	if !s.replicated() {
		return s.Newest(ctx, key)
	}
	_, last, err := s.post.last(ctx, Customers, customersPrefix+key)
	if err != nil {
		return nil, fmt.Errorf("read the newest state: %w", err)
	}
	var newest *State
	err = untilCaughtUp(ctx, func() error {
		var seen uint64
		var ev events.Event
		newest = nil
		err := s.states(ctx, key, func(k kept) {
			seen = max(seen, k.seq)
			newest = newer(newest, readState(key, k, time.Now(), &ev))
		})
		if err == nil && seen < last {
			err = errLagging
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the newest state: %w", err)
	}
	return newest, nil
}

var errLagging = errors.New("a replica lags behind")

const lookUpTries = 5

// untilCaughtUp asks again, a few times, when an answer is torn or comes from a
// replica that lags.
func untilCaughtUp(ctx context.Context, ask func() error) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for try := 1; ; try++ {
		err := ask()
		if err == nil || try == lookUpTries || !errors.Is(err, errTorn) && !errors.Is(err, errLagging) {
			return err
		}
		pause.Reset(time.Duration(try) * 20 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
