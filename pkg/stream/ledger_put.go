package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// batchSize is what the server takes as one atomic batch.
const batchSize = 1000

// Put stores entries. No key may be there twice.
func (l *Ledger) Put(ctx context.Context, writes []pipeline.Write) ([]pipeline.Written, error) {
	written := make([]pipeline.Written, len(writes))
	wire := make([][]byte, len(writes))
	buf := l.takeBuffer(entryRoom * len(writes))
	defer func() { l.buffers.Put(&buf) }()
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

// entryRoom is about what an entry takes.
const entryRoom = 320

// takeBuffer returns an empty buffer of an earlier Put, or a new one.
func (l *Ledger) takeBuffer(size int) []byte {
	if b, ok := l.buffers.Get().(*[]byte); ok && cap(*b) >= size {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
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
