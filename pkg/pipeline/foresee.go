package pipeline

import (
	"container/heap"
	"context"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
)

// foreseen is all that is kept of an event while a later one of its customer is
// known to come: fold reaches beyond what memory holds. Its loan stays open until
// what follows has come. If that is newer, the event is superseded; if it is not,
// or never comes, the newest state that the stream keeps is read in its place.
type foreseen struct {
	mark        ledger.Mark
	feed        *feed
	position    uint64
	until       uint64 // the sequence of what follows
	timeVersion bool
	again       bool
	over        bool
}

func (p *foreseen) loan() loan { return loan{p.feed, p.position, true} }

const (
	// foreseenSize is about what is kept of an event, with its key and its place.
	foreseenSize = 200
	// maxAwaiting is how many messages of a feed may be outstanding for further
	// events to be put off: they hold up what is settled behind them.
	maxAwaiting = maxOutstanding / 3
	// maxRecalls is how many states are read at once.
	maxRecalls = 32
)

// awaited tells when something foreseen is over.
type awaited struct {
	until uint64
	key   ledger.Key
}

// awaitedHeap has what is over first in front. What was foreseen may have gone, or
// wait for something later by now.
type awaitedHeap []awaited

func (h awaitedHeap) Len() int           { return len(h) }
func (h awaitedHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h awaitedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *awaitedHeap) Push(x any)        { *h = append(*h, x.(awaited)) }
func (h *awaitedHeap) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = awaited{}
	*h = (*h)[:last]
	return a
}

// foresees reports whether an event may be put off: then it is not rendered.
// Deletions never are, since what follows must not cross them.
func (d *Destination) foresees(m *Message, r *row) bool {
	return m.Cause == Live && m.Later > m.Seq && !r.delete && d.States != nil && !d.crammed.Load()
}

// follow brings an event together with what was foreseen to be followed by it,
// puts it off if it is to be followed itself, or gives it to its customer.
func (d *Destination) follow(f *feed, key ledger.Key, r *row) {
	p, there := d.foreseen[key]
	// Who is here may have a call that can still arrive: what comes has to be beside it.
	alone := d.customers[key] == nil
	switch {
	case r.cause != Live || r.outside: // has no place in the feed's order of versions
	case !there && r.later > 0 && alone && d.canForesee() && f.window.outstanding() < maxAwaiting:
		heap.Push(&f.awaited, awaited{r.later, key})
		d.used += foreseenSize
		d.putOff(key, r)
		return
	case !there:
	case p.timeVersion != r.timeVersion:
		// Whether they can be ordered is seen where both are whole, in their order.
		d.forget(key)
		d.recall(key, p, r)
		return
	case r.mark.Compare(p.mark) < 0:
		d.late(key, nil)
		p.again, p.over = p.again || r.again, p.over || r.again
		p.until = max(p.until, r.later)
		d.foreseen[key] = p
		d.supersede(r.loans)
		return
	default:
		r.again, r.over = r.again || p.again, p.over || p.again
		d.supersede([]loan{p.loan()})
		if r.later > 0 && alone {
			d.putOff(key, r)
			return
		}
		d.forget(key)
	}
	if r.later > 0 {
		r = d.whole(key, r)
	}
	d.admit(f.shard, key, r)
}

// putOff keeps of an event what has to be known when the next one comes.
func (d *Destination) putOff(key ledger.Key, r *row) {
	l := r.loans[0]
	d.foreseen[key] = foreseen{
		mark: r.mark, feed: l.feed, position: l.position, until: r.later, timeVersion: r.timeVersion, again: r.again, over: r.over,
	}
}

// forget takes out something foreseen.
func (d *Destination) forget(key ledger.Key) {
	delete(d.foreseen, key)
	d.used -= foreseenSize
}

// canForesee reports whether a further event may be put off. Together they take
// half of the memory at most: the rest is for rows.
func (d *Destination) canForesee() bool { return len(d.foreseen)*foreseenSize < d.Window/2 }

// whole renders an event that was to be put off.
func (d *Destination) whole(key ledger.Key, r *row) *row {
	var ev events.Event
	made := d.read(&Message{Seq: r.mark.Seq, Key: key, Data: r.event, At: r.at, Event: r.mark.Seq, Again: r.again}, &ev, time.Now())
	made.over, made.one = r.over, r.one
	made.loans = made.one[:]
	return made
}

// nothingCame recalls what is foreseen at a feed that brings nothing new any more.
func (d *Destination) nothingCame(f *feed) {
	if f.quiet++; f.quiet > 1 { // once may be a connection that broke
		d.overdue(f, true)
	}
}

// overdue recalls what was foreseen to be followed by something that a feed has
// passed. Where a feed is held up for long, or at its end, everything is.
func (d *Destination) overdue(f *feed, ended bool) {
	ended = ended || f.window.outstanding() >= maxOutstanding/2
	for len(f.awaited) > 0 && (ended || f.awaited[0].until <= f.window.last()) {
		a := heap.Pop(&f.awaited).(awaited)
		p, there := d.foreseen[a.key]
		switch {
		case !there:
		case !ended && p.until > f.window.last():
			heap.Push(&f.awaited, awaited{p.until, a.key})
		default:
			d.forget(a.key)
			d.recall(a.key, p, nil)
		}
	}
	d.crammed.Store(!d.canForesee())
}

// recalled is something foreseen in whose place the newest state is to be read.
type recalled struct {
	key ledger.Key
	foreseen
	then *row // the event that came next, which is to come after it; nil: none
}

func (d *Destination) recall(key ledger.Key, p foreseen, then *row) {
	d.recalls = append(d.recalls, recalled{key, p, then})
}

// recallAll reads newest states while there is room for them.
func (d *Destination) recallAll() {
	for len(d.recalls) > 0 && d.recalling < maxRecalls && d.used < d.Window {
		p := d.recalls[0]
		if d.recalls = d.recalls[1:]; len(d.recalls) == 0 {
			d.recalls = nil
		}
		if p.feed.shard.leaving {
			continue
		}
		d.recalling++
		var newest Message
		d.wg.Go(func() {
			done := d.insist(d.work, "read a newest state", func(ctx context.Context) (err error) {
				newest, err = d.States.Newest(ctx, p.key)
				return err
			})
			d.post(func() {
				d.recalling--
				if done && !p.feed.shard.leaving {
					d.comeBack(p, newest)
				}
			})
		})
	}
}

// comeBack takes in the newest state in the place of something foreseen.
func (d *Destination) comeBack(p recalled, newest Message) {
	if newest.Data == nil {
		d.supersede([]loan{p.loan()}) // there is no such customer any more
	} else {
		var ev events.Event
		r := d.read(&newest, &ev, time.Now())
		r.again = true // an earlier owner may have been lent it
		r.over = p.over || p.again && r.mark != p.mark
		r.one[0] = p.loan()
		r.loans = r.one[:]
		d.admit(p.feed.shard, p.key, r)
	}
	if r := p.then; r != nil {
		if r.later > 0 {
			r = d.whole(p.key, r)
		}
		d.admit(p.feed.shard, p.key, r)
	}
}

// unforesee leaves what is foreseen in a leaving shard to its next owner.
func (d *Destination) unforesee(s *shard) {
	for key, p := range d.foreseen {
		if p.feed.shard == s {
			d.forget(key)
		}
	}
	for _, f := range s.feeds {
		f.awaited = nil
	}
	d.crammed.Store(!d.canForesee())
}
