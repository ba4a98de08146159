// Package ops is what operators ask and do: how the destinations are, where a
// customer is, what died and why, whether anything was lost; and pause, replay,
// discard, backfill, forget.
//
// Promises: nothing here takes part in the delivery, so that everything may be
// asked and done while workers run, or while none does; what changes a customer
// is done by a wake-up that the shard's owner carries out, or by a
// compare-and-set that the owner notices; however many customers there are, a
// window of them is in memory; every action is noted in ACTIONS before its
// effect counts as done, without any customer's data.
package ops

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

// Desk is where an operator asks and acts. Its methods may be called from
// several goroutines at once.
type Desk struct {
	Config  *config.Config
	Streams *stream.Streams
	By      string // who acts, for ACTIONS; empty: not told
	// Renderers make rows, to say what would be done, and to see that an edit is
	// valid. It may be nil where neither is asked for.
	Renderers *Renderers
}

// Misuse says that what was asked for can't be done as it was asked, whatever the
// state of things; its words say what to do.
type Misuse struct{ Err error }

func (e *Misuse) Error() string { return e.Err.Error() }
func (e *Misuse) Unwrap() error { return e.Err }

func misuse(format string, args ...any) error { return &Misuse{fmt.Errorf(format, args...)} }

// UnknownDestination says that a name is in no configuration.
type UnknownDestination struct {
	Name  string
	Known []string
}

func (e *UnknownDestination) Error() string {
	return fmt.Sprintf("the configuration has no destination %q", e.Name)
}

// configured returns the destination of that name.
func (d *Desk) configured(name string) (*config.Destination, error) {
	if c := d.Config.Destination(name); c != nil {
		return c, nil
	}
	unknown := &UnknownDestination{Name: name}
	for i := range d.Config.Destinations {
		unknown.Known = append(unknown.Known, d.Config.Destinations[i].Name)
	}
	return nil, unknown
}

// known sees that a destination is in the configuration, or left over from an
// earlier one; an empty name stands for all.
func (d *Desk) known(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	_, err := d.configured(name)
	if err == nil {
		return nil
	}
	if strings.ContainsAny(name, ".*> \t") {
		return err
	}
	layout, broken := d.Streams.Layout(ctx, name)
	if broken != nil {
		return broken
	}
	if layout != nil {
		return nil
	}
	return err
}

// key names a customer as the streams do.
func (d *Desk) key(shop, customer string) ledger.Key {
	s, c := events.EscapeToken(shop), events.EscapeToken(customer)
	return fmt.Sprintf("%d.%s.%s", events.Partition(s, c, d.Streams.Partitions()), s, c)
}

// action is what every note in ACTIONS begins with.
type action struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"`
	Note string    `json:"note,omitempty"`
}

func (d *Desk) action(note string) action {
	return action{At: time.Now().UTC(), By: d.By, Note: note}
}

// note stores an action.
func (d *Desk) note(ctx context.Context, verb, destination string, what any) error {
	return d.Streams.Note(ctx, verb, destination, what)
}

// plain is a token as a person wrote it; one that is no token stays as it is.
func plain(token string) string {
	if s, err := events.UnescapeToken(token); err == nil {
		return s
	}
	return token
}
