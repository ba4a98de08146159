package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// Keeper looks after what the stream keeps of single customers.
type Keeper struct {
	streams      *Streams
	destinations []string
}

var _ pipeline.Keeper = (*Keeper)(nil)

// Keeper returns the keeper for a fleet of these destinations.
func (s *Streams) Keeper(destinations []string) *Keeper { return &Keeper{s, destinations} }

// Late publishes the customer's newest state again when older ones that came after
// it have pushed it out, or are about to. It comes to every destination as the same
// version once more, and those that have it leave it at that.
func (k *Keeper) Late(ctx context.Context, key ledger.Key, newest []byte) error {
	best, last, after := k.known(key, newest), uint64(0), k.streams.config.History
	var ev events.Event
	now := time.Now()
	err := k.streams.states(ctx, key, func(m kept) {
		if m.seq <= last {
			return // seen before
		}
		last = m.seq
		after++
		if state := readState(key, m, now, &ev); state.Err == nil && (best == nil || best.Version <= state.Version) {
			best, after = state, 0
		}
	})
	if err != nil {
		return fmt.Errorf("keep the newest state: %w", err)
	}
	if best == nil || last == 0 || after < max(1, k.streams.config.History-spareStates) {
		return nil
	}
	_, tail, _ := strings.Cut(key, ".")
	a, err := k.streams.post.one(ctx, &nats.Msg{
		Subject: "customers." + tail,
		Header:  nats.Header{expectedLast: {strconv.FormatUint(last, 10)}},
		Data:    best.Data,
	})
	switch {
	case err != nil:
	case a.lost():
		return k.Late(ctx, key, newest) // something came in between
	default:
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("keep the newest state: %w", err)
	}
	return nil
}

// spareStates is how many more late states the stream has to have room for.
const spareStates = 2

// known is the state of an event at hand, or nil.
func (k *Keeper) known(key ledger.Key, event []byte) *State {
	if event == nil {
		return nil
	}
	var ev events.Event
	state := readState(key, kept{msg: &nats.Msg{Data: event}}, time.Now(), &ev)
	if state.Err != nil {
		return nil
	}
	return state
}

// Deleted erases what is left of a customer when all destinations have settled the
// deletion, if that is still the newest state. A dead letter at one of them waits
// for a person, and so does the rest.
func (k *Keeper) Deleted(ctx context.Context, key ledger.Key, deletion ledger.Mark) error {
	for _, destination := range k.destinations {
		data, _, err := k.streams.post.last(ctx, ledgerStream, ledgerPrefix+destination+"."+key)
		if err != nil {
			return fmt.Errorf("erase a customer: %w", err)
		}
		var e ledger.Entry
		if len(data) == 0 || ledger.Parse(data, &e) != nil || e.Waits() || e.Settled == nil || e.Settled.Outcome == ledger.Dead ||
			(ledger.Mark{Version: e.Settled.Version, Seq: e.Settled.Seq}).Compare(deletion) < 0 {
			return nil // the last one to settle it erases
		}
	}
	// Before it is looked whether the customer has come back: of what is stored for
	// a newer version nothing lies below.
	stored, err := k.streams.left(ctx)
	if err != nil {
		return fmt.Errorf("erase a customer: %w", err)
	}
	newest, err := k.streams.leaderNewest(ctx, key)
	if err != nil || newest == nil || !newest.Deleted || newest.Version != deletion.Version {
		return err
	}
	return k.streams.erase(ctx, key, newest.Seq, stored, k.destinations)
}
