package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

// State is a customer's state as the stream keeps it.
type State struct {
	Seq  uint64
	At   time.Time // when the stream stored it
	Data []byte    // the event as published
	// Err says why the event can't be read; then Version and Deleted tell nothing.
	Err     error
	Version int64
	Deleted bool
}

// Newest returns the newest state of a customer: the highest version, and of one
// version the latest, among all messages that the stream keeps of it. Messages
// that can't be read are older than any that can. Nil: the stream keeps none.
func (s *Streams) Newest(ctx context.Context, key ledger.Key) (*State, error) {
	var newest *State
	var ev events.Event
	now := time.Now()
	err := s.states(ctx, key, func(k kept) {
		newest = newer(newest, readState(key, k, now, &ev))
	})
	if err != nil {
		return nil, fmt.Errorf("read the newest state: %w", err)
	}
	return newest, nil
}

// current reads newest states as the leader has them.
type current struct{ streams *Streams }

var _ pipeline.States = current{}

// NewestStates reads newest states for a destination's loop.
func (s *Streams) NewestStates() pipeline.States { return current{s} }

func (c current) Newest(ctx context.Context, key ledger.Key) (pipeline.Message, error) {
	m := pipeline.Message{Key: key}
	state, err := c.streams.leaderNewest(ctx, key)
	if err == nil && state != nil {
		m.Seq, m.Event, m.At, m.Data = state.Seq, state.Seq, state.At, state.Data
	}
	return m, err
}

// states hands all that is kept of a customer to each, in the order of the stream.
func (s *Streams) states(ctx context.Context, key ledger.Key, each func(kept)) error {
	for seq := uint64(1); ; {
		end, err := s.post.fetch(ctx, Customers, get{Filter: customersPrefix + key, Seq: seq, Batch: keptAtOnce}, each)
		if errors.Is(err, errTorn) && ctx.Err() == nil {
			continue // each may see a message again, which changes nothing
		}
		if err != nil || end.none || end.left == 0 {
			return err
		}
		seq = end.last + 1
	}
}

const keptAtOnce = 64

func readState(key ledger.Key, k kept, now time.Time, ev *events.Event) *State {
	state := &State{Seq: k.seq, At: k.at(), Data: k.msg.Data}
	_, tail, _ := strings.Cut(key, ".")
	shop, customer, _ := strings.Cut(tail, ".")
	if state.Err = events.Decode(k.msg.Data, shop, customer, now, ev); state.Err == nil {
		state.Version, state.Deleted = ev.Version, ev.Type == events.Deleted
	}
	return state
}

// newer is the newer one of two states, of which the first may be nil.
func newer(s, o *State) *State {
	if s == nil || s.older(o) {
		return o
	}
	return s
}

// older reports whether s is older than o.
func (s *State) older(o *State) bool {
	if (s.Err == nil) != (o.Err == nil) {
		return s.Err != nil
	}
	if s.Err == nil && s.Version != o.Version {
		return s.Version < o.Version
	}
	return s.Seq < o.Seq
}

// States returns all states of a customer that the stream keeps, in the order in
// which they were stored.
func (s *Streams) States(ctx context.Context, key ledger.Key) ([]*State, error) {
	var all []*State
	var ev events.Event
	now := time.Now()
	err := s.states(ctx, key, func(k kept) {
		if len(all) == 0 || all[len(all)-1].Seq < k.seq {
			all = append(all, readState(key, k, now, &ev))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read what is kept of a customer: %w", err)
	}
	return all, nil
}
