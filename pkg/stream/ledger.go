package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// Ledger is one destination's part of the ledger.
type Ledger struct {
	post   *post
	prefix string
	writes *meter
	// floor is a sequence of the bucket that an answer must not be older than:
	// any replica may answer a look-up, and one that lags would let an old version
	// through the fence.
	floor atomic.Uint64
}

var _ pipeline.Ledger = (*Ledger)(nil)

// Ledger returns a destination's part of the ledger. What was stored before the
// call is seen by it.
func (s *Streams) Ledger(ctx context.Context, destination string) (*Ledger, error) {
	l := &Ledger{post: s.post, prefix: ledgerPrefix + destination + ".", writes: newMeter(s.config.Synced)}
	stream, err := s.js.Stream(ctx, ledgerStream)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l.raise(stream.CachedInfo().State.LastSeq)
	return l, nil
}

// sentinel is asked for in every look-up, so that an answer is never empty and
// tells how far the replica is that gave it.
const sentinel = ledgerPrefix + "_"

func (s *Streams) plantSentinel(ctx context.Context) error {
	a, err := s.post.one(ctx, compareAndSet(sentinel, 0, nil))
	if err == nil && !a.lost() {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

const (
	lookUpKeys  = 1000      // the server tells 1,024 messages at most
	lookUpBytes = 512 << 10 // of keys in one request
	lookUpTries = 5
)

// Get returns one Found per key, in order. No key may be there twice.
func (l *Ledger) Get(ctx context.Context, keys []ledger.Key) ([]pipeline.Found, error) {
	found := make([]pipeline.Found, len(keys))
	err := l.look(ctx, keys, func(i int, data []byte, revision uint64) error {
		found[i].Revision = revision
		if len(data) == 0 {
			return nil // forgotten
		}
		return ledger.Parse(data, &found[i].Entry)
	})
	if err != nil {
		return nil, fmt.Errorf("look up the ledger: %w", err)
	}
	return found, nil
}

// look hands what is stored of each key to each; keys without an entry are left out.
func (l *Ledger) look(ctx context.Context, keys []ledger.Key, each func(i int, data []byte, revision uint64) error) error {
	for from := 0; from < len(keys); {
		to, size := from, 0
		for to < len(keys) && to-from < lookUpKeys && size < lookUpBytes {
			size += len(l.prefix) + len(keys[to]) + 3
			to++
		}
		at := func(i int, data []byte, revision uint64) error { return each(from+i, data, revision) }
		if err := l.insist(ctx, keys[from:to], at); err != nil {
			return err
		}
		from = to
	}
	return nil
}

var errLagging = errors.New("a replica lags behind")

// insist asks again when an answer is torn or comes from a replica that lags.
func (l *Ledger) insist(ctx context.Context, keys []ledger.Key, each func(i int, data []byte, revision uint64) error) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for try := 1; ; try++ {
		err := l.ask(ctx, keys, each)
		if err == nil || try == lookUpTries || !errors.Is(err, errTorn) && !errors.Is(err, errLagging) {
			return err
		}
		pause.Reset(time.Duration(try) * 20 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Ledger) ask(ctx context.Context, keys []ledger.Key, each func(i int, data []byte, revision uint64) error) error {
	subjects := make([]string, len(keys)+1)
	index := make(map[string]int, len(keys))
	for i, key := range keys {
		subjects[i] = l.prefix + key
		index[subjects[i]] = i
	}
	subjects[len(keys)] = sentinel
	floor := l.floor.Load()
	told := make([]kept, 0, len(subjects))
	end, err := l.post.fetch(ctx, ledgerStream, get{Last: subjects}, func(k kept) { told = append(told, k) })
	switch {
	case err != nil:
		return err
	case end.none:
		return errTorn // the sentinel is always there
	case end.left > 0:
		return fmt.Errorf("%d entries were left out of an answer", end.left)
	case end.upTo < floor:
		return errLagging
	}
	for _, k := range told {
		if i, ok := index[k.subject]; ok {
			if err := each(i, k.msg.Data, k.seq); err != nil {
				return err
			}
		}
	}
	return nil
}

// raise notes that the bucket has got so far.
func (l *Ledger) raise(seq uint64) {
	for {
		floor := l.floor.Load()
		if seq <= floor || l.floor.CompareAndSwap(floor, seq) {
			return
		}
	}
}

// batchSize is what the server takes as one atomic batch.
const batchSize = 1000

// Put stores entries. No key may be there twice.
func (l *Ledger) Put(ctx context.Context, writes []pipeline.Write) ([]pipeline.Written, error) {
	written := make([]pipeline.Written, len(writes))
	wire := make([][]byte, len(writes))
	buf := make([]byte, 0, 256*len(writes))
	for i := range writes {
		from := len(buf)
		buf = ledger.Append(buf, &writes[i].Entry)
		wire[i] = buf[from:len(buf):len(buf)]
	}
	for from := 0; from < len(writes); from += batchSize {
		to := min(from+batchSize, len(writes))
		p := putting{ledger: l, writes: writes[from:to], wire: wire[from:to], written: written[from:to]}
		if err := p.run(ctx); err != nil {
			return written, fmt.Errorf("write the ledger: %w", err)
		}
	}
	return written, nil
}

// putting is the writing of one batch.
type putting struct {
	ledger  *Ledger
	writes  []pipeline.Write
	wire    [][]byte
	written []pipeline.Written
	open    []int // whose fate is not known: indices
}

// run writes until the fate of every row is known.
func (p *putting) run(ctx context.Context) error {
	p.open = make([]int, len(p.writes))
	for i := range p.open {
		p.open[i] = i
	}
	way, began := p.ledger.writes.pick(len(p.open)), time.Now()
	for first := true; len(p.open) > 0; first = false {
		doubtful, err := p.send(ctx, way)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if first && len(doubtful) == 0 && err == nil {
			p.ledger.writes.observe(way, len(p.writes), time.Since(began))
		}
		p.open = p.open[:0]
		if len(doubtful) > 0 {
			if err := p.findOut(ctx, doubtful); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		way = singly // what is open still is found out one by one
	}
	return nil
}

// send writes the open rows and returns those that it can't tell the fate of.
func (p *putting) send(ctx context.Context, way way) (doubtful []int, err error) {
	if way == atomically {
		done, err := p.sendBatch(ctx)
		if done {
			return nil, nil
		}
		if err != nil {
			return append(doubtful, p.open...), nil //nolint:nilerr // an unknown fate is found out, not reported
		}
	}
	answers, err := p.ledger.post.send(ctx, len(p.open), func(n int, m *nats.Msg) bool {
		p.fill(n, m)
		return true
	})
	if answers == nil {
		return nil, err
	}
	if errors.Is(err, errNoAnswer) {
		err = nil
	}
	for n := range answers {
		i, a := p.open[n], &answers[n]
		if a.code == 0 {
			p.written[i].Revision = a.seq
			p.ledger.raise(a.seq)
			continue
		}
		doubtful = append(doubtful, i)
		if err == nil && a.code != noAnswer && !a.lost() {
			err = a.err()
		}
	}
	return doubtful, err
}

// fill makes the message of the n-th open row.
func (p *putting) fill(n int, m *nats.Msg) {
	w := &p.writes[p.open[n]]
	m.Subject = p.ledger.prefix + w.Key
	m.Data = p.wire[p.open[n]]
	setHeader(m, expectedLast, strconv.FormatUint(w.Revision, 10))
}

// setHeader sets a header in place, without a new slice for every message.
func setHeader(m *nats.Msg, name, value string) {
	if v := m.Header[name]; len(v) == 1 {
		v[0] = value
		return
	}
	m.Header[name] = []string{value}
}

// sendBatch writes the open rows as one atomic batch: all or none. It reports
// whether all are stored; an error says that nobody knows.
func (p *putting) sendBatch(ctx context.Context) (done bool, err error) {
	n := len(p.open)
	id := nuid.Next()
	answers, err := p.ledger.post.send(ctx, n, func(i int, m *nats.Msg) bool {
		p.fill(i, m)
		setHeader(m, "Nats-Batch-Id", id)
		setHeader(m, "Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < n-1 {
			return false
		}
		setHeader(m, "Nats-Batch-Commit", "1")
		return true
	})
	if err != nil || answers == nil {
		return false, errNoAnswer
	}
	last := answers[n-1]
	if last.code == noAnswer {
		return false, errNoAnswer
	}
	if last.code != 0 {
		return false, nil // none is stored: one by one tells which row it was
	}
	for i, row := range p.open {
		p.written[row].Revision = last.seq - uint64(n-1-i)
	}
	p.ledger.raise(last.seq)
	return true, nil
}

// findOut reads doubtful rows: their own value is written, the one that they
// were to replace makes them open again, any other means lost.
func (p *putting) findOut(ctx context.Context, doubtful []int) error {
	keys := make([]ledger.Key, len(doubtful))
	for n, i := range doubtful {
		keys[n] = p.writes[i].Key
	}
	revisions := make([]uint64, len(doubtful))
	stored := make([][]byte, len(doubtful))
	err := p.ledger.look(ctx, keys, func(n int, data []byte, revision uint64) error {
		revisions[n], stored[n] = revision, data
		return nil
	})
	if err != nil {
		return err
	}
	for n, i := range doubtful {
		switch {
		case revisions[n] == p.writes[i].Revision:
			p.open = append(p.open, i)
		case bytes.Equal(stored[n], p.wire[i]):
			p.written[i].Revision = revisions[n]
			p.ledger.raise(revisions[n])
		default:
			p.written[i].Lost = true
		}
	}
	return nil
}
