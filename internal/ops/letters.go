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
	UpTo        uint64            `json:"-"`                       // no later ones, as Began.UpTo tells it; 0: no bound
	Run         string            `json:"-"`                       // for Undo: only what this discard closed
}

// One reports whether the filter names one letter in full.
func (f *Filter) One() bool { return f.Destination != "" && f.Shop != "" && f.Customer != "" }

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
	Destination     string            `json:"destination"`
	Shop            string            `json:"shop"`
	Customer        string            `json:"customer"`
	Version         int64             `json:"version"` // 0: the event has none that can be read
	Reason          deadletter.Reason `json:"reason"`
	Errors          []FieldError      `json:"errors"`
	ProviderMessage string            `json:"provider_message"`
	Attempts        int               `json:"attempts"`
	FirstAt         time.Time         `json:"first_at"`
	LastAt          time.Time         `json:"last_at"`
	Fingerprint     string            `json:"fingerprint"`
	Edited          bool              `json:"edited,omitempty"` // a person has corrected it
}

func letterOf(l *deadletter.Letter) Letter {
	fields := make([]FieldError, len(l.Errors))
	for i, e := range l.Errors {
		fields[i].FieldError = e
	}
	return Letter{
		Destination: l.Destination, Shop: plain(l.Shop), Customer: plain(l.Customer), Version: l.Version,
		Reason: l.Reason, Errors: fields, ProviderMessage: l.Message, Attempts: l.Attempts,
		FirstAt: l.FirstAt.UTC(), LastAt: l.LastAt.UTC(), Fingerprint: l.Fingerprint, Edited: l.Edit != "",
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
	return d.listed(ctx, f.query(), f.Destination)
}

// listed are the letters of a query, once it is seen that the destination is known.
func (d *Desk) listed(ctx context.Context, q stream.Query, destination string) iter.Seq2[*deadletter.Letter, error] {
	return func(yield func(*deadletter.Letter, error) bool) {
		if err := d.known(ctx, destination); err != nil {
			yield(nil, err)
			return
		}
		d.Streams.DeadLetters(ctx, q)(yield)
	}
}

func (f *Filter) query() stream.Query {
	q := stream.Query{Destination: f.Destination, Shop: f.Shop, Customer: f.Customer, Reason: f.Reason, Fingerprint: f.Fingerprint, UpTo: f.UpTo}
	if f.OlderThan > 0 {
		q.Before = time.Now().Add(-f.OlderThan)
	}
	return q
}

// Page returns at most limit open dead letters, the last added to first, and where
// the next page begins; 0: that was all. Before is where this one does; 0: at the
// newest.
func (d *Desk) Page(ctx context.Context, f Filter, before uint64, limit int) (letters []Letter, next uint64, err error) {
	if err := d.known(ctx, f.Destination); err != nil {
		return nil, 0, err
	}
	q := f.query()
	if before > 0 {
		q.UpTo = before - 1
		if q.UpTo == 0 {
			return nil, 0, nil
		}
	}
	var last uint64
	for l, err := range d.Streams.DeadLettersBack(ctx, q) {
		if err != nil {
			return nil, 0, err
		}
		if len(letters) == limit {
			return letters, last, nil
		}
		letters, last = append(letters, letterOf(l)), l.Place
	}
	return letters, 0, nil
}

// Whole is a dead letter with the event and the request row, and with the customer's
// fields that its errors come from, where they can be told. These are the
// customer's own data, which is what a person who mends it has to see.
type Whole struct {
	Letter
	Event json.RawMessage `json:"event"`          // a JSON text, where the event is no JSON
	Row   json.RawMessage `json:"row,omitempty"`  // as it was last built; absent: none was, or it is not kept
	Edit  *Edit           `json:"edit,omitempty"` // absent: nobody corrected it
	UpTo  uint64          `json:"up_to"`          // has what is done to it be done to no later letter of the customer
}

// Edit is what a person corrected.
type Edit struct {
	At       time.Time       `json:"at"`
	By       string          `json:"by,omitempty"`
	Note     string          `json:"note,omitempty"`
	Patch    json.RawMessage `json:"patch"`    // JSON merge patch of the event's data
	Customer json.RawMessage `json:"customer"` // the data as corrected
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
					whole.Edit = l.Edit
					w = Whole{Letter: letterOf(whole), Event: asJSON(whole.Event), Row: asJSON(whole.Row), UpTo: whole.Place}
					d.sources(whole, w.Errors)
					w.Edit, err = d.edit(ctx, whole)
				}
			}
			if !yield(w, err) {
				return
			}
		}
	}
}

// edit returns the edit in force of a letter with its event; nil: there is none.
func (d *Desk) edit(ctx context.Context, l *deadletter.Letter) (*Edit, error) {
	if l.Edit == "" {
		return nil, nil
	}
	e, err := d.Streams.Letters(l.Destination).Edit(ctx, l.Key(), l.Edit)
	if err != nil || e == nil || !e.Applies(l.Event) {
		return nil, err
	}
	as, err := deadletter.Apply(l.Event, e.Patch)
	if err != nil {
		return nil, err
	}
	return &Edit{At: e.At, By: e.By, Note: e.Note, Patch: as.Patch, Customer: as.Data}, nil
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
