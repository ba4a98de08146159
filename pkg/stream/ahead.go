package stream

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ahead looks over what a reader has still to read, without bodies, so that a
// message is lent with the knowledge of a later one of its customer. It does so
// while much waits and customers recur in it, and costs nothing otherwise. It is
// used by whoever uses the reader; others may ask it what it knows.
type ahead struct {
	js      jetstream.JetStream
	reader  *reader
	horizon int // messages that are known in advance

	left    uint64 // messages beyond what was seen
	looking bool
	weighed bool   // whether customers recur is decided
	resume  uint64 // the sequence before which it is not looked again

	mu   sync.Mutex
	seed maphash.Seed
	last map[uint64]uint64 // by a key's hash, the last message of it that was seen; nil: nothing is looked at
}

const (
	// aheadFrom is which part of the horizon has to wait for it to be looked at.
	aheadFrom = 32
	// fewAhead are never worth it.
	fewAhead = 512
	// aheadReach is how far it is looked in advance, over all partitions.
	aheadReach = 1 << 17
	// aheadPause is how many times that is passed over where few customers recur.
	aheadPause = 8
	// aheadBytes are read at once.
	aheadBytes = 128 << 10
	// recurring is one in how many messages has to be a customer's further one.
	recurring = 20
)

// newAhead looks ahead of readers of these filters, so many messages.
func (s *Streams) newAhead(name string, filters []string, horizon int) *ahead {
	return &ahead{
		js: s.js, horizon: horizon, seed: maphash.MakeSeed(),
		reader: &reader{nc: s.nc, stream: Customers, filters: filters, name: name + "-ahead", headers: true, drain: true},
	}
}

// tell fills in what is known of later messages. The messages are the last that
// the reader read, and so many wait behind them.
func (a *ahead) tell(ctx context.Context, messages []pipeline.Message, waiting uint64) {
	if len(messages) == 0 {
		return
	}
	a.look(ctx, messages[0].Seq, waiting)
	a.mark(messages, true)
}

// mark fills in what is known by now. What is lent in order is then forgotten.
func (a *ahead) mark(messages []pipeline.Message, forget bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return
	}
	for i := range messages {
		m := &messages[i]
		h := maphash.String(a.seed, m.Key)
		switch last, seen := a.last[h]; {
		case seen && last > m.Seq:
			m.Later = last
		case seen && forget:
			delete(a.last, h)
		}
	}
}

// note takes in a message that was seen, and reports whether its customer recurs.
func (a *ahead) note(m *nats.Msg, seq uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := maphash.String(a.seed, m.Subject[len(customersPrefix):])
	_, again := a.last[h]
	a.last[h] = seq
	return again
}

// keep begins to keep what is seen, or forgets it all.
func (a *ahead) keep(last map[uint64]uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = last
}

// look sees that the horizon is seen from the message on which is the first to be
// lent now. What fails is left: nothing rests on it.
func (a *ahead) look(ctx context.Context, first, waiting uint64) {
	if a.looking && first >= a.reader.next {
		a.rest(first) // all that was seen is lent
	}
	if !a.looking {
		if waiting < uint64(max(a.horizon/aheadFrom, fewAhead)) || first < a.resume {
			return
		}
		if !a.recur(ctx) {
			a.resume = first + aheadReach
			return
		}
		a.keep(make(map[uint64]uint64))
		a.looking, a.weighed, a.left = true, false, waiting
		a.reader.next = first
	}
	known := func() int { return int(waiting - min(a.left, waiting)) }
	if a.left == 0 || known() > a.horizon*3/4 {
		return
	}
	seen, again := 0, 0
	var err error
	for before := -1; err == nil && seen > before && a.left > 0 && known() < a.horizon && seen < a.horizon; {
		before = seen
		err = a.reader.read(ctx, aheadBytes, func(m *nats.Msg, d delivery) {
			if a.note(m, d.seq) {
				again++
			}
			a.left = d.pending
			seen++
		})
	}
	switch {
	case err != nil:
		a.rest(first + aheadReach)
	case !a.weighed && again*recurring < seen:
		a.rest(first + aheadPause*aheadReach)
	case a.left == 0 || seen == 0:
		a.left = 0
		a.reader.rest()
	}
	a.weighed = true
}

// recur reports whether customers have several messages in the stream.
func (a *ahead) recur(ctx context.Context) bool {
	stream, err := a.js.Stream(ctx, Customers)
	if err != nil {
		return false
	}
	state := &stream.CachedInfo().State
	return state.Msgs-min(state.NumSubjects, state.Msgs) >= state.Msgs/recurring
}

// rest gives up what was seen. Nothing before the sequence is looked at again.
func (a *ahead) rest(resume uint64) {
	if a.looking {
		a.keep(nil)
	}
	a.looking, a.resume = false, resume
	a.reader.rest()
}

// close ends the looking ahead.
func (a *ahead) close() {
	a.rest(0)
	a.reader.close()
}
