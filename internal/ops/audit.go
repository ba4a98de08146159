package ops

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

// Counts are customers by what became of their newest state. Each customer
// counts once at each destination, so that they add up to all of them.
type Counts struct {
	InStep    int `json:"in_step"`
	Waiting   int `json:"waiting"` // to be delivered now or later
	Dead      int `json:"dead"`
	Discarded int `json:"discarded"`
	Filtered  int `json:"filtered"`
	Skipped   int `json:"skipped"`
	NotOwed   int `json:"not_owed"`
	Lost      int `json:"lost"`
	Regressed int `json:"regressed"`
}

func (c *Counts) add(s State) {
	switch s {
	case InStep:
		c.InStep++
	case Waiting, Retrying, InDoubt:
		c.Waiting++
	case Dead:
		c.Dead++
	case Discarded:
		c.Discarded++
	case Filtered:
		c.Filtered++
	case Skipped:
		c.Skipped++
	case NotOwed:
		c.NotOwed++
	case Regressed:
		c.Regressed++
	case Lost:
		c.Lost++
	}
}

// Audit is the account of all customers.
type Audit struct {
	Customers    int                `json:"customers"`
	Counts                          // of all destinations
	Destinations []DestinationAudit `json:"destinations"`
	// LostCustomers names the lost ones, at most 1,000 of them.
	LostCustomers []LostCustomer `json:"lost_customers"`
}

// DestinationAudit is the account of one destination.
type DestinationAudit struct {
	Name string `json:"name"`
	Counts
}

// LostCustomer is a customer whose newest state has no end at a destination, and
// to whom nobody comes back.
type LostCustomer struct {
	Destination string `json:"destination"`
	Shop        string `json:"shop"`
	Customer    string `json:"customer"`
	Version     int64  `json:"version"` // 0: the event can't be read
}

const maxLostCustomers = 1000

// Audit accounts for every customer that the stream kept at the call, at every
// destination of the configuration. It may run while workers do: what looks lost
// is looked at again and again before it is called so.
func (d *Desk) Audit(ctx context.Context, progress func(customers int)) (*Audit, error) {
	audit := &Audit{Destinations: []DestinationAudit{}, LostCustomers: []LostCustomer{}}
	var assessors []*assessor
	for i := range d.Config.Destinations {
		name := d.Config.Destinations[i].Name
		a, err := d.assessor(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("audit %s: %w", name, err)
		}
		assessors = append(assessors, a)
		audit.Destinations = append(audit.Destinations, DestinationAudit{Name: name})
	}
	for keys, err := range d.Streams.Keys(ctx) {
		if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		newest, err := d.newest(ctx, keys)
		if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		audit.Customers += len(keys)
		for i, a := range assessors {
			matters, err := a.assess(ctx, keys, newest)
			if err != nil {
				return nil, fmt.Errorf("audit %s: %w", a.destination, err)
			}
			audit.take(i, matters)
		}
		if progress != nil {
			progress(audit.Customers)
		}
	}
	return audit, nil
}

func (a *Audit) take(destination int, matters []matter) {
	of := &a.Destinations[destination]
	for i := range matters {
		m := &matters[i]
		a.Counts.add(m.state)
		of.Counts.add(m.state)
		if m.state != Lost || len(a.LostCustomers) == maxLostCustomers {
			continue
		}
		tokens := strings.SplitN(m.key, ".", 3)
		lost := LostCustomer{Destination: of.Name, Shop: plain(tokens[1]), Customer: plain(tokens[2])}
		if m.newest != nil {
			lost.Version = m.newest.Version
		}
		a.LostCustomers = append(a.LostCustomers, lost)
	}
}

// newestAtOnce is how many customers' states are asked for at the same time:
// the answers take a round trip each, and the server is to serve workers too.
const newestAtOnce = 4

// newest reads the newest states of a window of customers.
func (d *Desk) newest(ctx context.Context, keys []ledger.Key) ([]*stream.State, error) {
	states := make([]*stream.State, len(keys))
	errs := make([]error, newestAtOnce)
	var wg sync.WaitGroup
	for n := range newestAtOnce {
		wg.Go(func() {
			for i := n; i < len(keys) && errs[n] == nil; i += newestAtOnce {
				if states[i], errs[n] = d.Streams.Newest(ctx, keys[i]); states[i] != nil {
					states[i].Data = nil // the window holds marks only
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return states, nil
}
