package stream

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// branch is where one partition's events come from: the trunk, or its own reader.
type branch struct {
	trunk     *Trunk // nil: there is none
	own       *reader
	ahead     *ahead // of what is read alone
	partition int
	filled    chan struct{} // told when the trunk brought something, or brings no more

	// Guarded by the trunk.
	next     uint64 // what comes next from here on
	attached bool   // the trunk brings all from next on
	waiting  []pipeline.Message
	size     int // bytes of what waits
}

// join makes the branch of a partition, in place of one that was there.
func (t *Trunk) join(partition int, own *reader, ahead *ahead) *branch {
	b := &branch{trunk: t, own: own, ahead: ahead, partition: partition, next: own.next}
	if t == nil {
		return b
	}
	b.filled = make(chan struct{}, 1)
	t.mu.Lock()
	t.joined = time.Now()
	if before := t.branches[partition]; before != nil {
		t.detach(before)
	}
	t.branches[partition] = b
	t.mu.Unlock()
	return b
}

// leave ends the branch, and the trunk with it: not all partitions are open any more.
func (b *branch) leave() {
	b.own.close()
	b.ahead.close()
	t := b.trunk
	if t == nil {
		return
	}
	t.mu.Lock()
	if t.branches[b.partition] == b {
		t.branches[b.partition] = nil
		t.running = false
		for _, other := range t.branches {
			if other != nil {
				t.detach(other)
			}
		}
	}
	t.detach(b)
	t.mu.Unlock()
	select {
	case t.turn <- struct{}{}:
		t.reader.close()
		t.ahead.close()
		<-t.turn
	default: // whoever is reading closes it
	}
}

// read waits until there is something and appends it, in order and without gaps.
// Nothing and no error means that nothing came for a while.
func (b *branch) read(ctx context.Context, maxBytes int, into []pipeline.Message) ([]pipeline.Message, error) {
	for b.trunk != nil {
		b.trunk.begin()
		messages, attached := b.take(maxBytes, into)
		if !attached {
			if b.trunk.gathers(ctx, b) {
				continue
			}
			break
		}
		if len(messages) > len(into) {
			b.own.rest()
			b.ahead.rest(0)
			return messages, nil
		}
		select {
		case <-b.filled:
		case b.trunk.turn <- struct{}{}:
			came, err := b.trunk.read(ctx, b)
			<-b.trunk.turn
			if err != nil || !came {
				return into, err
			}
		case <-ctx.Done():
			return into, ctx.Err()
		}
	}
	return b.alone(ctx, maxBytes, into)
}

// take takes what waits, and says whether the trunk brings the partition's events.
func (b *branch) take(maxBytes int, into []pipeline.Message) ([]pipeline.Message, bool) {
	t := b.trunk
	t.mu.Lock()
	defer t.mu.Unlock()
	size, n := 0, 0
	for n < len(b.waiting) && size < maxBytes {
		size += weight(&b.waiting[n])
		n++
	}
	if n > 0 {
		into = append(into, b.waiting[:n]...)
		b.next = b.waiting[n-1].Seq + 1
		b.drop(n)
	}
	return into, b.attached
}

// drop removes the first that wait.
func (b *branch) drop(n int) {
	size := 0
	for i := range b.waiting[:n] {
		size += weight(&b.waiting[i])
	}
	rest := copy(b.waiting, b.waiting[n:])
	clear(b.waiting[rest:])
	b.waiting = b.waiting[:rest]
	b.size -= size
	b.trunk.size -= size
}

// alone reads the partition's events by its own reader, and sees whether it has
// caught up with the trunk then.
func (b *branch) alone(ctx context.Context, maxBytes int, into []pipeline.Message) ([]pipeline.Message, error) {
	if b.own.next != b.next {
		b.own.rest()
		b.own.next = b.next
	}
	before, waiting := len(into), uint64(0)
	err := b.own.read(ctx, maxBytes, func(m *nats.Msg, d delivery) {
		into = append(into, asMessage(m, d))
		waiting = d.pending
	})
	if b.catchesUp() {
		b.trunk.ahead.mark(into[before:], false)
	} else {
		b.ahead.tell(ctx, into[before:], waiting)
	}
	if b.trunk == nil {
		b.next = b.own.next
		return into, err
	}
	t := b.trunk
	t.mu.Lock()
	defer t.mu.Unlock()
	b.next = b.own.next
	// The trunk may have brought the same meanwhile.
	n, _ := slices.BinarySearchFunc(b.waiting, b.next, func(m pipeline.Message, next uint64) int { return cmp.Compare(m.Seq, next) })
	b.drop(n)
	if t.running && !b.attached && t.branches[b.partition] == b && b.next >= t.from && b.next > t.passed[b.partition] {
		b.attached = true
	}
	return into, err
}

// catchesUp reports whether the trunk reads for others meanwhile: it is soon to
// read for this one too.
func (b *branch) catchesUp() bool {
	if b.trunk == nil {
		return false
	}
	b.trunk.mu.Lock()
	defer b.trunk.mu.Unlock()
	return b.trunk.running
}

// rewind goes back to a message that was handed out.
func (b *branch) rewind(seq uint64) {
	if b.trunk == nil {
		b.next = seq
		return
	}
	b.trunk.mu.Lock()
	defer b.trunk.mu.Unlock()
	b.trunk.detach(b)
	b.next = seq
}

func asMessage(m *nats.Msg, d delivery) pipeline.Message {
	return pipeline.Message{Seq: d.seq, Key: m.Subject[len(customersPrefix):], Data: m.Data, At: d.at, Event: d.seq}
}

// weight is what a message counts for in memory, about.
func weight(m *pipeline.Message) int { return len(m.Data) + len(m.Key) + 1 }

func (b *branch) tell() {
	select {
	case b.filled <- struct{}{}:
	default:
	}
}
