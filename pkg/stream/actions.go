package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// Action is what a person did, as ACTIONS keeps it.
type Action struct {
	Verb        string
	Destination string
	Body        []byte // JSON
	Place       uint64 // in the list of actions
}

// Actions yields what people did, oldest first. An empty verb or destination
// stands for all. An error ends it.
func (s *Streams) Actions(ctx context.Context, verb, destination string) iter.Seq2[Action, error] {
	return func(yield func(Action, error) bool) {
		err := s.each(ctx, Actions, actionsFilter(verb, destination), false, func(window []*nats.Msg) (bool, error) {
			for _, m := range window {
				d, _ := readReply(m.Reply)
				if !yield(action(m.Subject, m.Data, d.seq), nil) {
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

const actionsPrefix = "actions."

func actionsFilter(verb, destination string) string {
	orAny := func(token string) string {
		if token == "" {
			return "*"
		}
		return token
	}
	return actionsPrefix + orAny(verb) + "." + orAny(destination)
}

func action(subject string, body []byte, place uint64) Action {
	verb, destination, _ := strings.Cut(strings.TrimPrefix(subject, actionsPrefix), ".")
	return Action{verb, destination, body, place}
}

// Kept returns one event of a customer by its sequence; nil: the stream does not
// keep it any more.
func (s *Streams) Kept(ctx context.Context, key ledger.Key, seq uint64) (*State, error) {
	var state *State
	var ev events.Event
	now := time.Now()
	err := s.states(ctx, key, func(k kept) {
		if k.seq == seq {
			state = readState(key, k, now, &ev)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read an event: %w", err)
	}
	return state, nil
}

// NoteAll stores what a person did, many things at once: one note for each body.
func (s *Streams) NoteAll(ctx context.Context, verb, destination string, bodies []any) error {
	data := make([][]byte, len(bodies))
	for i, body := range bodies {
		var err error
		if data[i], err = json.Marshal(body); err != nil {
			return fmt.Errorf("note actions: %w", err)
		}
	}
	answers, err := s.post.send(ctx, len(data), func(i int, m *nats.Msg) bool {
		m.Subject, m.Data = actionsPrefix+verb+"."+destination, data[i]
		return true
	})
	for i := range answers {
		if err == nil {
			err = answers[i].err()
		}
	}
	if err != nil {
		return fmt.Errorf("note actions: %w", err)
	}
	return nil
}
