package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nuid"
)

// ErrShardLost says that somebody else took the shard over.
var ErrShardLost = errors.New("the shard was taken over by another worker")

const cursorKey = "cursor."

// cursor keeps a shard's Cursor stored while the shard is owned. Whoever opens
// it later makes its writes fail.
type cursor struct {
	post    *post
	subject string
	owner   string // a name of its own, by which it knows what it has stored

	writing  sync.Mutex // held while a write is under way
	revision uint64
	stored   Cursor
	lost     bool

	mu      sync.Mutex // guards what the feeds have told
	told    Cursor
	found   Cursor // as the owner before left it
	reached Cursor // its Settled is up to where messages were lent in fact

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
	c := &cursor{post: s.post, subject: workersPrefix + place.cursor(), owner: nuid.Next(), changed: make(chan struct{}, 1)}
	// Stored as it is: from now on a former owner's write fails. One that it sent
	// before may come in between.
	for {
		var err error
		if c.stored, c.revision, err = s.readCursor(ctx, place); err != nil {
			return nil, err
		}
		if err = c.write(ctx, c.stored); err == nil {
			break
		}
		if !errors.Is(err, ErrShardLost) {
			return nil, fmt.Errorf("cursor of shard %s: %w", place, err)
		}
		c.lost = false
	}
	c.told, c.found, c.reached = c.stored.clone(), c.stored.clone(), c.stored.clone()
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
	of(&c.reached).Settled = max(of(&c.reached).Settled, seq)
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

// ownedCursor is a cursor as it is stored: with whose it was.
type ownedCursor struct {
	Cursor
	Owner string `json:"owner,omitempty"`
}

// write stores the value by compare-and-set. A lost answer is looked up. What this
// owner has stored before, in a write whose answer it did not wait for, is nobody
// else's.
func (c *cursor) write(ctx context.Context, value Cursor) error {
	data, err := json.Marshal(ownedCursor{value, c.owner})
	if err != nil {
		return err
	}
	for {
		a, err := c.post.one(ctx, compareAndSet(c.subject, c.revision, data))
		switch {
		case err == nil && !a.lost():
			if err := a.err(); err != nil {
				return err
			}
			c.revision, c.stored = a.seq, value
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		kept, revision, getErr := c.post.last(ctx, workersStream, c.subject)
		if getErr != nil {
			return getErr
		}
		if revision == c.revision {
			return errors.Join(err, errNoAnswer) // not stored, or not yet
		}
		var now ownedCursor
		if err := json.Unmarshal(kept, &now); err != nil || now.Owner != c.owner {
			c.lost = true
			return ErrShardLost
		}
		if c.revision = revision; bytes.Equal(kept, data) {
			c.stored = value
			return nil
		}
	}
}

// close stores what was told last and ends.
func (c *cursor) close(ctx context.Context) error {
	c.stop()
	c.wg.Wait()
	c.mu.Lock()
	for i := range c.told.Events {
		c.told.Events[i].Lent = c.lentInFact(ofEvents(i))
	}
	c.told.Wakeups.Lent = c.lentInFact(ofWakeups)
	c.mu.Unlock()
	return c.save(ctx)
}

// lentInFact is up to where a feed's messages may have been lent: what this owner
// was lent and not what was noted ahead, and what owners before may have been lent
// and is not settled.
func (c *cursor) lentInFact(of func(*Cursor) *Progress) uint64 {
	lent := of(&c.reached).Settled
	if found := of(&c.found).Lent; of(&c.told).Settled < found {
		lent = max(lent, found)
	}
	return lent
}
