package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

const renamedKey = "renamed."

// renamedRecord says which name a destination has by now. It stays: a worker that knows
// the old name only would fill the provider once more, with a ledger that is empty.
type renamedRecord struct {
	To string `json:"to"`
}

// ErrRenamed says that a destination has another name by now.
var ErrRenamed = errors.New("it was renamed")

// renamed returns ErrRenamed if a destination has another name by now.
func (s *Streams) renamed(ctx context.Context, destination string) error {
	var r renamedRecord
	_, there, err := s.record(ctx, renamedKey+destination, &r)
	if err != nil || !there {
		return err
	}
	return fmt.Errorf("destination %s: %w to %s: configure it so here too; if it is to be a new one, run: worker remove --destination %s",
		destination, ErrRenamed, r.To, destination)
}

// ownName notes that a destination has no other name, or not any more.
func (s *Streams) ownName(ctx context.Context, destination string) error {
	var r renamedRecord
	revision, there, err := s.record(ctx, renamedKey+destination, &r)
	if err != nil || !there {
		return err
	}
	return s.dropRecord(ctx, renamedKey+destination, revision)
}

// Rename moves all that is kept for a destination to another name. Nothing is
// done when there is nothing under the old name, or when the new one is laid out
// already. It may be cut short and done again: the new layout is written last.
func (s *Streams) Rename(ctx context.Context, from, to string) error {
	old, err := s.Layout(ctx, from)
	if err != nil || old == nil {
		return err
	}
	done, err := s.Layout(ctx, to)
	if err != nil {
		return err
	}
	if done == nil {
		// Before it is looked who owns a shard: from then on nobody takes one.
		err := s.overwrite(ctx, renamedKey+from, renamedRecord{to})
		if err == nil {
			err = s.move(ctx, from, to, *old)
		}
		if errors.Is(err, ErrLayoutBusy) {
			err = errors.Join(err, s.ownName(ctx, from)) // its owners go on as before
		}
		if err != nil {
			return fmt.Errorf("rename %s to %s: %w", from, to, err)
		}
	}
	return s.clear(ctx, from, places(from))
}

func (s *Streams) move(ctx context.Context, from, to string, l Layout) error {
	for id := range l.Shards {
		place := Place{from, l.Generation, l.Shards, id}
		owned, err := s.owned(ctx, place)
		if err != nil {
			return err
		}
		if owned {
			return fmt.Errorf("destination %s: %w", from, ErrLayoutBusy)
		}
		c, err := s.Cursor(ctx, place)
		if err != nil {
			return err
		}
		place.Destination = to
		if err := s.layOut(ctx, place, c); err != nil {
			return err
		}
	}
	if err := s.moveLedger(ctx, from, to); err != nil {
		return err
	}
	for _, m := range []struct{ stream, prefix string }{
		{DeadLetters, rowsPrefix}, {DeadLetters, lettersPrefix},
		{Wakeups, schedulePrefix}, {Wakeups, wakePrefix}, {workersStream, workersPrefix + callKey},
	} {
		if err := s.copyAll(ctx, m.stream, m.prefix+from+".", m.prefix+to+"."); err != nil {
			return err
		}
	}
	var paused Paused
	_, there, err := s.record(ctx, pausedKey+from, &paused)
	if err == nil && there {
		err = s.Pause(ctx, to, paused)
	}
	if err != nil {
		return err
	}
	if err := s.ownName(ctx, to); err != nil { // it may be back at a name that it had
		return err
	}
	_, err = s.setRecord(ctx, layoutKey+to, 0, l)
	return err
}

// copyAll stores the messages of one prefix under another one. A wake-up whose
// time has come is scheduled anew, for now, since wake-ups are read in order.
func (s *Streams) copyAll(ctx context.Context, stream, from, to string) error {
	return s.each(ctx, stream, from+">", false, func(window []*nats.Msg) (bool, error) {
		answers, err := s.post.send(ctx, len(window), func(i int, m *nats.Msg) bool {
			old := window[i]
			tail := strings.TrimPrefix(old.Subject, from)
			m.Subject, m.Header, m.Data = to+tail, nats.Header{}, old.Data
			for name, values := range old.Header {
				if strings.HasPrefix(name, "Custsync-") {
					m.Header[name] = values
				}
			}
			switch {
			case strings.HasPrefix(to, schedulePrefix):
				m.Header["Nats-Schedule"] = old.Header["Nats-Schedule"]
				m.Header["Nats-Schedule-Target"] = []string{wakePrefix + to[len(schedulePrefix):] + tail}
			case strings.HasPrefix(to, wakePrefix):
				m.Subject = schedulePrefix + to[len(wakePrefix):] + tail
				m.Header["Nats-Schedule"] = []string{"@at " + time.Now().UTC().Format(time.RFC3339Nano)}
				m.Header["Nats-Schedule-Target"] = []string{to + tail}
			}
			return true
		})
		for i := range answers {
			if err == nil {
				err = answers[i].err()
			}
		}
		return true, err
	})
}

// moveLedger copies the entries that the new name does not have yet.
func (s *Streams) moveLedger(ctx context.Context, from, to string) error {
	book, err := s.Ledger(ctx, to)
	if err != nil {
		return err
	}
	prefix := ledgerPrefix + from + "."
	return s.each(ctx, ledgerStream, prefix+">", false, func(window []*nats.Msg) (bool, error) {
		keys := make([]ledger.Key, len(window))
		for i, m := range window {
			keys[i] = strings.TrimPrefix(m.Subject, prefix)
		}
		found, err := book.Get(ctx, keys)
		if err != nil {
			return false, err
		}
		var writes []pipeline.Write
		for i, m := range window {
			if found[i].Revision > 0 || len(m.Data) == 0 {
				continue
			}
			w := pipeline.Write{Key: keys[i]}
			if err := ledger.Parse(m.Data, &w.Entry); err != nil {
				return false, err
			}
			writes = append(writes, w)
		}
		written, err := book.Put(ctx, writes)
		for _, w := range written {
			if err == nil && w.Lost {
				err = ErrConflict
			}
		}
		return true, err
	})
}
