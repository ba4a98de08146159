package pipeline

import (
	"context"
	"errors"
	"time"
)

// ErrStopped is returned by Take and Release when the loop has ended.
var ErrStopped = errors.New("the destination's loop has ended")

// shard is a leased shard and what the loop has under way for it.
type shard struct {
	Shard
	feeds     []*feed
	cancel    context.CancelFunc // ends the fetching
	leaving   bool               // nothing new is begun for it
	busy      int                // customers in a call or settling
	fetching  int                // feeds that are being read
	released  []chan struct{}    // closed when nothing is under way any more
	abandoned bool               // the lease is lost: nothing is stored for it any more
	taken     time.Time          // when this worker took it over
}

// feed is one of a shard's consumers as the loop sees it.
type feed struct {
	Feed
	shard   *shard
	window  window
	awaited awaitedHeap   // of what is foreseen
	quiet   int           // fetches that brought nothing since something new came
	permit  chan struct{} // lets the fetching go on once
}

// Take hands a leased shard to the loop, which works on it until Release, until
// its lease's context ends, or until Run's stop does.
//
// An error means that the loop does not work on the shard, or, with ctx's error,
// that nobody knows: then the lease has to be given up.
func (d *Destination) Take(ctx context.Context, s Shard) error {
	d.init()
	var refused error
	err := d.call(ctx, func(done chan struct{}) {
		defer close(done)
		switch {
		case d.stopping:
			refused = ErrStopped
		case d.shards[s.ID] != nil:
			refused = errStillHere
		default:
			d.take(s)
		}
	})
	if err != nil {
		return err
	}
	return refused
}

var errStillHere = errors.New("the shard was taken before and is not released yet")

// Release stops all work on a shard and returns when nothing of it is under way
// any more: calls in flight are finished and stored, the rest is left unsettled
// for the next owner. Releasing a shard that is not here does nothing.
func (d *Destination) Release(ctx context.Context, id int) error {
	d.init()
	return d.call(ctx, func(done chan struct{}) {
		s := d.shards[id]
		if s == nil {
			close(done)
			return
		}
		d.release(s, done)
	})
}

// call posts a note and waits until it closes the channel that it is given.
func (d *Destination) call(ctx context.Context, f func(done chan struct{})) error {
	finished := make(chan struct{})
	if !d.post(func() { f(finished) }) {
		return ErrStopped
	}
	select {
	case <-finished:
		return nil
	case <-d.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Destination) take(s Shard) {
	ctx, cancel := context.WithCancel(s.Lease.Context())
	sh := &shard{Shard: s, cancel: cancel, taken: time.Now()}
	d.shards[s.ID] = sh
	for _, f := range s.Feeds {
		fd := &feed{Feed: f, shard: sh, permit: make(chan struct{}, 1)}
		sh.feeds = append(sh.feeds, fd)
		sh.fetching++
		d.wg.Go(func() {
			d.fetch(ctx, fd)
			d.post(func() { d.fetched(fd) })
		})
	}
	d.wg.Go(func() {
		<-ctx.Done()
		if s.Lease.Context().Err() == nil {
			return // released
		}
		d.post(func() {
			if d.shards[s.ID] == sh {
				sh.abandoned = true
				d.release(sh, nil)
			}
		})
	})
}

// fetched notes that a feed is read no more.
func (d *Destination) fetched(f *feed) {
	f.shard.fetching--
	d.finishRelease(f.shard)
}

// release begins the end of a shard: no more fetching, no new calls. Customers
// that only wait are let go at once; rows that had attempts already are handed
// to wake-ups first, so that their attempts are not forgotten.
func (d *Destination) release(s *shard, done chan struct{}) {
	if done != nil {
		s.released = append(s.released, done)
	}
	if !s.leaving {
		s.leaving = true
		s.cancel()
		s.busy++ // it is not released before all of its customers were seen
		d.unforce(s)
		d.unforesee(s)
		for key, c := range d.customers {
			if c.shard == s {
				d.leave(key, c)
			}
		}
		s.busy--
	}
	d.finishRelease(s)
}

// leave lets a customer of a leaving shard go, unless something of it is under
// way. What its next owner can't know goes into the ledger first: attempts that
// were made, and a lost call that may still arrive.
func (d *Destination) leave(key string, c *customer) {
	if c.flight != nil {
		return
	}
	stage := c.stage
	switch stage {
	case parked:
		d.dropParked(c)
	case queued:
		c.lane.forget(c)
	case idle, loading, mending, flying, settling:
	}
	lost := time.Now().Before(c.lost.until)
	if r := c.rows; r != nil && (r.attempts > 0 || lost) && stage != loading && !c.shard.abandoned {
		d.begin(c)
		d.schedule(c, later(later(r.due, c.quiet), c.lost.until))
		return
	}
	for r := c.rows; r != nil; r = r.next {
		d.used -= r.size()
	}
	c.rows = nil
	delete(d.customers, key)
}

// unforce takes a leaving shard's rows out of the halves that wait for their call.
func (d *Destination) unforce(s *shard) {
	for _, b := range d.forced {
		stay := b.customers[:0]
		for _, c := range b.customers {
			if c.shard == s {
				d.back(c)
			} else {
				stay = append(stay, c)
			}
		}
		b.customers = stay
	}
}

// finishRelease ends a shard of which nothing is under way any more.
func (d *Destination) finishRelease(s *shard) {
	if !s.leaving || d.shards[s.ID] != s {
		return
	}
	if !d.abandoned && (s.busy > 0 || s.fetching > 0 || d.slots.closing > 0) {
		return
	}
	d.tellFloors()
	delete(d.shards, s.ID)
	// The entries of a shard that is gone may be written by its next owner.
	for _, key := range d.recent.Keys() {
		if k, ok := d.recent.Peek(key); ok && k.shard == s {
			d.recent.Remove(key)
		}
	}
	for _, done := range s.released {
		close(done)
	}
}

// abandon gives up what is under way once the grace time is over: it is left
// unsettled, and comes again to the next owner.
func (d *Destination) abandon() {
	d.stopping, d.abandoned = true, true
	for _, s := range d.shards {
		s.abandoned = true
		d.release(s, nil)
	}
}

// grant lets feeds fetch while there is room, first those that ask for longest.
// Nothing is set aside for what they may bring: a feed may wait long for nothing.
func (d *Destination) grant() {
	stay := d.asking[:0]
	for _, f := range d.asking {
		switch {
		case f.shard.leaving:
		case d.used >= d.Window || f.window.outstanding() >= maxOutstanding:
			stay = append(stay, f)
		default:
			f.permit <- struct{}{}
		}
	}
	clear(d.asking[len(stay):])
	d.asking = stay
}

// maxOutstanding is how many messages of one feed may be unsettled, or wait
// behind one that is: what a crash makes the next owner look at again.
const maxOutstanding = 16_000

// tellFloors settles what can be settled at each feed.
func (d *Destination) tellFloors() {
	for _, s := range d.shards {
		if s.abandoned {
			continue
		}
		for _, f := range s.feeds {
			if f.window.dirty {
				f.window.dirty = false
				f.Settle(f.window.floor)
			}
		}
	}
}

// fetchPause is how long a feed rests after an outage of the stream.
const fetchPause = time.Second
