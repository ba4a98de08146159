package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/stream"
)

// Filter selects open dead letters. The zero Filter selects all of them.
type Filter struct {
	Destination string            `json:"destination,omitempty"`
	Reason      deadletter.Reason `json:"reason,omitempty"`
	Shop        string            `json:"shop,omitempty"`
	Customer    string            `json:"customer,omitempty"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	OlderThan   time.Duration     `json:"older_than_ns,omitempty"` // last added to so long ago
}

// Reasons are all reasons that a letter may have.
func Reasons() []deadletter.Reason {
	return []deadletter.Reason{
		deadletter.Undecodable, deadletter.Invalid, deadletter.Rejected, deadletter.Exhausted, deadletter.InDoubt,
		deadletter.Mapping, deadletter.VersionMixed, deadletter.VersionFuture,
	}
}

// Letter is an open dead letter as people and tools see it (contract). It holds
// ids and the provider's words, and none of the customer's own data.
type Letter struct {
	Destination     string             `json:"destination"`
	Shop            string             `json:"shop"`
	Customer        string             `json:"customer"`
	Version         int64              `json:"version"` // 0: the event has none that can be read
	Reason          deadletter.Reason  `json:"reason"`
	Errors          []sinks.FieldError `json:"errors"`
	ProviderMessage string             `json:"provider_message"`
	Attempts        int                `json:"attempts"`
	FirstAt         time.Time          `json:"first_at"`
	LastAt          time.Time          `json:"last_at"`
	Fingerprint     string             `json:"fingerprint"`
}

func letterOf(l *deadletter.Letter) Letter {
	fields := l.Errors
	if fields == nil {
		fields = []sinks.FieldError{}
	}
	return Letter{
		Destination: l.Destination, Shop: plain(l.Shop), Customer: plain(l.Customer), Version: l.Version,
		Reason: l.Reason, Errors: fields, ProviderMessage: l.Message, Attempts: l.Attempts,
		FirstAt: l.FirstAt.UTC(), LastAt: l.LastAt.UTC(), Fingerprint: l.Fingerprint,
	}
}

// Letters yields the open dead letters, with an error for each that can't be
// read, and at the end if it had to stop.
func (d *Desk) Letters(ctx context.Context, f Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		for l, err := range d.stored(ctx, f) {
			if err != nil {
				if !yield(Letter{}, err) {
					return
				}
				continue
			}
			if !yield(letterOf(l), nil) {
				return
			}
		}
	}
}

func (d *Desk) stored(ctx context.Context, f Filter) iter.Seq2[*deadletter.Letter, error] {
	q := stream.Query{Destination: f.Destination, Shop: f.Shop, Customer: f.Customer, Reason: f.Reason, Fingerprint: f.Fingerprint}
	if f.OlderThan > 0 {
		q.Before = time.Now().Add(-f.OlderThan)
	}
	return d.Streams.DeadLetters(ctx, q)
}

// Whole is a dead letter with the event and the request row. These are the
// customer's own data, which is what a person who mends it has to see.
type Whole struct {
	Letter
	Event json.RawMessage `json:"event"`         // a JSON text, where the event is no JSON
	Row   json.RawMessage `json:"row,omitempty"` // as it would be sent; absent: none was built, or it is not kept
}

// Show yields whole letters.
func (d *Desk) Show(ctx context.Context, f Filter) iter.Seq2[Whole, error] {
	return func(yield func(Whole, error) bool) {
		for l, err := range d.stored(ctx, f) {
			var w Whole
			if err == nil {
				var whole *deadletter.Letter
				if whole, err = d.Streams.Letters(l.Destination).Get(ctx, l.Shop, l.Customer); err == nil && whole == nil {
					continue // closed in the meantime
				}
				if err == nil {
					w = Whole{Letter: letterOf(whole), Event: asJSON(whole.Event), Row: asJSON(whole.Row)}
				}
			}
			if !yield(w, err) {
				return
			}
		}
	}
}

// asJSON is data if that is JSON, or else a JSON text of it; nil stays nil.
func asJSON(data []byte) json.RawMessage {
	if data == nil || json.Valid(data) {
		return data
	}
	text, err := json.Marshal(string(data))
	if err != nil {
		return nil // cannot be: a text has a JSON form
	}
	return text
}

// Group is the open dead letters of one cause at one destination.
type Group struct {
	Fingerprint string            `json:"fingerprint"`
	Destination string            `json:"destination"`
	Reason      deadletter.Reason `json:"reason"`
	Field       string            `json:"field,omitempty"` // of the first field error
	Cause       string            `json:"cause"`           // without what differs from customer to customer
	Letters     int               `json:"letters"`
	FirstAt     time.Time         `json:"first_at"`
	LastAt      time.Time         `json:"last_at"`
	Example     Example           `json:"example"`
}

// Example is one customer of a group.
type Example struct {
	Shop     string `json:"shop"`
	Customer string `json:"customer"`
}

// maxGroups bounds what is kept in memory. Causes are few, unless a provider
// puts something of its own into every message that looks like no number.
const maxGroups = 10_000

// Groups counts the open dead letters by cause, the most frequent first.
func (d *Desk) Groups(ctx context.Context, f Filter) ([]Group, error) {
	type cause struct{ destination, fingerprint string }
	groups := map[cause]*Group{}
	for l, err := range d.Letters(ctx, f) {
		if err != nil {
			return nil, err
		}
		at := cause{l.Destination, l.Fingerprint}
		g := groups[at]
		if g == nil {
			if len(groups) == maxGroups {
				return nil, fmt.Errorf("there are more than %d causes: select fewer letters", maxGroups)
			}
			g = &Group{
				Fingerprint: l.Fingerprint, Destination: l.Destination, Reason: l.Reason,
				Cause: deadletter.Cause(l.ProviderMessage), FirstAt: l.FirstAt, LastAt: l.LastAt,
				Example: Example{l.Shop, l.Customer},
			}
			if len(l.Errors) > 0 {
				g.Field, g.Cause = l.Errors[0].Field, deadletter.Cause(l.Errors[0].Message)
			}
			groups[at] = g
		}
		g.Letters++
		g.FirstAt, g.LastAt = earlier(g.FirstAt, l.FirstAt), later(g.LastAt, l.LastAt)
	}
	list := make([]Group, 0, len(groups))
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(b.Letters-a.Letters, cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return list, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
