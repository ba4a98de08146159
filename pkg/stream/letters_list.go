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
	// After and UpTo bound the letters' places, as Letter.Place and LettersEnd tell
	// them; 0: no bound. Letters that are stored meanwhile are not listed in any case.
	After, UpTo uint64
	// Bodies says whether letters come with their events. Rows come with Get only.
	Bodies bool
}

// LettersEnd is the place of the letter that was stored last.
func (s *Streams) LettersEnd(ctx context.Context) (uint64, error) {
	_, last, err := s.bounds(ctx, DeadLetters)
	return last, err
}

// LettersMark tells of a change in the stored letters.
type LettersMark struct {
	Last   uint64 // sequence of what was stored last
	Stored uint64 // letters and what lies beside them
}

// LettersMark changes whenever letters were stored or removed.
func (s *Streams) LettersMark(ctx context.Context) (LettersMark, error) {
	info, err := s.js.Stream(ctx, DeadLetters)
	if err != nil {
		return LettersMark{}, fmt.Errorf("stream %s: %w", DeadLetters, err)
	}
	state := info.CachedInfo().State
	return LettersMark{state.LastSeq, state.Msgs}, nil
}

// DeadLetters yields the open dead letters that match the query, in the order in
// which they were stored, with an error for each that can't be read, and at the
// end if it had to stop. A letter that a later version has overtaken is not open,
// whatever is stored. However many there are, only a window of them is in memory.
func (s *Streams) DeadLetters(ctx context.Context, q Query) iter.Seq2[*deadletter.Letter, error] {
	return func(yield func(*deadletter.Letter, error) bool) {
		err := s.letters(ctx, q, yield)
		if err != nil {
			yield(nil, &Stopped{err})
		}
	}
}

// Stopped says that a list of dead letters broke off before its end, unlike an
// error of one letter.
type Stopped struct{ Err error }

func (e *Stopped) Error() string { return "list dead letters: " + e.Err.Error() }

func (e *Stopped) Unwrap() error { return e.Err }

func (s *Streams) letters(ctx context.Context, q Query, yield func(*deadletter.Letter, error) bool) error {
	// What comes back refused while the list is worked through is stored at its end.
	end, err := s.LettersEnd(ctx)
	if err != nil {
		return err
	}
	if q.UpTo == 0 || q.UpTo > end {
		q.UpTo = end
	}
	w := letterWindow{streams: s, query: &q, ledgers: map[string]*Ledger{}, yield: yield}
	return s.eachFrom(ctx, DeadLetters, lettersPrefix+q.filter(), q.After+1, !q.Bodies, func(messages []*nats.Msg) (bool, error) {
		for _, m := range messages {
			d, ok := readReply(m.Reply)
			if ok && d.seq > q.UpTo {
				_, err := w.flush(ctx)
				return false, err
			}
			if !w.add(m.Subject, m.Header, m.Data, d.seq) {
				return false, nil
			}
		}
		return w.flush(ctx)
	})
}

// letterWindow gathers letters that match, to hold them against the ledger at once.
type letterWindow struct {
	streams *Streams
	query   *Query
	ledgers map[string]*Ledger
	letters []*deadletter.Letter
	yield   func(*deadletter.Letter, error) bool
}

// add takes a stored letter in. False: nobody wants more.
func (w *letterWindow) add(subject string, header nats.Header, body []byte, place uint64) bool {
	letter, err := w.streams.readLetter(subject, header, body)
	if err != nil {
		return w.yield(nil, err) // one that can't be read hides no other
	}
	if letter.Place = place; w.query.matches(letter) {
		w.letters = append(w.letters, letter)
	}
	return true
}

// flush yields those that are open. False: nobody wants more.
func (w *letterWindow) flush(ctx context.Context) (bool, error) {
	letters := w.letters
	w.letters = nil
	if err := w.streams.stillOpen(ctx, w.ledgers, letters); err != nil {
		return false, err
	}
	for _, letter := range letters {
		if letter.Destination != "" && !w.yield(letter, nil) {
			return false, nil
		}
	}
	return true, nil
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
			} else if s := found[i].Entry.Settled; s != nil && s.Version == l.Version {
				l.Edit = s.Edit
			}
		}
	}
	return nil
}

// overtaken tells whether something else than the letter itself has ended the
// customer's matter. Where the version is what is wrong with an event, or can't be
// read, its place in the stream counts.
func overtaken(l *deadletter.Letter, e *ledger.Entry) bool {
	ordered := l.Ordered()
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
	return s.eachFrom(ctx, stream, filter, 1, headersOnly, window)
}

func (s *Streams) eachFrom(ctx context.Context, stream, filter string, from uint64, headersOnly bool, window func([]*nats.Msg) (bool, error)) error {
	r := &reader{nc: s.nc, stream: stream, filters: []string{filter}, name: "list", headers: headersOnly, drain: true, next: from}
	defer r.close()
	for empty := false; ; {
		var messages []*nats.Msg
		lost := r.fruitless
		// Half of what the pull allows for: one that ends because its bytes are used up
		// to the last ends without a word.
		err := r.read(ctx, largest/2, func(m *nats.Msg, _ delivery) { messages = append(messages, m) })
		switch {
		case err != nil:
			return err
		case len(messages) == 0 && r.fruitless == lost && empty:
			return nil // all was read
		case len(messages) == 0:
			// The consumer was given up, and another one goes on; or what ended was
			// the pull before.
			empty = r.fruitless == lost
			continue
		}
		empty = false
		if more, err := window(messages); err != nil || !more {
			return err
		}
	}
}
