package ops

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

// State is where a customer is at one destination.
type State string

const (
	InStep    State = "in_step"   // the destination has the newest version
	Waiting   State = "waiting"   // the newest version has no end yet
	Retrying  State = "retrying"  // it was tried, or is to be tried, at a later time
	InDoubt   State = "in_doubt"  // the same, and a call of it may have been applied
	Dead      State = "dead"      // a dead letter is open
	Discarded State = "discarded" // a person discarded the letter
	Filtered  State = "filtered"  // shops or when do not admit it
	Skipped   State = "skipped"   // the provider has no such operation
	NotOwed   State = "not_owed"  // published before the destination began, which began with what is new
	Regressed State = "regressed" // the destination was given a newer version than the stream has
	Lost      State = "lost"      // it has no end, and nobody comes back to it
)

// Words is the state as people say it.
func (s State) Words() string { return strings.ReplaceAll(string(s), "_", " ") }

// plain reports whether the ledger alone tells the state.
func (s State) plain() bool {
	switch s {
	case InStep, Discarded, Filtered, Skipped, NotOwed:
		return true
	case Waiting, Retrying, InDoubt, Dead, Regressed, Lost:
	}
	return false
}

// judge tells the state that follows from a customer's newest state and its
// ledger entry; empty: the newest version has no end that the ledger knows of.
func judge(newest *stream.State, e *ledger.Entry) State {
	s := e.Settled
	switch {
	case newest == nil:
		if e.Top() != (ledger.Mark{}) {
			return Regressed
		}
		return ""
	case newest.Err == nil && ahead(newest.Version, e):
		return Regressed
	case e.Waits() && !older(e.Pending, newest):
		if e.Pending.Doubt {
			return InDoubt
		}
		return Retrying
	case s == nil || !ends(s, newest):
		return ""
	}
	switch s.Outcome {
	case ledger.Delivered, ledger.Unchanged:
		return InStep
	case ledger.Dead:
		return Dead
	case ledger.Discarded:
		return Discarded
	case ledger.Filtered:
		return Filtered
	case ledger.Skipped:
		return Skipped
	}
	return ""
}

// ends reports whether an end is that of the newest state, or of a later one.
func ends(s *ledger.Settled, newest *stream.State) bool {
	if s.Seq == newest.Seq || newest.Err != nil {
		return s.Seq >= newest.Seq // a dead letter may have taken another version's place
	}
	return (ledger.Mark{Version: s.Version, Seq: s.Seq}).Compare(mark(newest)) >= 0
}

// older reports whether what is pending is older than the newest state.
func older(p *ledger.Pending, newest *stream.State) bool {
	if newest.Err != nil {
		return p.Seq < newest.Seq
	}
	return (ledger.Mark{Version: p.Version, Seq: p.Seq}).Compare(mark(newest)) < 0
}

func mark(s *stream.State) ledger.Mark { return ledger.Mark{Version: s.Version, Seq: s.Seq} }

// ahead reports whether a destination was given a version above the stream's
// newest. A dead letter may be: of an event that is no event, but has a version.
func ahead(version int64, e *ledger.Entry) bool {
	if e.Held != nil && e.Held.Version > version {
		return true
	}
	s := e.Settled
	return s != nil && s.Version > version && s.Outcome != ledger.Dead && s.Outcome != ledger.Discarded
}

// CustomerStatus is where one customer is.
type CustomerStatus struct {
	Shop         string       `json:"shop"`
	Customer     string       `json:"customer"`
	Newest       *int64       `json:"newest"` // version; null: the stream keeps none that can be read
	Deleted      bool         `json:"deleted"`
	Destinations []CustomerAt `json:"destinations"`
}

// CustomerAt is where a customer is at one destination.
type CustomerAt struct {
	Name   string       `json:"name"`
	State  State        `json:"state"`
	Ledger ledger.Entry `json:"ledger"`
}

// ErrUnknownCustomer says that neither the stream nor a ledger knows a customer.
var ErrUnknownCustomer = errors.New("not known: nothing of this customer is in the stream, and no destination was given it; check both ids")

// Customer tells where one customer is.
func (d *Desk) Customer(ctx context.Context, shop, customer string) (*CustomerStatus, error) {
	key := d.key(shop, customer)
	newest, err := d.Streams.Newest(ctx, key)
	if err != nil {
		return nil, err
	}
	st := &CustomerStatus{Shop: shop, Customer: customer, Destinations: []CustomerAt{}}
	if newest != nil && newest.Err == nil {
		st.Newest, st.Deleted = &newest.Version, newest.Deleted
	}
	seen := newest != nil
	for i := range d.Config.Destinations {
		name := d.Config.Destinations[i].Name
		a, err := d.assessor(ctx, name)
		if err != nil {
			return nil, err
		}
		at, err := a.assess(ctx, []ledger.Key{key}, []*stream.State{newest})
		if err != nil {
			return nil, fmt.Errorf("status at %s: %w", name, err)
		}
		seen = seen || at[0].entry != (ledger.Entry{})
		st.Destinations = append(st.Destinations, CustomerAt{name, at[0].state, at[0].entry})
	}
	if !seen {
		return nil, fmt.Errorf("customer %s of shop %s is %w", customer, shop, ErrUnknownCustomer)
	}
	return st, nil
}
