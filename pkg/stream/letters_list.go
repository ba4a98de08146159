package stream

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// Query selects open dead letters. The zero Query selects all of them.
type Query struct {
	Destination string
	Shop        string // unescaped
	Customer    string // unescaped
	Reason      deadletter.Reason
	Fingerprint string
	// Before selects letters that were last added to before it.
	Before time.Time
	// Bodies says whether letters come with their events. Rows come with Get only.
	Bodies bool
}

// DeadLetters yields the open dead letters that match the query, in the order in
// which they were stored, with an error for each that can't be read, and at the
// end if it had to stop. A letter that a later version has overtaken is not open,
// whatever is stored. However many there are, only a window of them is in memory.
func (s *Streams) DeadLetters(ctx context.Context, q Query) iter.Seq2[*deadletter.Letter, error] {
	return func(yield func(*deadletter.Letter, error) bool) {
		ledgers := map[string]*Ledger{}
		err := s.each(ctx, DeadLetters, lettersPrefix+q.filter(), !q.Bodies, func(window []*nats.Msg) (bool, error) {
			var letters []*deadletter.Letter
			for _, m := range window {
				letter, err := s.readLetter(m.Subject, m.Header, m.Data)
				if err != nil {
					if !yield(nil, err) {
						return false, nil
					}
					continue // one that can't be read hides no other
				}
				if q.matches(letter) {
					letters = append(letters, letter)
				}
			}
			if err := s.stillOpen(ctx, ledgers, letters); err != nil {
				return false, err
			}
			for _, letter := range letters {
				if letter.Destination != "" && !yield(letter, nil) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(nil, fmt.Errorf("list dead letters: %w", err))
		}
	}
}

func (q *Query) filter() string {
	token := func(s string) string {
		if s == "" {
			return "*"
		}
		return s
	}
	shop, customer := "", ""
	if q.Shop != "" {
		shop = events.EscapeToken(q.Shop)
	}
	if q.Customer != "" {
		customer = events.EscapeToken(q.Customer)
	}
	return strings.Join([]string{token(q.Destination), token(shop), token(customer)}, ".")
}

func (q *Query) matches(l *deadletter.Letter) bool {
	return (q.Reason == "" || l.Reason == q.Reason) &&
		(q.Fingerprint == "" || l.Fingerprint == q.Fingerprint) &&
		(q.Before.IsZero() || l.LastAt.Before(q.Before))
}

// stillOpen empties the letters that the ledger says are closed.
func (s *Streams) stillOpen(ctx context.Context, ledgers map[string]*Ledger, letters []*deadletter.Letter) error {
	of := map[string][]*deadletter.Letter{}
	for _, l := range letters {
		of[l.Destination] = append(of[l.Destination], l)
	}
	for destination, letters := range of {
		book := ledgers[destination]
		if book == nil {
			var err error
			if book, err = s.Ledger(ctx, destination); err != nil {
				return err
			}
			ledgers[destination] = book
		}
		keys := make([]ledger.Key, len(letters))
		for i, l := range letters {
			keys[i] = l.Key()
		}
		found, err := book.Get(ctx, keys)
		if err != nil {
			return err
		}
		for i, l := range letters {
			if overtaken(l, &found[i].Entry) {
				*l = deadletter.Letter{}
			}
		}
	}
	return nil
}

// overtaken tells whether something else than the letter itself has ended the
// customer's matter. Where the version is what is wrong with an event, or can't be
// read, its place in the stream counts.
func overtaken(l *deadletter.Letter, e *ledger.Entry) bool {
	ordered := true
	switch l.Reason {
	case deadletter.Undecodable, deadletter.VersionMixed, deadletter.VersionFuture:
		ordered = false
	case deadletter.Invalid, deadletter.Rejected, deadletter.Exhausted, deadletter.InDoubt, deadletter.Mapping:
	}
	if h := e.Held; h != nil && ordered && h.Version >= l.Version {
		return true
	}
	end := e.Settled
	if end == nil {
		return false
	}
	newer := end.Seq > l.Seq
	if ordered {
		newer = (ledger.Mark{Version: end.Version, Seq: end.Seq}).Compare(ledger.Mark{Version: l.Version, Seq: l.Seq}) > 0
	}
	return newer || end.Outcome != ledger.Dead && end.Seq == l.Seq
}

// each hands what there is of a filter to window by window, until it returns false.
func (s *Streams) each(ctx context.Context, stream, filter string, headersOnly bool, window func([]*nats.Msg) (bool, error)) error {
	r := &reader{nc: s.nc, stream: stream, filters: []string{filter}, name: "list", headers: headersOnly, drain: true}
	defer r.close()
	for {
		var messages []*nats.Msg
		lost := r.fruitless
		err := r.read(ctx, largest, func(m *nats.Msg, _ delivery) { messages = append(messages, m) })
		switch {
		case err != nil:
			return err
		case len(messages) == 0 && r.fruitless == lost:
			return nil // all was read
		case len(messages) == 0:
			continue // the consumer was given up, and another one goes on
		}
		if more, err := window(messages); err != nil || !more {
			return err
		}
	}
}
