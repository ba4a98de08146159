package stream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// Trunk reads the customers of all partitions once for a destination's feeds and
// shares them out, while all of the destination's partitions are open here: the
// server finds the next event of all in a third of the time that it takes to find
// the next one of a partition. Otherwise, and where a partition's feed falls
// behind the others, each partition's events are read by a consumer of their own.
//
// Nobody drives it: whichever feed has nothing to lend reads for all of them.
type Trunk struct {
	reader  *reader       // used by whoever has the turn
	ahead   *ahead        // as well
	turn    chan struct{} // holds one while somebody has it
	arrived []pipeline.Message
	chunk   int           // bytes in one read for all
	hold    int           // bytes that may wait in branches before the largest one is cut off
	patient time.Duration // how long a branch waits for further partitions to be opened

	mu       sync.Mutex
	branches []*branch // by partition; nil: not open here
	joined   time.Time // when a partition was opened last
	running  bool
	from     uint64   // all that the stream holds from here on was passed, as far as the reader has come
	passed   []uint64 // by partition, the last event that was passed
	size     int      // bytes that wait in branches
}

const (
	trunkChunk = 512 << 10
	trunkHold  = 2 << 20
	// trunkPatience is what opening a shard takes where much is going on. A worker
	// opens those that it is to have one after the other, and what is read alone
	// meanwhile is read again by the trunk.
	trunkPatience = 250 * time.Millisecond
	// trunkReach is how far a partition may be behind most others and still decide
	// where the trunk begins: so many events are read in vain by all others.
	trunkReach = 1 << 16
)

// NewTrunk makes the trunk of one destination. It is not read before all
// partitions were opened with it.
func (s *Streams) NewTrunk(destination string) *Trunk {
	return &Trunk{
		reader:   &reader{nc: s.nc, stream: Customers, name: destination + "-all"},
		ahead:    s.newAhead(destination+"-all", nil, aheadReach),
		turn:     make(chan struct{}, 1),
		chunk:    trunkChunk,
		hold:     trunkHold,
		patient:  trunkPatience,
		branches: make([]*branch, s.config.Partitions),
		passed:   make([]uint64, s.config.Partitions),
	}
}

// detach leaves the branch to its own reader. What waits is read again.
func (t *Trunk) detach(b *branch) {
	b.attached = false
	b.drop(len(b.waiting))
	b.tell()
}

// begin starts the trunk if all partitions are open and it is not running.
func (t *Trunk) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running || slices.Contains(t.branches, nil) {
		return
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	default:
		return // somebody still reads for what it was before
	}
	t.running, t.from = true, t.start()
	clear(t.passed)
	t.reader.rest()
	t.ahead.rest(0)
	t.reader.next = t.from
	for _, b := range t.branches {
		b.attached = b.next >= t.from
		b.tell()
	}
}

// gathers waits while further partitions are being opened, and reports whether
// there is something new to look at.
func (t *Trunk) gathers(ctx context.Context, b *branch) bool {
	t.mu.Lock()
	wait := t.patient - time.Since(t.joined)
	missing := !t.running && slices.Contains(t.branches, nil)
	t.mu.Unlock()
	if !missing || wait <= 0 {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-b.filled:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// start is where the trunk begins: at the partition that is the furthest behind,
// unless it is far behind most.
func (t *Trunk) start() uint64 {
	nexts := make([]uint64, len(t.branches))
	for i, b := range t.branches {
		nexts[i] = b.next
	}
	slices.Sort(nexts)
	most := nexts[len(nexts)/2]
	i, _ := slices.BinarySearch(nexts, most-min(most, trunkReach))
	return nexts[i]
}

// read reads for all, unless something came for this branch before the turn did,
// and reports whether anything came. Whoever calls it has the turn.
func (t *Trunk) read(ctx context.Context, b *branch) (came bool, err error) {
	t.mu.Lock()
	if !b.attached || len(b.waiting) > 0 {
		t.mu.Unlock()
		return true, nil
	}
	if t.size >= t.hold {
		t.detach(slices.MaxFunc(t.branches, func(a, b *branch) int { return a.size - b.size }))
	}
	t.mu.Unlock()
	size, waiting := 0, uint64(0)
	for more := true; more && err == nil && size < t.chunk; {
		more = false
		err = t.reader.read(ctx, t.chunk-size, func(m *nats.Msg, d delivery) {
			t.arrived = append(t.arrived, asMessage(m, d))
			size += weight(&t.arrived[len(t.arrived)-1])
			waiting = d.pending
			more = waiting > 0
		})
	}
	came = len(t.arrived) > 0
	t.ahead.tell(ctx, t.arrived, waiting)
	if !t.share() {
		t.reader.close()
		t.ahead.close()
	}
	return came, err
}

// share gives each branch its events, and reports whether the trunk is still running.
func (t *Trunk) share() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.arrived {
		m := &t.arrived[i]
		p := partitionOf(m.Key)
		if !t.running || p < 0 || p >= len(t.branches) {
			continue
		}
		t.passed[p] = m.Seq
		b := t.branches[p]
		if !b.attached || m.Seq < b.next {
			continue
		}
		if len(b.waiting) == 0 {
			b.tell()
		}
		b.waiting = append(b.waiting, *m)
		b.size += weight(m)
		t.size += weight(m)
	}
	clear(t.arrived)
	t.arrived = t.arrived[:0]
	return t.running
}
