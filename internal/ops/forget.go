package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

// Forgotten says what a forget did at one destination.
type Forgotten struct {
	Name string `json:"name"`
	Held bool   `json:"held"` // the destination had been given the customer
}

// forgetNote is what ACTIONS keeps of it.
type forgetNote struct {
	action
	Shop     string `json:"shop"`
	Customer string `json:"customer"`
}

// Forget resets a customer's fence at one destination, or, where none is named,
// at all of them: any version may be delivered next. Then what was published
// last counts as the newest state, whatever its version was, and older states
// are removed from the stream; at a single destination the stream stays as it
// is. The newest state is delivered again in full.
//
// The provider's own id of the customer is kept, and so is a doubt: forgetting
// them would create the customer a second time.
func (d *Desk) Forget(ctx context.Context, shop, customer, destination, note string) ([]Forgotten, error) {
	names := []string{destination}
	if destination == "" {
		names = nil
		for i := range d.Config.Destinations {
			names = append(names, d.Config.Destinations[i].Name)
		}
	} else if _, err := d.configured(destination); err != nil {
		return nil, err
	}
	if _, err := d.Customer(ctx, shop, customer); err != nil {
		return nil, err
	}
	key := d.key(shop, customer)
	if err := d.note(ctx, "forget", destination, forgetNote{d.action(note), shop, customer}); err != nil {
		return nil, err
	}
	if destination == "" {
		if err := d.Streams.Restart(ctx, key); err != nil {
			return nil, err
		}
	}
	var all []Forgotten
	for _, name := range names {
		held, err := d.forget(ctx, name, key)
		if err != nil {
			return all, fmt.Errorf("forget at %s: %w", name, err)
		}
		all = append(all, Forgotten{name, held})
	}
	return all, nil
}

// forget resets the ledger's entry by compare-and-set, and wakes the customer.
func (d *Desk) forget(ctx context.Context, destination string, key ledger.Key) (held bool, err error) {
	book, err := d.Streams.Ledger(ctx, destination)
	if err != nil {
		return false, err
	}
	for done := false; !done; {
		found, err := book.Get(ctx, []ledger.Key{key})
		if err != nil {
			return held, err
		}
		held = found[0].Entry.Held != nil
		if found[0].Revision == 0 {
			break // it knows nothing
		}
		if end := found[0].Entry.Settled; end != nil {
			if err := d.Streams.Strike(ctx, destination, key, end); err != nil {
				return held, err
			}
		}
		written, err := book.Put(ctx, []pipeline.Write{{Key: key, Revision: found[0].Revision, Entry: reset(&found[0].Entry)}})
		if err != nil {
			return held, err
		}
		done = written[0].Revision > 0 // else its owner wrote it just now
	}
	wake := pipeline.Wakeup{Key: key, At: time.Now(), Cause: pipeline.Replay, Force: true}
	return held, d.Streams.Alarm(destination).Set(ctx, []pipeline.Wakeup{wake})
}

// reset is an entry that lets any version pass.
func reset(e *ledger.Entry) ledger.Entry {
	var fresh ledger.Entry
	if h := e.Held; h != nil {
		fresh.Held = &ledger.Held{ProviderID: h.ProviderID, At: h.At}
	}
	if p := e.Pending; p != nil && (p.Doubt || p.Seq == 0) { // a call that may still arrive
		fresh.Pending = &ledger.Pending{Doubt: p.Doubt, Next: p.Next}
	}
	return fresh
}
