package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// Census reads what is wanted and what is given of many customers with one walk
// through the stream and one through the ledger, which costs the server a tenth of
// looking each customer up.
//
// A Roll is a part of the customers, few enough to be held in memory: some fifty
// bytes for each, since a customer is known by a number made of his key. That two
// have the same one is as likely as that a disk errs; another census makes other
// numbers.
type Census struct {
	streams *Streams
	seed    maphash.Seed
	rolls   uint64
	size    int // customers in a roll, about
}

// rollSize is about how many customers a roll has at most.
const rollSize = 1 << 20

// Census begins a census.
func (s *Streams) Census(ctx context.Context) (*Census, error) {
	messages, err := s.count(ctx, Customers, customersPrefix+">")
	if err != nil {
		return nil, fmt.Errorf("count the customers: %w", err)
	}
	rolls := messages/rollSize + 1
	return &Census{s, maphash.MakeSeed(), rolls, int(messages / rolls)}, nil
}

// Rolls is how many rolls hold all customers together.
func (c *Census) Rolls() int { return int(c.rolls) }

// Roll is the newest states of the customers of one roll, without their data.
type Roll struct {
	census   *Census
	nr       uint64
	place    map[uint64]int32 // by the number made of the key
	sequence []uint64
	version  []int64
	kind     []kind
	of       []uint16 // the partition
}

type kind uint8

const (
	changed kind = iota
	deleted
	unreadable
)

// errUnread stands for why an event can't be read.
var errUnread = errors.New("the event can't be read")

// Len is how many customers are in the roll.
func (r *Roll) Len() int { return len(r.sequence) }

// Newest is a customer's newest state, as Streams.Newest tells it.
func (r *Roll) Newest(i int) State {
	s := State{Seq: r.sequence[i], Version: r.version[i], Deleted: r.kind[i] == deleted}
	if r.kind[i] == unreadable {
		s.Err = errUnread
	}
	return s
}

// Partition is the partition of a customer.
func (r *Roll) Partition(i int) int { return int(r.of[i]) }

// number is that of a customer, and whether he is of this roll.
func (r *Roll) number(key string) (uint64, bool) {
	n := maphash.String(r.census.seed, key)
	return n, n%r.census.rolls == r.nr
}

// Roll reads the newest states of one roll, from 0 on. Any replica may answer, so
// what was stored a moment ago may be missing.
func (c *Census) Roll(ctx context.Context, nr int) (*Roll, error) {
	r := &Roll{
		census: c, nr: uint64(nr), place: make(map[uint64]int32, c.size), sequence: make([]uint64, 0, c.size),
		version: make([]int64, 0, c.size), kind: make([]kind, 0, c.size), of: make([]uint16, 0, c.size),
	}
	var ev events.Event
	now := time.Now()
	err := c.streams.each(ctx, Customers, customersPrefix+">", false, func(messages []*nats.Msg) (bool, error) {
		for _, m := range messages {
			key := m.Subject[len(customersPrefix):]
			d, ok := readReply(m.Reply)
			if number, mine := r.number(key); ok && mine {
				r.add(number, partitionOf(key), readState(key, kept{seq: d.seq, msg: m}, now, &ev))
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the customers: %w", err)
	}
	return r, nil
}

func (r *Roll) add(number uint64, partition int, state *State) {
	i, met := r.place[number]
	if !met {
		i = int32(len(r.sequence))
		r.place[number] = i
		r.sequence, r.version, r.kind = append(r.sequence, 0), append(r.version, 0), append(r.kind, unreadable)
		r.of = append(r.of, uint16(partition))
	}
	if before := r.Newest(int(i)); !before.older(state) {
		return
	}
	r.sequence[i], r.version[i], r.kind[i] = state.Seq, state.Version, changed
	switch {
	case state.Err != nil:
		r.kind[i] = unreadable
	case state.Deleted:
		r.kind[i] = deleted
	}
}

// Entries hands what the ledger has of the roll's customers to each: the
// destination's name, the customer's place, and the entry, which is each's only
// until it returns. Any replica may answer, so what was stored a moment ago may be
// missing, or as it was before.
func (r *Roll) Entries(ctx context.Context, each func(destination string, i int, e *ledger.Entry)) error {
	err := r.census.streams.each(ctx, ledgerStream, ledgerPrefix+">", false, func(messages []*nats.Msg) (bool, error) {
		var e ledger.Entry
		for _, m := range messages {
			destination, key, _ := strings.Cut(m.Subject[len(ledgerPrefix):], ".")
			number, mine := r.number(key)
			i, met := r.place[number]
			if !mine || !met || len(m.Data) == 0 {
				continue
			}
			if err := ledger.Parse(m.Data, &e); err != nil {
				return false, fmt.Errorf("%s: %w", destination, err)
			}
			each(destination, int(i), &e)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return nil
}

// keysAtOnce is how many messages are asked for at the same time.
const keysAtOnce = 8

// Keys are the keys of customers by their places; empty where his newest state is
// no longer kept, since newer ones came.
func (r *Roll) Keys(ctx context.Context, places []int) ([]ledger.Key, error) {
	keys, errs := make([]ledger.Key, len(places)), make([]error, keysAtOnce)
	var all sync.WaitGroup
	for n := range keysAtOnce {
		all.Go(func() {
			for i := n; i < len(places) && errs[n] == nil; i += keysAtOnce {
				keys[i], errs[n] = r.key(ctx, r.sequence[places[i]])
			}
		})
	}
	all.Wait()
	return keys, errors.Join(errs...)
}

func (r *Roll) key(ctx context.Context, seq uint64) (ledger.Key, error) {
	ask, err := json.Marshal(get{Seq: seq})
	if err != nil {
		return "", err
	}
	k, err := r.census.streams.post.leaders(ctx, Customers, ask)
	if err != nil || k == nil {
		return "", err
	}
	return k.subject[len(customersPrefix):], nil
}
