package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// Erase removes a customer's states before its tombstone, and what the
// destinations keep of it: dead letters, request rows and wake-ups. The ledger
// keeps the versions, without which an old event could bring the customer back.
func (s *Streams) Erase(ctx context.Context, key ledger.Key, tombstone uint64, destinations []string) error {
	stored, err := s.left(ctx)
	if err != nil {
		return fmt.Errorf("erase a customer: %w", err)
	}
	return s.erase(ctx, key, tombstone, stored, destinations)
}

// leavings is how far the streams are in which destinations keep something of
// customers.
type leavings struct{ letters, wakeups uint64 }

func (s *Streams) left(ctx context.Context) (l leavings, err error) {
	for name, seq := range map[string]*uint64{DeadLetters: &l.letters, Wakeups: &l.wakeups} {
		if *seq, err = s.lastSeq(ctx, name); err != nil {
			return l, err
		}
	}
	return l, nil
}

// erase is Erase of what was stored up to there: a customer may come back at any
// time, and what is stored then has to stay.
func (s *Streams) erase(ctx context.Context, key ledger.Key, tombstone uint64, upTo leavings, destinations []string) error {
	if strings.ContainsAny(key, "*>") || strings.Count(key, ".") != 2 {
		return fmt.Errorf("erase a customer: %q is no key", key)
	}
	_, tail, _ := strings.Cut(key, ".")
	type place struct {
		stream, filter string
		before         uint64
	}
	var places []place
	for _, d := range destinations {
		places = append(
			places,
			place{DeadLetters, rowsPrefix + d + "." + tail + ".*", upTo.letters + 1}, // edits
			place{DeadLetters, rowsPrefix + d + "." + tail, upTo.letters + 1},
			place{DeadLetters, lettersPrefix + d + "." + tail, upTo.letters + 1},
			place{Wakeups, schedulePrefix + d + "." + key, upTo.wakeups + 1},
			place{Wakeups, wakePrefix + d + "." + key, upTo.wakeups + 1},
		)
	}
	places = append(places, place{Customers, customersPrefix + key, tombstone})
	for _, p := range places {
		if err := s.purge(ctx, p.stream, p.filter, p.before); err != nil {
			return fmt.Errorf("erase a customer: %w", err)
		}
	}
	return nil
}

// ErrOwned says that workers are at work on a destination.
var ErrOwned = errors.New("workers are at work on it: take it out of their configuration first")

// Kept is how much is kept for a destination.
type Kept struct {
	Ledger  uint64 `json:"ledger"`  // customers
	Letters uint64 `json:"letters"` // dead letters
	Wakeups uint64 `json:"wakeups"`
	Records uint64 `json:"records"` // of the workers
}

// place is where something of a destination is kept.
type place struct {
	stream, filter string
	of             func(*Kept) *uint64 // nil: it goes with something that counts
}

// places are all of them. The layout is the last: as long as it is there, the
// destination is known to be left over.
func places(destination string) []place {
	ledger := func(k *Kept) *uint64 { return &k.Ledger }
	letters := func(k *Kept) *uint64 { return &k.Letters }
	wakeups := func(k *Kept) *uint64 { return &k.Wakeups }
	records := func(k *Kept) *uint64 { return &k.Records }
	all := []place{
		{Wakeups, schedulePrefix + destination + ".>", wakeups},
		{Wakeups, wakePrefix + destination + ".>", wakeups},
		{DeadLetters, rowsPrefix + destination + ".>", nil},
		{DeadLetters, lettersPrefix + destination + ".*.*", letters},
		{DeadLetters, lettersPrefix + destination + ".>", nil},
		{ledgerStream, ledgerPrefix + destination + ".>", ledger},
	}
	for _, kind := range []string{leaseKey, callKey, cursorKey} {
		all = append(all, place{workersStream, workersPrefix + kind + destination + ".>", records})
	}
	for _, kind := range []string{gateKey, pausedKey, shareKey, originKey, layoutKey} {
		all = append(all, place{workersStream, workersPrefix + kind + destination, records})
	}
	return all
}

// renamedPlace is where it says that a destination has another name by now.
func renamedPlace(destination string) place {
	return place{workersStream, workersPrefix + renamedKey + destination, func(k *Kept) *uint64 { return &k.Records }}
}

// KeptFor counts what is kept for a destination.
func (s *Streams) KeptFor(ctx context.Context, destination string) (Kept, error) {
	var kept Kept
	for _, p := range append(places(destination), renamedPlace(destination)) {
		if p.of == nil {
			continue
		}
		n, err := s.count(ctx, p.stream, p.filter)
		if err != nil {
			return kept, err
		}
		*p.of(&kept) += n
	}
	return kept, nil
}

// Remove deletes all that is kept for a destination: ledger, letters, wake-ups,
// cursors and what else the workers know of it. It can be done again.
func (s *Streams) Remove(ctx context.Context, destination string) error {
	return s.clear(ctx, destination, append(places(destination), renamedPlace(destination)))
}

func (s *Streams) clear(ctx context.Context, destination string, places []place) error {
	if err := s.Unowned(ctx, destination); err != nil {
		return fmt.Errorf("remove %s: %w", destination, err)
	}
	for _, p := range places {
		if err := s.purge(ctx, p.stream, p.filter, 0); err != nil {
			return fmt.Errorf("remove %s: %w", destination, err)
		}
	}
	return nil
}

// Note stores what a person did: actions.<verb>.<destination>, kept for 90 days.
func (s *Streams) Note(ctx context.Context, verb, destination string, what any) error {
	data, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("note an action: %w", err)
	}
	if destination == "" {
		destination = "-"
	}
	a, err := s.post.one(ctx, &nats.Msg{Subject: "actions." + verb + "." + destination, Data: data})
	if err == nil {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("note an action: %w", err)
	}
	return nil
}
