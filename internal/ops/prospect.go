package ops

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/stream"
)

// What would become of a letter.
const (
	WouldSend      = "send"       // the row goes to the provider
	WouldDelete    = "delete"     // the customer is deleted at the provider
	WouldNotChange = "unchanged"  // the provider has just this row
	WouldFilter    = "filter"     // shops or when do not admit the customer
	WouldRefuse    = "refuse"     // it stays a dead letter, or an edit is not taken
	WouldSupersede = "superseded" // a newer version is there
	WouldFind      = "nothing"    // the stream keeps no event of the customer
	WouldDiscard   = "discard"
	WouldRestore   = "restore"
	WouldBeGone    = "gone"  // its event is not kept any more
	WouldHaveMoved = "moved" // it got another end in the meantime
)

// Would is what would become of one letter now.
type Would struct {
	Destination string            `json:"destination"`
	Shop        string            `json:"shop"`
	Customer    string            `json:"customer"`
	Version     int64             `json:"version"` // that would be sent, or the letter's
	Would       string            `json:"would"`
	Reason      deadletter.Reason `json:"reason,omitempty"`
	Errors      []FieldError      `json:"errors,omitempty"`
	Message     string            `json:"message,omitempty"`
	Row         json.RawMessage   `json:"row,omitempty"`           // as it would be sent
	Data        json.RawMessage   `json:"customer_data,omitempty"` // the customer's data as edited
	Edited      bool              `json:"edited,omitempty"`
}

// FieldError is a broken rule, and the customer's field that it comes from where
// that was looked for and is known.
type FieldError struct {
	sinks.FieldError
	Path string `json:"path,omitempty"`
}

func would(l *deadletter.Letter, word string) Would {
	return Would{Destination: l.Destination, Shop: plain(l.Shop), Customer: plain(l.Customer), Version: l.Version, Would: word}
}

// change is an edit that a person asks for.
type change struct {
	patch []byte
	back  bool // take the edit in force back
	paths bool // find the customer's fields that are at fault
}

// prospect is a letter with what would become of it.
type prospect struct {
	Would
	letter *deadletter.Letter
	edit   *deadletter.Edit // to be stored; nil: none
	same   bool             // the change changes nothing
	unfit  bool             // it can't be edited
}

// foresee finds what a replay would do with a window of letters of one
// destination, at most 200, or what it would after a change.
func (d *Desk) foresee(ctx context.Context, letters []*deadletter.Letter, ch *change) ([]prospect, error) {
	all := make([]prospect, len(letters))
	c, err := d.configured(letters[0].Destination)
	if err != nil {
		for i, l := range letters { // left over from an earlier configuration
			all[i] = prospect{letter: l, Would: would(l, WouldRefuse), unfit: true}
			all[i].Message = err.Error()
		}
		return all, nil
	}
	renderer, err := d.Renderers.of(c)
	if err != nil {
		return nil, err
	}
	book, err := d.Streams.Ledger(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	keys, ids := make([]ledger.Key, len(letters)), make([]string, len(letters))
	for i, l := range letters {
		keys[i], ids[i] = l.Key(), l.Edit
	}
	found, err := book.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	edits, err := d.Streams.Letters(c.Name).Edits(ctx, keys, ids)
	if err != nil {
		return nil, err
	}
	states, err := d.states(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, l := range letters {
		s := seer{config: c, renderer: renderer, change: ch, entry: &found[i].Entry, newest: states[i], edit: edits[i]}
		all[i] = prospect{letter: l, Would: would(l, "")}
		s.see(&all[i])
	}
	return all, nil
}

// states reads the newest states of a window of customers, with their events.
func (d *Desk) states(ctx context.Context, keys []ledger.Key) ([]*stream.State, error) {
	const atOnce = 4 // the answers take a round trip each, and the server serves workers too
	states := make([]*stream.State, len(keys))
	errs := make([]error, atOnce)
	var wg sync.WaitGroup
	for n := range atOnce {
		wg.Go(func() {
			for i := n; i < len(keys) && errs[n] == nil; i += atOnce {
				states[i], errs[n] = d.Streams.Newest(ctx, keys[i])
			}
		})
	}
	wg.Wait()
	return states, errors.Join(errs...)
}

// seer looks at one letter. It decides as the destination's loop does, by the same
// renderer and fence.
type seer struct {
	config   *config.Destination
	renderer pipeline.Renderer
	change   *change // nil: none
	entry    *ledger.Entry
	newest   *stream.State
	edit     *deadletter.Edit // in force; nil: none
}

func (s *seer) see(p *prospect) {
	l := p.letter
	switch {
	case s.newest == nil:
		p.Would.Would, p.Message = WouldFind, "the stream keeps no event of this customer"
		return
	case s.newest.Err == nil && s.newest.Seq != l.Seq && l.Ordered() && mark(s.newest).Compare(ledger.Mark{Version: l.Version, Seq: l.Seq}) > 0:
		p.Would.Would, p.Version, p.Message = WouldSupersede, s.newest.Version, "a newer version is on its way"
		return
	}
	data := s.newest.Data
	var patches [][]byte
	if s.edit != nil && s.edit.Applies(data) {
		patches = append(patches, s.edit.Patch)
	}
	before := len(patches)
	if s.change != nil {
		if why := s.uneditable(l); why != "" {
			p.Would.Would, p.Message, p.unfit = WouldRefuse, why, true
			return
		}
		if s.change.back {
			patches = nil
		} else {
			patches = append(patches, s.change.patch)
		}
	}
	if before+len(patches) > 0 {
		as, err := deadletter.Apply(data, patches...)
		if err != nil {
			p.Would.Would, p.Message, p.unfit = WouldRefuse, err.Error(), true
			return
		}
		s.note(p, as)
		data = as.Event
	}
	s.decide(p, data)
}

// uneditable says why a letter can't be corrected; empty: it can.
func (s *seer) uneditable(l *deadletter.Letter) string {
	switch {
	case !l.Ordered():
		return "what is wrong is the event itself or its version, which no edit mends: publish the customer anew"
	case s.newest.Err != nil:
		return "the event can't be read: publish the customer anew"
	case s.newest.Deleted:
		return "the customer was deleted: there is nothing to edit"
	case s.change.back && l.Edit == "":
		return "nobody has edited it"
	}
	return ""
}

// note keeps what a change makes of a customer.
func (s *seer) note(p *prospect, as *deadletter.Edited) {
	p.Edited = string(as.Patch) != "{}"
	if s.change == nil {
		return
	}
	p.Data = as.Data
	was := "{}"
	if s.edit != nil {
		was = string(s.edit.Patch)
	}
	p.same = string(as.Patch) == was
	if p.Edited {
		p.edit = &deadletter.Edit{Version: s.newest.Version, Seq: s.newest.Seq, Of: as.Of, Patch: as.Patch}
	}
}

// decide says what becomes of an event.
func (s *seer) decide(p *prospect, data []byte) {
	refuse := func(reason deadletter.Reason, errs ...sinks.FieldError) {
		p.Would.Would, p.Reason = WouldRefuse, reason
		for _, e := range errs {
			p.Errors = append(p.Errors, FieldError{FieldError: e})
		}
	}
	l := p.letter
	var ev events.Event
	if err := events.Decode(data, l.Shop, l.Customer, time.Now(), &ev); err != nil {
		if e, ok := errors.AsType[*events.DecodeError](err); ok {
			refuse(deadletter.Reason(e.Reason), sinks.FieldError{Field: e.Field, Message: e.Message})
			return
		}
		refuse(deadletter.Undecodable)
		return
	}
	p.Version = ev.Version
	switch s.entry.Fence(mark(s.newest), ev.TimeVersion, true) {
	case ledger.Stale:
		p.Would.Would, p.Message = WouldSupersede, "the destination has heard of a newer version"
		return
	case ledger.Mixed:
		refuse(deadletter.VersionMixed)
		return
	case ledger.Pass:
	}
	made, err := s.renderer.Render(&ev)
	if err != nil {
		refuse(deadletter.Mapping)
		p.Message = err.Error()
		return
	}
	s.admit(p, &ev, &made, refuse)
}

func (s *seer) admit(p *prospect, ev *events.Event, made *pipeline.Rendered, refuse func(deadletter.Reason, ...sinks.FieldError)) {
	e := s.entry
	doubt := e.Pending != nil && e.Pending.Doubt
	gone := ev.Type == events.Deleted
	if !made.Admitted && !gone {
		switch {
		case e.Held == nil && !doubt || s.config.OnLeave == config.LeaveKeep:
			p.Would.Would = WouldFilter
			return
		case s.config.OnLeave == config.LeaveDelete:
			gone = true
		}
	}
	switch p.Row = made.Body; {
	case gone:
		p.Would.Would, p.Row = WouldDelete, nil
	case len(made.Errors) > 0:
		refuse(deadletter.Invalid, made.Errors...)
		if s.change != nil && s.change.paths {
			trace(s.renderer, ev, made, p.Errors)
		}
	case !doubt && e.Held != nil && e.Held.Hash == made.Hash && made.Hash != "":
		p.Would.Would = WouldNotChange
	default:
		p.Would.Would = WouldSend
		if p.letter.Reason == deadletter.InDoubt {
			p.Message = "it may be at the provider already: look there first"
		}
	}
}
