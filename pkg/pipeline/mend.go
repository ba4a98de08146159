package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// editOf is the edit that is in force for a version; empty: none. The ledger says
// so, whoever asks for the version and why, so that nothing ever sends it as it
// was published while a person's correction of it stands.
func editOf(e *ledger.Entry, version int64) string {
	if s := e.Settled; s != nil && s.Version == version {
		return s.Edit
	}
	return ""
}

// sentAs is the edit that the row is sent with; empty: as it was published.
func (r *row) sentAs() string {
	if r.edited {
		return r.edit
	}
	return ""
}

// mend makes the customer's first row anew: as a person corrected it, or as it
// was published where the correction was taken back.
func (d *Destination) mend(c *customer) {
	r := c.rows
	key, m := c.key, Message{Key: c.key, Data: r.event, At: r.at, Event: r.mark.Seq}
	id := editOf(&c.entry, r.mark.Version)
	c.stage = mending
	var made *row
	edited := false
	d.effect("read an edit", func(ctx context.Context) (err error) {
		made, edited, err = d.remake(ctx, key, m, id)
		return err
	}, func() {
		if d.customers[key] != c || c.stage != mending {
			return
		}
		if c.rows == r {
			d.used += len(made.body) - len(r.body)
			r.body, r.hash, r.apart = made.body, made.hash, made.apart
			r.dead, r.admitted = made.dead, made.admitted
			r.edit, r.edited = id, edited
		}
		d.judge(c)
	})
}

// remake makes a row of an event with the edit given, and tells whether the edit
// is of that event.
func (d *Destination) remake(ctx context.Context, key ledger.Key, m Message, id string) (*row, bool, error) {
	published := m.Data
	edited := false
	var why error
	if id != "" {
		edit, err := d.Letters.Edit(ctx, key, id)
		switch {
		case err != nil:
			return nil, false, err
		case edit == nil:
			edited, why = true, errEditGone
		case edit.Applies(published):
			edited = true
			var as *deadletter.Edited
			if as, why = deadletter.Apply(published, edit.Patch); why == nil {
				m.Data = as.Event
			}
		}
	}
	var ev events.Event
	made := d.read(&m, &ev, time.Now())
	if why != nil {
		made.dead = &death{reason: deadletter.Invalid, errors: []sinks.FieldError{{Message: why.Error()}}}
	}
	return made, edited, nil
}

var errEditGone = errors.New("a person corrected this version, and the correction is not kept any more: edit it again, take the edit back, or publish the customer anew")
