// Package pipeline is the destination loop: it takes what a worker's shards
// lend, folds it to the newest version of each customer, checks it against the
// ledger, cuts batches, delivers them, and settles every message exactly once.
//
// Promises: a version older than what the ledger knows is never sent; a customer
// is in one call at a time; what a message rests on (ledger, dead letter,
// wake-up) is stored before the message is settled; a row without a verdict is
// neither settled nor blamed; memory is bounded by Window whatever the backlog.
//
// One goroutine owns all state. Everything else runs beside it and posts what it
// found to the mailbox, so that there is no lock and no order to think about but
// the mailbox's.
package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// OnLeave says what becomes of a customer that the provider holds and that is
// no longer admitted.
type OnLeave uint8

const (
	LeaveUpdate OnLeave = iota // this newest state is still sent
	LeaveDelete                // the customer is deleted at the provider
	LeaveKeep                  // the provider keeps what it has
)

// Batch bounds a batch; zero fields have the defaults given.
type Batch struct {
	MaxRows  int           // 100, and never more than the sink's own limit
	MaxBytes int           // of the request body; 1 MiB, and never more than the sink's own limit
	Linger   time.Duration // how long the first row waits for others; 0: it does not
}

// Destination is one destination's loop on one worker. The fields are set
// before Run and not changed after; those without a default are required.
type Destination struct {
	Name     string
	Sink     sinks.Sink
	Renderer Renderer
	Ledger   Ledger
	Letters  Letters
	Alarm    Alarm
	Calls    Calls
	States   States   // nil: no event is put off because a later one is to come
	Keeper   Keeper   // nil: the stream is left as it is
	Observer Observer // nil: nobody looks

	Batch       Batch
	Concurrency int           // deliveries at once; 4
	Shared      bool          // a Sharer says how much of Concurrency is this worker's; at first nothing
	Timeout     time.Duration // of one call; 30 s. A delivery that makes several has as much for each
	Rate        *Rate         // nil: no limit
	Retry       retry.Policy
	OnLeave     OnLeave

	Window int // bytes of waiting rows from which on no fetch is begun; 8 MiB
	Cache  int // ledger entries kept in memory; 4,096

	mail     chan func()
	done     chan struct{}
	snapshot atomic.Pointer[Snapshot]
	once     sync.Once
	asks     chan struct{} // tells the Sharer that it is to look
	calling  atomic.Int64  // deliveries under way that make calls
	wants    atomic.Int64  // deliveries that wait or are under way
	wanted   atomic.Int64  // the same, the most since it was looked
	crammed  atomic.Bool   // no further event may be put off

	loop
}

// loop is the state that only Run's goroutine touches.
type loop struct {
	work context.Context // ends when calls have to be given up
	wg   sync.WaitGroup  // everything that posts to the mailbox

	shards    map[int]*shard
	customers map[ledger.Key]*customer
	recent    *simplelru.LRU[ledger.Key, known]
	used      int // bytes of rows in memory, and of what is foreseen
	foreseen  map[ledger.Key]foreseen
	recalls   []recalled
	recalling int     // states that are being read for them
	asking    []*feed // feeds that wait for a permit to fetch, in the order in which they asked
	stopping  bool
	abandoned bool

	missing    []*customer // whose ledger entries are to be looked up
	lookups    int         // under way
	gathered   time.Time   // when those that are missing are looked up, however few
	lanes      map[string]*lane
	laneOrder  []*lane
	asked      sinks.Row     // whose lane is asked for
	spare      [][]sinks.Row // of calls that are over, to be used again
	forced     []*batch      // halves of refused batches, the next one last
	inflight   int
	part       int  // how many of them may make calls
	needy      bool // the Sharer was told that there is nothing to use
	slots      slots
	parked     parkedHeap
	parkedSize int

	gate   gate
	refuse refusals
	oks    uint64 // calls that went through

	writes  []*customer // ends that wait for their ledger write
	writers int
	todo    []effect // letters and wake-ups that wait to be stored
	effects int      // under way
	paid    bool     // the right to the next call has been taken
	paidAt  time.Time

	timer  *time.Timer
	counts Counts
}

// known is a ledger entry as last read or written.
type known struct {
	entry    ledger.Entry
	revision uint64
	shard    *shard
}

func (d *Destination) setDefaults() {
	limits := d.Sink.Limits()
	d.Batch.MaxRows = bound(d.Batch.MaxRows, 100, limits.MaxRows)
	d.Batch.MaxBytes = bound(d.Batch.MaxBytes, 1<<20, limits.MaxBytes)
	d.Concurrency = bound(d.Concurrency, 4, 0)
	d.Window = bound(d.Window, 8<<20, 0)
	d.Cache = bound(d.Cache, 4096, 0)
	if d.Timeout <= 0 {
		d.Timeout = 30 * time.Second
	}
	if d.Observer == nil {
		d.Observer = nobody{}
	}
	d.Retry = d.Retry.WithDefaults()
}

// bound returns v, or the default where v is zero, never above limit unless
// limit is zero.
func bound(v, def, limit int) int {
	if v <= 0 {
		v = def
	}
	if limit > 0 {
		v = min(v, limit)
	}
	return v
}

// init makes the channels that Take, Release and the rest use before Run's loop is there.
func (d *Destination) init() {
	d.once.Do(func() {
		d.mail = make(chan func(), 64)
		d.done = make(chan struct{})
		d.asks = make(chan struct{}, 1)
	})
}

// Run delivers until stop ends: then nothing more is fetched or sent, calls in
// flight are finished, what is settled is stored, and the rest is handed back
// by being left unsettled. When work ends, calls in flight are given up too.
// Run returns once nothing of it runs any more; its error is always nil unless
// the Destination is unfit to run.
func (d *Destination) Run(stop, work context.Context) error {
	d.init()
	d.setDefaults()
	recent, err := simplelru.NewLRU[ledger.Key, known](d.Cache, nil)
	if err != nil {
		return err
	}
	work, cancel := context.WithCancel(work)
	defer cancel()
	d.loop = loop{
		work:      work,
		shards:    map[int]*shard{},
		customers: map[ledger.Key]*customer{},
		recent:    recent,
		foreseen:  map[ledger.Key]foreseen{},
		lanes:     map[string]*lane{},
		gate:      newGate(time.Now()),
		timer:     time.NewTimer(time.Hour),
	}
	if !d.Shared {
		d.part = d.Concurrency
	}
	defer d.timer.Stop()
	stopped, ended := stop.Done(), work.Done()
	for {
		d.step()
		if d.stopping && len(d.shards) == 0 {
			break
		}
		select {
		case f := <-d.mail:
			f()
			d.drainMail()
		case <-d.timer.C:
		case <-stopped:
			stopped, d.stopping = nil, true
			for _, s := range d.shards {
				d.release(s, nil)
			}
		case <-ended:
			ended = nil
			d.abandon()
		}
	}
	close(d.done)
	cancel()
	d.quit()
	return nil
}

// drainMail hears what else has come, so that one step serves it all.
func (d *Destination) drainMail() {
	for range cap(d.mail) {
		select {
		case f := <-d.mail:
			f()
		default:
			return
		}
	}
}

// quit waits for everything that posts, hearing and ignoring it.
func (d *Destination) quit() {
	idle := make(chan struct{})
	go func() { d.wg.Wait(); close(idle) }()
	for {
		select {
		case <-d.mail:
		case <-idle:
			return
		}
	}
}

// post hands a note to the loop. It reports false when the loop is gone.
func (d *Destination) post(f func()) bool {
	select {
	case d.mail <- f:
		return true
	case <-d.done:
		return false
	}
}

// step does all that can be done now and sets the timer for what can be later.
func (d *Destination) step() {
	now := time.Now()
	d.recallAll()
	d.unpark(now)
	lookUp := d.lookUp(now)
	d.Rate.close(d.gate.closedUntil())
	next := earliest(d.dispatch(now), lookUp)
	d.tellNeed(now)
	d.flush()
	d.tellFloors()
	d.grant()
	if len(d.parked) > 0 {
		next = earliest(next, d.parked[0].due)
	}
	next = earliest(next, d.publish(now))
	if next.IsZero() {
		d.timer.Stop()
		return
	}
	d.timer.Reset(max(time.Until(next), 0))
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest returns the earlier of two times; zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
