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

// Forget removes what the ledger knows of a customer at a destination, so that
// any version may be delivered next. Its wake-up goes with it.
func (s *Streams) Forget(ctx context.Context, destination string, key ledger.Key) error {
	if err := s.purge(ctx, ledgerStream, ledgerPrefix+destination+"."+key, 0); err != nil {
		return fmt.Errorf("forget a customer: %w", err)
	}
	return s.Alarm(destination).Cancel(ctx, key)
}

// Erase removes a customer's states before its tombstone, and what the
// destinations keep of it: dead letters, request rows and wake-ups. The ledger
// keeps the versions, without which an old event could bring the customer back.
func (s *Streams) Erase(ctx context.Context, key ledger.Key, tombstone uint64, destinations []string) error {
	if strings.ContainsAny(key, "*>") || strings.Count(key, ".") != 2 {
		return fmt.Errorf("erase a customer: %q is no key", key)
	}
	for _, destination := range destinations {
		if err := errors.Join(s.Letters(destination).Close(ctx, key), s.Alarm(destination).Cancel(ctx, key)); err != nil {
			return fmt.Errorf("erase a customer: %w", err)
		}
	}
	if err := s.purge(ctx, Customers, customersPrefix+key, tombstone); err != nil {
		return fmt.Errorf("erase a customer: %w", err)
	}
	return nil
}

// ErrOwned says that workers are at work on a destination.
var ErrOwned = errors.New("workers are at work on it: take it out of their configuration first")

// Remove deletes all that is kept for a destination: ledger, letters, wake-ups,
// cursors and what else the workers know of it. It can be done again.
func (s *Streams) Remove(ctx context.Context, destination string) error {
	board, err := s.Board(ctx)
	if err != nil {
		return err
	}
	for _, l := range board.Leases {
		if _, alive := board.Members[l.Member]; alive && l.Destination == destination {
			return fmt.Errorf("remove %s: %w", destination, ErrOwned)
		}
	}
	type place struct{ stream, filter string }
	places := []place{
		{Wakeups, schedulePrefix + destination + ".>"},
		{Wakeups, wakePrefix + destination + ".>"},
		{DeadLetters, rowsPrefix + destination + ".>"},
		{DeadLetters, lettersPrefix + destination + ".>"},
		{ledgerStream, ledgerPrefix + destination + ".>"},
		{workersStream, workersPrefix + leaseKey + destination + ".>"},
		{workersStream, workersPrefix + callKey + destination + ".>"},
		{workersStream, workersPrefix + cursorKey + destination + ".>"},
		{workersStream, workersPrefix + gateKey + destination},
		{workersStream, workersPrefix + pausedKey + destination},
		// Last: as long as it is there, the destination is known to be left over.
		{workersStream, workersPrefix + layoutKey + destination},
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
