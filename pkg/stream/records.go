package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrConflict says that somebody else changed a record in the meantime.
var ErrConflict = errors.New("changed by somebody else")

const (
	// markerTTL is how long the bucket of workers tells that a record ran out.
	markerTTL = time.Second
	// tombstoneTTL is how long it tells that a record was dropped.
	tombstoneTTL = "60s"
)

// record reads a record of WORKERS as the leader has it. Revision 0: it was
// never there. A dropped one, or one that ran out, has a revision and is not there.
func (s *Streams) record(ctx context.Context, key string, into any) (revision uint64, there bool, err error) {
	data, revision, err := s.post.last(ctx, workersStream, workersPrefix+key)
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %w", key, err)
	}
	if len(data) == 0 {
		return revision, false, nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return 0, false, fmt.Errorf("read %s: %w", key, err)
	}
	return revision, true, nil
}

// setRecord stores a record by compare-and-set and returns its revision. A
// record whose answer got lost and that is found stored counts as stored.
func (s *Streams) setRecord(ctx context.Context, key string, revision uint64, value any) (uint64, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	return s.swap(ctx, key, compareAndSet(workersPrefix+key, revision, data), revision)
}

// dropRecord removes a record by compare-and-set.
func (s *Streams) dropRecord(ctx context.Context, key string, revision uint64) error {
	m := compareAndSet(workersPrefix+key, revision, nil)
	m.Header["KV-Operation"] = []string{"DEL"}
	m.Header["Nats-TTL"] = []string{tombstoneTTL}
	_, err := s.swap(ctx, key, m, revision)
	return err
}

func (s *Streams) swap(ctx context.Context, key string, m *nats.Msg, revision uint64) (uint64, error) {
	for wait := swapPause; ; wait = min(2*wait, time.Second) {
		a, err := s.post.one(ctx, m)
		if err == nil && !a.lost() && a.code != noAnswer {
			if err := a.err(); err != nil {
				return 0, fmt.Errorf("write %s: %w", key, err)
			}
			return a.seq, nil
		}
		if err != nil && !errors.Is(err, errNoAnswer) {
			return 0, fmt.Errorf("write %s: %w", key, err)
		}
		stored, now, err := s.post.last(ctx, workersStream, workersPrefix+key)
		switch {
		case err != nil:
			return 0, fmt.Errorf("write %s: %w", key, err)
		case now == revision: // not stored, or not yet: again
			if err := pause(ctx, wait); err != nil {
				return 0, fmt.Errorf("write %s: %w", key, err)
			}
			continue
		case bytes.Equal(stored, m.Data):
			return now, nil // its own; a dropped record is like any other that is gone
		}
		return 0, fmt.Errorf("write %s: %w", key, ErrConflict)
	}
}

// swapPause is how long it waits at first for what the nodes of a cluster have not
// agreed on yet.
const swapPause = 5 * time.Millisecond

// pause waits, or until ctx ends.
func pause(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Record is a record of WORKERS.
type Record struct {
	Key      string // without the bucket's prefix
	Value    []byte
	Revision uint64
}

// records reads all records of a filter, such as "gate.>". Any replica may
// answer, so what was written a moment ago may be missing.
func (s *Streams) records(ctx context.Context, filter string) ([]Record, error) {
	var all []Record
	for seq := uint64(1); ; {
		end, err := s.post.fetch(ctx, workersStream, get{Filter: workersPrefix + filter, Seq: seq, Batch: keptAtOnce}, func(k kept) {
			if len(k.msg.Data) > 0 {
				all = append(all, Record{k.subject[len(workersPrefix):], k.msg.Data, k.seq})
			}
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", filter, err)
		}
		if end.none || end.left == 0 {
			return all, nil
		}
		seq = end.last + 1
	}
}

// Board is what the workers tell each other.
type Board struct {
	Members map[string]MemberRecord // by member id
	Leases  []LeaseRecord
	Layouts map[string]Layout // by destination, as the next three
	Gates   map[string]Gate
	Paused  map[string]Paused
}

// Board reads what the workers tell each other. It may lag a moment behind.
func (s *Streams) Board(ctx context.Context) (*Board, error) {
	b := &Board{
		Members: map[string]MemberRecord{}, Layouts: map[string]Layout{},
		Gates: map[string]Gate{}, Paused: map[string]Paused{},
	}
	for _, kind := range boardKinds() {
		records, err := s.records(ctx, kind+">")
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if err := b.take(kind, r); err != nil {
				return nil, fmt.Errorf("read %s: %w", r.Key, err)
			}
		}
	}
	return b, nil
}

// Kinds of records that are on the board.
const (
	memberKey = "member."
	leaseKey  = "lease."
	layoutKey = "layout."
	gateKey   = "gate."
	pausedKey = "paused."
)

func boardKinds() []string { return []string{memberKey, leaseKey, layoutKey, gateKey, pausedKey} }

func (b *Board) take(kind string, r Record) error {
	name := strings.TrimPrefix(r.Key, kind)
	switch kind {
	case memberKey:
		return put(b.Members, name, r.Value)
	case layoutKey:
		return put(b.Layouts, name, r.Value)
	case gateKey:
		return put(b.Gates, name, r.Value)
	case pausedKey:
		return put(b.Paused, name, r.Value)
	}
	var l LeaseRecord
	if err := json.Unmarshal(r.Value, &l); err != nil {
		return err
	}
	b.Leases = append(b.Leases, l)
	return nil
}

func put[T any](m map[string]T, name string, data []byte) error {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	m[name] = v
	return nil
}

// Changes calls changed after the board changed, and once at the beginning,
// until ctx ends. Renewals of members are no changes.
func (s *Streams) Changes(ctx context.Context, changed func()) {
	r := &reader{nc: s.nc, stream: workersStream, name: "board"}
	for _, kind := range boardKinds() {
		r.filters = append(r.filters, workersPrefix+kind+">")
	}
	defer r.close()
	pause := time.NewTimer(0)
	defer pause.Stop()
	members := map[string]bool{}
	changed()
	for ctx.Err() == nil {
		news := false
		err := r.read(ctx, largest, func(m *nats.Msg, _ delivery) {
			there := len(m.Data) > 0
			if strings.HasPrefix(m.Subject, workersPrefix+memberKey) {
				news = news || members[m.Subject] != there
				members[m.Subject] = there
				if !there {
					delete(members, m.Subject)
				}
				return
			}
			news = true
		})
		if err != nil {
			// What ran out meanwhile is not told later: look anew.
			news = true
			pause.Reset(time.Second)
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
		}
		if news {
			changed()
		}
	}
}

// compareAndSet is a message that is stored only while the subject's last
// sequence is the one given; 0: there is none.
func compareAndSet(subject string, revision uint64, data []byte) *nats.Msg {
	return &nats.Msg{
		Subject: subject,
		Header:  nats.Header{expectedLast: {strconv.FormatUint(revision, 10)}},
		Data:    data,
	}
}

const expectedLast = "Nats-Expected-Last-Subject-Sequence"
