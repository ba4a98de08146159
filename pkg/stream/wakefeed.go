package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// wakeFeed lends the wake-ups of one shard, each with its customer's newest state.
type wakeFeed struct {
	streams *Streams
	reader  *reader
	cursor  *cursor
	lent    uint64
	prefix  int      // length of "wake.<destination>."
	read    []wakeup // read and not lent yet, in order
	cleared uint64   // wake-ups up to it are removed
	next    time.Time
}

type wakeup struct {
	seq  uint64
	key  ledger.Key
	body []byte
}

var _ pipeline.Feed = (*wakeFeed)(nil)

const (
	wakeBytes  = 64 << 10 // of wake-ups in one read: about a thousand
	wakeWindow = 64       // wake-ups whose states are read at once
	wakeReads  = 4        // at the same time
	clearPause = 10 * time.Second
)

func newWakeFeed(s *Streams, r *reader, c *cursor, destination string, lent uint64) *wakeFeed {
	return &wakeFeed{streams: s, reader: r, cursor: c, lent: lent, prefix: len(wakePrefix + destination + ".")}
}

func (f *wakeFeed) Fetch(ctx context.Context, maxBytes int) ([]pipeline.Message, error) {
	f.clear(ctx)
	if err := f.fill(ctx); err != nil || len(f.read) == 0 {
		return nil, err
	}
	window := f.read[:min(len(f.read), wakeWindow)]
	if err := f.cursor.lend(ctx, ofWakeups, window[len(window)-1].seq); err != nil {
		return nil, err
	}
	states, err := f.states(ctx, window)
	if err != nil {
		return nil, err // the window stays, and is tried again
	}
	messages := make([]pipeline.Message, 0, len(window))
	size := 0
	for i, w := range window {
		m := pipeline.Message{Seq: w.seq, Key: w.key, Again: w.seq <= f.lent}
		var body wakeBody
		if err := json.Unmarshal(w.body, &body); err != nil || body.Cause == pipeline.Live {
			body = wakeBody{Cause: pipeline.Retry} // the weakest cause: it only looks
		}
		m.Cause, m.Force = body.Cause, body.Force
		if state := states[i]; state != nil {
			m.Data, m.Event, m.At = state.Data, state.Seq, state.At
		}
		if size += len(m.Data); size > maxBytes && i > 0 {
			break
		}
		messages = append(messages, m)
	}
	f.read = f.read[len(messages):]
	return messages, nil
}

// clear removes wake-ups that are settled, and stored as settled, now and then:
// the stream would keep the last one of every customer for ever.
func (f *wakeFeed) clear(ctx context.Context) {
	settled := f.cursor.storedSettled(ofWakeups)
	if settled <= f.cleared || time.Now().Before(f.next) {
		return
	}
	f.next = time.Now().Add(clearPause)
	for _, filter := range f.reader.filters {
		if err := f.streams.purge(ctx, Wakeups, filter, settled+1); err != nil {
			return // they are in nobody's way; the next time tries again
		}
	}
	f.cleared = settled
}

// fill reads wake-ups, unless some are left of before.
func (f *wakeFeed) fill(ctx context.Context) error {
	if len(f.read) > 0 {
		return nil
	}
	err := f.reader.read(ctx, wakeBytes, func(m *nats.Msg, d delivery) {
		f.read = append(f.read, wakeup{d.seq, m.Subject[f.prefix:], m.Data})
	})
	if len(f.read) > 0 {
		return nil
	}
	return err
}

// states reads the newest states of a window of wake-ups, some at a time.
func (f *wakeFeed) states(ctx context.Context, window []wakeup) ([]*State, error) {
	states := make([]*State, len(window))
	errs := make([]error, wakeReads)
	var wg sync.WaitGroup
	for n := range wakeReads {
		wg.Go(func() {
			for i := n; i < len(window) && errs[n] == nil; i += wakeReads {
				states[i], errs[n] = f.streams.leaderNewest(ctx, window[i].key)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("lend wake-ups: %w", err)
		}
	}
	return states, nil
}

func (f *wakeFeed) Settle(seq uint64) {
	f.cursor.settle(ofWakeups, seq)
}
