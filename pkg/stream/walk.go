package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// Keys yields the keys of all customers that the stream kept at the call, each
// once, in windows of at most 500. A customer who was published again and again
// while the walk had not come to him yet may be left out: of him nothing is kept
// that was there at the call. An error ends it.
func (s *Streams) Keys(ctx context.Context) iter.Seq2[[]ledger.Key, error] {
	return func(yield func([]ledger.Key, error) bool) {
		if err := s.keys(ctx, func(window []ledger.Key) bool { return yield(window, nil) }); err != nil {
			yield(nil, fmt.Errorf("walk the customers: %w", err))
		}
	}
}

const keysWindow = 500

func (s *Streams) keys(ctx context.Context, yield func([]ledger.Key) bool) error {
	ends, err := s.Ends(ctx)
	if err != nil {
		return err
	}
	end := ends.Events
	return s.each(ctx, Customers, customersPrefix+">", true, func(messages []*nats.Msg) (bool, error) {
		for len(messages) > 0 {
			part := messages[:min(len(messages), keysWindow)]
			messages = messages[len(part):]
			window, over, err := s.lastOnes(ctx, part, end)
			if err != nil || len(window) > 0 && !yield(window) || over {
				return false, err
			}
		}
		return true, nil
	})
}

// lastOnes are the keys of those messages that were the last of their customer
// at the sequence end.
func (s *Streams) lastOnes(ctx context.Context, messages []*nats.Msg, end uint64) (window []ledger.Key, over bool, err error) {
	var subjects []string
	met := map[string]uint64{}
	for _, m := range messages {
		d, ok := readReply(m.Reply)
		if !ok || d.seq > end {
			over = ok
			break
		}
		if met[m.Subject] == 0 {
			subjects = append(subjects, m.Subject)
		}
		met[m.Subject] = d.seq
	}
	err = s.lastOf(ctx, Customers, subjects, end, func(i int, k kept) {
		if k.seq == met[k.subject] {
			window = append(window, k.subject[len(customersPrefix):])
			met[k.subject] = 0 // a torn answer tells it again
		}
	})
	return window, over, err
}

// lastOf hands the last message of each of the subjects that has one, up to a
// sequence or of all, to each. Any replica may answer, so what was stored a
// moment ago may be missing.
func (s *Streams) lastOf(ctx context.Context, stream string, subjects []string, upTo uint64, each func(i int, k kept)) error {
	if len(subjects) == 0 {
		return nil
	}
	index := make(map[string]int, len(subjects))
	for i, subject := range subjects {
		index[subject] = i
	}
	for {
		end, err := s.post.fetch(ctx, stream, get{Last: subjects, UpTo: upTo}, func(k kept) {
			if i, ok := index[k.subject]; ok {
				each(i, k) // again, if the answer is torn
			}
		})
		if errors.Is(err, errTorn) && ctx.Err() == nil {
			continue
		}
		if err == nil && end.left > 0 {
			err = fmt.Errorf("%d messages were left out of an answer", end.left)
		}
		return err
	}
}
