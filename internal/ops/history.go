package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

// History is what the stream keeps of one customer: the customer's own data.
type History struct {
	Shop     string    `json:"shop"`
	Customer string    `json:"customer"`
	States   []StateAt `json:"states"` // the newest version first
}

// StateAt is one state of a customer.
type StateAt struct {
	Seq     uint64          `json:"seq"`
	At      time.Time       `json:"at"`      // when the stream stored it
	Version *int64          `json:"version"` // null: it can't be read
	Deleted bool            `json:"deleted"`
	Error   string          `json:"error,omitempty"` // why it can't be read
	Event   json.RawMessage `json:"event"`           // a JSON text, where it is no JSON
}

// History returns all states that the stream keeps of a customer.
func (d *Desk) History(ctx context.Context, shop, customer string) (*History, error) {
	states, err := d.Streams.States(ctx, d.key(shop, customer))
	if err != nil {
		return nil, err
	}
	if len(states) == 0 {
		if _, err := d.Customer(ctx, shop, customer); err != nil {
			return nil, err
		}
	}
	h := &History{Shop: shop, Customer: customer, States: []StateAt{}}
	slices.SortFunc(states, func(a, b *stream.State) int {
		if (a.Err == nil) != (b.Err == nil) {
			if a.Err == nil {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Version, a.Version), cmp.Compare(b.Seq, a.Seq))
	})
	for _, s := range states {
		at := StateAt{Seq: s.Seq, At: s.At.UTC(), Deleted: s.Deleted, Event: asJSON(s.Data)}
		if s.Err != nil {
			at.Error = s.Err.Error()
		} else {
			at.Version = &s.Version
		}
		h.States = append(h.States, at)
	}
	return h, nil
}

const verbUnmask = "unmask"

// unmaskNote is what ACTIONS keeps of it.
type unmaskNote struct {
	action
	Shop     string `json:"shop"`
	Customer string `json:"customer"`
}

// Unmask records that a person asked for a customer's own data, of one destination
// or, where none is named, of the stream. Whoever shows them calls it first.
func (d *Desk) Unmask(ctx context.Context, destination, shop, customer, note string) error {
	if err := d.note(ctx, verbUnmask, destination, unmaskNote{d.action(note), shop, customer}); err != nil {
		return fmt.Errorf("record that the data were asked for: %w", err)
	}
	return nil
}

// Action is what a person did, as a document with verb and destination in it.
type Action = json.RawMessage

// Actions returns at most limit actions, the newest first, and where the next page
// begins; 0: that was all. Before is where this one does; 0: at the newest.
func (d *Desk) Actions(ctx context.Context, verb, destination string, before uint64, limit int) (list []Action, next uint64, err error) {
	if destination != "-" {
		if err := d.known(ctx, destination); err != nil {
			return nil, 0, err
		}
	}
	if verb != "" && events.EscapeToken(verb) != verb {
		return nil, 0, misuse("there is no action %q", verb)
	}
	var last uint64
	for a, err := range d.Streams.ActionsBack(ctx, verb, destination, before) {
		if err != nil {
			return nil, 0, err
		}
		if len(list) == limit {
			return list, last, nil
		}
		doc := map[string]any{}
		if json.Unmarshal(a.Body, &doc) != nil || doc == nil {
			doc = map[string]any{}
		}
		doc["verb"], doc["destination"] = a.Verb, a.Destination
		data, err := json.Marshal(doc)
		if err != nil {
			return nil, 0, err
		}
		list, last = append(list, data), a.Place
	}
	return list, 0, nil
}
