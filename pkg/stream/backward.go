package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/custsync/custsync/pkg/deadletter"
)

// DeadLettersBack yields as DeadLetters does, but what was stored last first, and
// without events. It is for pages: each is read anew from where the one before
// ended, which Query.UpTo says.
func (s *Streams) DeadLettersBack(ctx context.Context, q Query) iter.Seq2[*deadletter.Letter, error] {
	return func(yield func(*deadletter.Letter, error) bool) {
		q.Bodies = false
		w := letterWindow{streams: s, query: &q, ledgers: map[string]*Ledger{}, yield: yield}
		err := s.backward(ctx, DeadLetters, lettersPrefix+q.filter(), q.After, q.UpTo, func(window []kept) (bool, error) {
			for _, k := range window {
				if !w.add(k.subject, k.msg.Header, nil, k.seq) {
					return false, nil
				}
			}
			return w.flush(ctx)
		})
		if err != nil {
			yield(nil, fmt.Errorf("list dead letters: %w", err))
		}
	}
}

// ActionsBack yields as Actions does, but the newest first, from the place before
// the one given; 0: from the last.
func (s *Streams) ActionsBack(ctx context.Context, verb, destination string, before uint64) iter.Seq2[Action, error] {
	return func(yield func(Action, error) bool) {
		upTo := uint64(0)
		if before == 1 {
			return
		} else if before > 0 {
			upTo = before - 1
		}
		err := s.backward(ctx, Actions, actionsFilter(verb, destination), 0, upTo, func(window []kept) (bool, error) {
			for _, k := range window {
				if !yield(action(k.subject, k.msg.Data, k.seq), nil) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(Action{}, fmt.Errorf("list actions: %w", err))
		}
	}
}

// A span is read at once on the way back; it grows where little is in it.
const (
	firstSpan  = 512
	largeSpan  = 1 << 20
	spanWindow = 2048 // messages of a span at most, else it is read in parts
)

var errDense = errors.New("too many messages")

// backward hands the messages of a filter to window, the last ones first, down to
// after and from upTo, 0 being no bound, until it returns false. The server lends
// forwards only, so that spans are read from the end.
func (s *Streams) backward(ctx context.Context, stream, filter string, after, upTo uint64, window func([]kept) (bool, error)) error {
	first, last, err := s.bounds(ctx, stream)
	if err != nil {
		return err
	}
	if upTo > 0 {
		last = min(last, upTo)
	}
	first = max(first, after+1)
	for span := uint64(firstSpan); last >= first && last > 0; {
		from := first
		if last-first >= span {
			from = last - span + 1
		}
		found, err := s.span(ctx, stream, filter, from, last)
		switch {
		case errors.Is(err, errDense) && span > 1:
			span /= 2
			continue
		case err != nil:
			return err
		}
		slices.Reverse(found)
		if len(found) > 0 {
			if more, err := window(found); err != nil || !more {
				return err
			}
		}
		if len(found) < spanWindow/8 {
			span = min(span*4, largeSpan)
		}
		last = from - 1
	}
	return nil
}

// span reads the messages of a filter from one sequence to another.
func (s *Streams) span(ctx context.Context, stream, filter string, from, to uint64) ([]kept, error) {
	var found []kept
	for from <= to {
		beyond := false
		end, err := s.post.fetch(ctx, stream, get{Filter: filter, Seq: from, Batch: keptAtOnce}, func(k kept) {
			if beyond = beyond || k.seq > to; beyond || len(found) > 0 && k.seq <= found[len(found)-1].seq {
				return // a torn answer tells it again
			}
			if strings.HasPrefix(filter, lettersPrefix) {
				k.msg.Data = nil // a letter's body is its event, which may be large
			}
			found = append(found, k)
		})
		if errors.Is(err, errTorn) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(found) > spanWindow && to > from {
			return nil, errDense
		}
		if beyond || end.none || end.left == 0 {
			break
		}
		from = end.last + 1
	}
	return found, nil
}

// bounds are the sequences of a stream's first and last messages. A stream that is
// empty has a first one above its last.
func (s *Streams) bounds(ctx context.Context, stream string) (first, last uint64, err error) {
	info, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	state := info.CachedInfo().State
	return max(state.FirstSeq, 1), state.LastSeq, nil
}
