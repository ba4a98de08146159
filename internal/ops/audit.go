package ops

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

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

func (c *Counts) sum(o Counts) {
	c.InStep += o.InStep
	c.Waiting += o.Waiting
	c.Dead += o.Dead
	c.Discarded += o.Discarded
	c.Filtered += o.Filtered
	c.Skipped += o.Skipped
	c.NotOwed += o.NotOwed
	c.Lost += o.Lost
	c.Regressed += o.Regressed
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
	if err := audit.walk(ctx, d.Streams, assessors, progress); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	slices.SortFunc(audit.LostCustomers, func(a, b LostCustomer) int {
		return cmp.Or(strings.Compare(a.Destination, b.Destination), strings.Compare(a.Shop, b.Shop), strings.Compare(a.Customer, b.Customer))
	})
	return audit, nil
}

// walk accounts for all customers, as many at a time as fit in memory.
func (a *Audit) walk(ctx context.Context, streams *stream.Streams, assessors []*assessor, progress func(customers int)) error {
	census, err := streams.Census(ctx)
	if err != nil {
		return err
	}
	for nr := range census.Rolls() {
		roll, err := census.Roll(ctx, nr)
		if err != nil {
			return err
		}
		judged, err := judgeAll(ctx, roll, assessors)
		if err != nil {
			return err
		}
		for i, of := range assessors {
			err := of.account(ctx, roll, judged[i], func(counts Counts, lost []matter) { a.take(i, counts, lost) })
			if err != nil {
				return fmt.Errorf("%s: %w", of.destination, err)
			}
		}
		a.Customers += roll.Len()
		if progress != nil {
			progress(a.Customers)
		}
	}
	return nil
}

func (a *Audit) take(destination int, counts Counts, lost []matter) {
	of := &a.Destinations[destination]
	a.Counts.sum(counts)
	of.Counts.sum(counts)
	for i := range lost {
		m := &lost[i]
		if len(a.LostCustomers) == maxLostCustomers {
			break
		}
		tokens := strings.SplitN(m.key, ".", 3)
		one := LostCustomer{Destination: of.Name, Shop: plain(tokens[1]), Customer: plain(tokens[2])}
		if m.newest != nil {
			one.Version = m.newest.Version
		}
		a.LostCustomers = append(a.LostCustomers, one)
	}
}
