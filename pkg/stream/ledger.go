package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

// Ledger is one destination's part of the ledger.
type Ledger struct {
	post   *post
	prefix string
	writes *meter
	// floor is a sequence of the bucket that an answer must not be older than:
	// any replica may answer a look-up, and one that lags would let an old version
	// through the fence.
	floor   atomic.Uint64
	buffers sync.Pool // of Put
}

var _ pipeline.Ledger = (*Ledger)(nil)

// Ledger returns a destination's part of the ledger. What was stored before the
// call is seen by it.
func (s *Streams) Ledger(ctx context.Context, destination string) (*Ledger, error) {
	l := &Ledger{post: s.post, prefix: ledgerPrefix + destination + ".", writes: newMeter(s.config.Synced)}
	stream, err := s.js.Stream(ctx, ledgerStream)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l.raise(stream.CachedInfo().State.LastSeq)
	return l, nil
}

// sentinel is asked for in every look-up, so that an answer is never empty and
// tells how far the replica is that gave it.
const sentinel = ledgerPrefix + "_"

func (s *Streams) plantSentinel(ctx context.Context) error {
	a, err := s.post.one(ctx, compareAndSet(sentinel, 0, nil))
	if err == nil && !a.lost() {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

const (
	lookUpKeys  = 1000      // the server tells 1,024 messages at most
	lookUpBytes = 512 << 10 // of keys in one request
)

// Get returns one Found per key, in order. No key may be there twice.
func (l *Ledger) Get(ctx context.Context, keys []ledger.Key) ([]pipeline.Found, error) {
	found := make([]pipeline.Found, len(keys))
	err := l.look(ctx, keys, func(i int, data []byte, revision uint64) error {
		found[i].Revision = revision
		if len(data) == 0 {
			return nil // forgotten
		}
		return ledger.Parse(data, &found[i].Entry)
	})
	if err != nil {
		return nil, fmt.Errorf("look up the ledger: %w", err)
	}
	return found, nil
}

// look hands what is stored of each key to each; keys without an entry are left out.
func (l *Ledger) look(ctx context.Context, keys []ledger.Key, each func(i int, data []byte, revision uint64) error) error {
	for from := 0; from < len(keys); {
		to, size := from, 0
		for to < len(keys) && to-from < lookUpKeys && size < lookUpBytes {
			size += len(l.prefix) + len(keys[to]) + 3
			to++
		}
		at := func(i int, data []byte, revision uint64) error { return each(from+i, data, revision) }
		if err := untilCaughtUp(ctx, func() error { return l.ask(ctx, keys[from:to], at) }); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (l *Ledger) ask(ctx context.Context, keys []ledger.Key, each func(i int, data []byte, revision uint64) error) error {
	subjects := make([]string, len(keys)+1)
	index := make(map[string]int, len(keys))
	for i, key := range keys {
		subjects[i] = l.prefix + key
		index[subjects[i]] = i
	}
	subjects[len(keys)] = sentinel
	floor := l.floor.Load()
	told := make([]kept, 0, len(subjects))
	end, err := l.post.fetch(ctx, ledgerStream, get{Last: subjects}, func(k kept) { told = append(told, k) })
	switch {
	case err != nil:
		return err
	case end.none:
		return errTorn // the sentinel is always there
	case end.left > 0:
		return fmt.Errorf("%d entries were left out of an answer", end.left)
	case end.upTo < floor:
		return errLagging
	}
	for _, k := range told {
		if i, ok := index[k.subject]; ok {
			if err := each(i, k.msg.Data, k.seq); err != nil {
				return err
			}
		}
	}
	return nil
}

// raise notes that the bucket has got so far.
func (l *Ledger) raise(seq uint64) {
	for {
		floor := l.floor.Load()
		if seq <= floor || l.floor.CompareAndSwap(floor, seq) {
			return
		}
	}
}
