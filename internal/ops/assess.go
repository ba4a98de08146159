package ops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

// matter is one customer at one destination, as it was last looked at.
type matter struct {
	key    ledger.Key
	newest *stream.State
	entry  ledger.Entry
	state  State
}

// assessor finds where customers are at one destination. What it calls lost was
// looked at several times, while nothing moved.
type assessor struct {
	streams     *stream.Streams
	destination string
	book        *stream.Ledger
}

func (d *Desk) assessor(ctx context.Context, destination string) (*assessor, error) {
	book, err := d.Streams.Ledger(ctx, destination)
	if err != nil {
		return nil, err
	}
	return &assessor{d.Streams, destination, book}, nil
}

const (
	// looks is how often a customer is looked at before it is lost: a replica may
	// lag, and an owner may be between two writes.
	looks     = 4
	lookPause = 150 * time.Millisecond
)

// assess finds the states of a window of customers, at most 500.
func (a *assessor) assess(ctx context.Context, keys []ledger.Key, newest []*stream.State) ([]matter, error) {
	all := make([]matter, len(keys))
	found, err := a.book.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	var open []*matter
	for i := range all {
		m := &all[i]
		m.key, m.newest, m.entry = keys[i], newest[i], found[i].Entry
		if m.state = judge(m.newest, &m.entry); !m.state.plain() {
			open = append(open, m)
		}
	}
	for look := 1; len(open) > 0; look++ {
		if look > 1 {
			if err := a.again(ctx, open); err != nil {
				return nil, err
			}
		}
		if open, err = a.look(ctx, open, look == looks); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// again waits a moment and reads the newest states anew.
func (a *assessor) again(ctx context.Context, open []*matter) error {
	t := time.NewTimer(lookPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, m := range open {
		if err := a.renew(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (a *assessor) renew(ctx context.Context, m *matter) error {
	newest, err := a.streams.Newest(ctx, m.key)
	if newest != nil {
		newest.Data = nil
		m.newest = newest
	}
	return err
}

// look decides what the ledger alone does not tell, and returns what is to be
// looked at again. The ledger is read before and after all else: an owner writes
// it before it settles, so that what looks settled and has no end in a ledger
// that nobody wrote meanwhile has none.
func (a *assessor) look(ctx context.Context, open []*matter, last bool) (again []*matter, err error) {
	keys := make([]ledger.Key, len(open))
	for i, m := range open {
		keys[i] = m.key
	}
	before, err := a.book.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	layout, err := a.streams.Layout(ctx, a.destination)
	if err != nil {
		return nil, err
	}
	cursors, err := a.cursors(ctx, layout, keys)
	if err != nil {
		return nil, err
	}
	woken, err := a.streams.Woken(ctx, a.destination, keys)
	if err != nil {
		return nil, err
	}
	letters, err := a.streams.Letters(a.destination).Stored(ctx, keys)
	if err != nil {
		return nil, err
	}
	after, err := a.book.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, m := range open {
		m.entry = after[i].Entry
		seen := sight{layout: layout, woken: woken[i], letter: letters[i]}
		if c := cursors[i]; c != nil {
			seen.settled, seen.heard = c.Of(m.key).Settled, c.Wakeups.Settled
		}
		m.state = seen.decide(m.newest, &m.entry)
		if m.state == Regressed {
			// The version may have come after the newest state was read.
			if err := a.renew(ctx, m); err != nil {
				return nil, err
			}
			m.state = seen.decide(m.newest, &m.entry)
		}
		if m.state != Lost && m.state != Regressed {
			continue
		}
		if !last {
			again = append(again, m)
		} else if before[i].Revision != after[i].Revision {
			m.state = Waiting // it moves
		}
	}
	return again, nil
}

// cursors are those of the keys' shards; nil where the destination has no layout.
func (a *assessor) cursors(ctx context.Context, l *stream.Layout, keys []ledger.Key) ([]*stream.Cursor, error) {
	of := make([]*stream.Cursor, len(keys))
	if l == nil {
		return of, nil
	}
	read := map[int]*stream.Cursor{}
	for i, key := range keys {
		place := a.streams.PlaceOf(a.destination, *l, key)
		if read[place.ID] == nil {
			c, err := a.streams.Cursor(ctx, place)
			if errors.Is(err, stream.ErrNoShard) {
				err = fmt.Errorf("%w: the layout changes just now, ask again", err)
			}
			if err != nil {
				return nil, err
			}
			read[place.ID] = &c
		}
		of[i] = read[place.ID]
	}
	return of, nil
}

// sight is what is seen of a customer beside the ledger.
type sight struct {
	layout  *stream.Layout // nil: no worker ever worked on the destination
	settled uint64         // all events up to it are settled
	heard   uint64         // all wake-ups up to it are settled
	woken   stream.Woken
	letter  bool // a letter is stored
}

// decide tells the state of a customer from all that is seen.
func (s *sight) decide(newest *stream.State, e *ledger.Entry) State {
	state := judge(newest, e)
	fired := s.woken.Fired > s.heard
	coming := newest != nil && newest.Seq > s.settled
	switch {
	case state == Dead:
		if s.letter {
			return Dead
		}
		return Lost // nobody would ever hear of it
	case state == Retrying || state == InDoubt:
		if s.woken.Scheduled || fired || coming {
			return state
		}
		return Lost // nobody comes back to it
	case state != "":
		return state
	case coming || fired:
		return Waiting
	case s.woken.Scheduled:
		return Retrying
	case newest == nil:
		return NotOwed // the stream keeps nothing that could be owed
	case s.layout != nil && newest.Seq <= s.layout.Start && e.Top() == (ledger.Mark{}):
		return NotOwed
	}
	return Lost
}
