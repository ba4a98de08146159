package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// ErrShardLost says that somebody else took the shard over.
var ErrShardLost = errors.New("the shard was taken over by another worker")

// ErrNoShard says that the shard was never laid out.
var ErrNoShard = errors.New("the shard is not laid out")

// Place names one shard of one destination. Generation counts the changes of
// the number of shards.
type Place struct {
	Destination string
	Generation  int
	Shards      int // of the destination in this generation; it divides the number of partitions
	ID          int // 0 to Shards-1
}

func (p Place) String() string {
	return p.Destination + "-" + strconv.Itoa(p.Generation) + "-" + strconv.Itoa(p.ID)
}

func (p Place) cursor() string {
	return cursorKey + p.Destination + "." + strconv.Itoa(p.Generation) + "." + strconv.Itoa(p.ID)
}

// partitions are those of the shard: from the first up to, not including, the last.
func (p Place) partitions(all int) (first, last int) {
	return p.ID * all / p.Shards, (p.ID + 1) * all / p.Shards
}

const cursorKey = "cursor."

// Cursor is how far a shard is, in the sequences of its two streams.
type Cursor struct {
	Events  []Progress `json:"events"` // by partition, from the shard's first
	Wakeups Progress   `json:"wakeups"`
}

// Of is how far the partition of a customer of this shard is.
func (c *Cursor) Of(key ledger.Key) Progress {
	// A shard begins at a multiple of its number of partitions.
	return c.Events[partitionOf(key)%len(c.Events)]
}

func (c *Cursor) clone() Cursor { return Cursor{slices.Clone(c.Events), c.Wakeups} }

func (c *Cursor) equal(o *Cursor) bool {
	return c.Wakeups == o.Wakeups && slices.Equal(c.Events, o.Events)
}

// Position is a place in the streams: what lies behind it is of no interest.
// The zero Position is before everything.
type Position struct{ Events, Wakeups uint64 }

// cursor is that of a shard which has so many partitions and begins here.
func (p Position) cursor(partitions int) Cursor {
	return Cursor{slices.Repeat([]Progress{{Settled: p.Events}}, partitions), Progress{Settled: p.Wakeups}}
}

// Progress is how far one of a shard's feeds is. Lent is at or above all that
// an owner may have been lent.
type Progress struct {
	Settled uint64 `json:"settled"`
	Lent    uint64 `json:"lent"`
}

// cursor keeps a shard's Cursor stored while the shard is owned. Whoever opens
// it later makes its writes fail.
type cursor struct {
	post    *post
	subject string

	writing  sync.Mutex // held while a write is under way
	revision uint64
	stored   Cursor
	lost     bool

	mu   sync.Mutex // guards what the feeds have told
	told Cursor

	changed chan struct{}
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

const (
	cursorPause = 200 * time.Millisecond // between writes of settled
	// lentStep is how far ahead lending is noted, so that it costs a write in a
	// long while. After a take-over so many events are taken for lent at most.
	lentStep = 1 << 16
)

// openCursor reads a shard's cursor and takes it over.
func (s *Streams) openCursor(ctx context.Context, place Place) (*cursor, error) {
	c := &cursor{post: s.post, subject: workersPrefix + place.cursor(), changed: make(chan struct{}, 1)}
	var err error
	if c.stored, c.revision, err = s.readCursor(ctx, place); err != nil {
		return nil, err
	}
	c.told = c.stored.clone()
	// Stored as it is: from now on a former owner's write fails.
	if err := c.write(ctx, c.stored); err != nil {
		return nil, fmt.Errorf("cursor of shard %s: %w", place, err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.wg.Go(func() { c.run(running) })
	return c, nil
}

// settle notes progress, to be stored soon.
func (c *cursor) settle(of func(*Cursor) *Progress, seq uint64) {
	c.mu.Lock()
	p := of(&c.told)
	p.Settled = max(p.Settled, seq)
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// lend makes sure that messages up to seq are noted as lent before they are.
func (c *cursor) lend(ctx context.Context, of func(*Cursor) *Progress, seq uint64) error {
	c.mu.Lock()
	p := of(&c.told)
	if seq <= p.Lent {
		c.mu.Unlock()
		return nil
	}
	before := p.Lent
	p.Lent = seq + lentStep
	c.mu.Unlock()
	err := c.save(ctx)
	if err != nil {
		c.mu.Lock()
		p.Lent = before
		c.mu.Unlock()
	}
	return err
}

// storedSettled is how far a feed is settled for certain.
func (c *cursor) storedSettled(of func(*Cursor) *Progress) uint64 {
	c.writing.Lock()
	defer c.writing.Unlock()
	return of(&c.stored).Settled
}

// run stores what was settled, every now and then.
func (c *cursor) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-c.changed:
		case <-ctx.Done():
			return
		}
		if err := c.save(ctx); err != nil && !errors.Is(err, ErrShardLost) {
			c.again() // tried again after the pause; nothing is lost but the time of repeats
		}
		pause.Reset(cursorPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *cursor) again() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// save stores what was told.
func (c *cursor) save(ctx context.Context) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	told := c.told.clone()
	c.mu.Unlock()
	if c.lost {
		return ErrShardLost
	}
	if told.equal(&c.stored) {
		return nil
	}
	return c.write(ctx, told)
}

// write stores the value by compare-and-set. A lost answer is looked up.
func (c *cursor) write(ctx context.Context, value Cursor) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	a, err := c.post.one(ctx, compareAndSet(c.subject, c.revision, data))
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil || a.lost() {
		kept, revision, getErr := c.post.last(ctx, workersStream, c.subject)
		switch {
		case getErr != nil:
			return getErr
		case revision == c.revision:
			return err // not stored, and nobody else's
		case !bytes.Equal(kept, data):
			c.lost = true
			return ErrShardLost
		}
		a = answer{seq: revision}
	}
	if err := a.err(); err != nil {
		return err
	}
	c.revision, c.stored = a.seq, value
	return nil
}

// close stores what was told last and ends.
func (c *cursor) close(ctx context.Context) error {
	c.stop()
	c.wg.Wait()
	return c.save(ctx)
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

// Cursor returns how far a shard is, as it is stored.
func (s *Streams) Cursor(ctx context.Context, place Place) (Cursor, error) {
	c, _, err := s.readCursor(ctx, place)
	return c, err
}

func (s *Streams) readCursor(ctx context.Context, place Place) (c Cursor, revision uint64, err error) {
	data, revision, err := s.post.last(ctx, workersStream, workersPrefix+place.cursor())
	switch {
	case err != nil:
	case len(data) == 0:
		err = ErrNoShard
	default:
		err = json.Unmarshal(data, &c)
	}
	first, last := place.partitions(s.config.Partitions)
	if err == nil && len(c.Events) != last-first {
		err = fmt.Errorf("it tells of %d partitions, the shard has %d", len(c.Events), last-first)
	}
	if err != nil {
		return Cursor{}, 0, fmt.Errorf("cursor of shard %s: %w", place, err)
	}
	return c, revision, nil
}
