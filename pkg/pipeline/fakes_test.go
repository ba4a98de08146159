package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
)

// world is everything around the loop: the stream, the stores and the clock is
// the bubble's. Its methods take no time unless slow is set, and fail by chance
// when flaky is.
type world struct {
	mu      sync.Mutex
	rng     *rand.Rand
	flaky   float64       // share of store calls that fail, half of them after taking effect
	slow    time.Duration // up to which a store call takes
	history int           // messages kept per customer; 0: all
	hints   float64       // share of events lent with a later one that is known to come, where one is there
	lies    float64       // share of events lent with one that is not there, or is another customer's

	onLent   func()   // called once, when the first event was lent; nil: nothing is to happen then
	events   []stored // the CUSTOMERS stream
	wakes    []woken  // the wake-ups that fired
	alarms   map[ledger.Key]Wakeup
	entries  map[ledger.Key]Found
	letters  map[ledger.Key]*deadletter.Letter
	edits    map[ledger.Key]map[string]*deadletter.Edit
	reading  atomic.Int32 // edits that are being read
	mended   bool         // the person has gone
	journal  map[int]OpenCall
	floors   map[string]uint64 // per feed, as settled
	lent     map[string]uint64 // per feed, the highest lent
	counts   Counts            // of the last life
	revision uint64
	changed  chan struct{} // closed and replaced when something was published or fired
}

type stored struct {
	key  ledger.Key
	data []byte
	at   time.Time
	gone bool
}

type woken struct {
	Wakeup
	gone bool
}

func newWorld(seed uint64) *world {
	return &world{
		rng: rand.New(rand.NewPCG(seed, 1)), alarms: map[ledger.Key]Wakeup{}, entries: map[ledger.Key]Found{},
		letters: map[ledger.Key]*deadletter.Letter{}, edits: map[ledger.Key]map[string]*deadletter.Edit{}, journal: map[int]OpenCall{}, floors: map[string]uint64{},
		lent: map[string]uint64{}, changed: make(chan struct{}),
	}
}

func (w *world) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

var errStore = errors.New("store away")

// trouble delays a store call and decides its fate.
func (w *world) trouble() (before, after error) {
	w.mu.Lock()
	var wait time.Duration
	if w.slow > 0 {
		wait = time.Duration(w.rng.Int64N(int64(w.slow)))
	}
	fail := w.rng.Float64() < w.flaky
	effect := w.rng.IntN(2) == 0
	w.mu.Unlock()
	pass(wait)
	switch {
	case fail && effect:
		return nil, errStore
	case fail:
		return errStore, nil
	}
	return nil, nil
}

func key(customer string) ledger.Key { return "0.acme." + customer }

func eventJSON(customer string, version int64, deleted bool, extra string) []byte {
	kind := events.Changed
	if deleted {
		kind = events.Deleted
	}
	v := ""
	if version >= 0 {
		v = fmt.Sprintf(`,"version":%d`, version)
	}
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%s-%d","source":"/shops/acme","type":%q,"subject":%q,"time":"2000-01-01T00:00:00Z","data":{"id":%q%s%s}}`,
		customer, version, kind, customer, customer, v, extra)
}

func (w *world) publish(customer string, data []byte) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, stored{key: key(customer), data: data, at: time.Now()})
	if w.history > 0 {
		kept := 0
		for i := len(w.events) - 1; i >= 0; i-- {
			if e := &w.events[i]; e.key == key(customer) && !e.gone {
				if kept++; kept > w.history {
					e.gone = true
				}
			}
		}
	}
	w.signal()
	return uint64(len(w.events))
}

// newest returns the newest decodable state of a customer among what is kept.
func (w *world) newest(k ledger.Key) (data []byte, mark ledger.Mark, at time.Time) {
	for i, e := range w.events {
		if e.key != k || e.gone {
			continue
		}
		m := ledger.Mark{Version: -1, Seq: uint64(i + 1)}
		var ev events.Event
		_, tail, _ := strings.Cut(k, ".")
		shop, customer, _ := strings.Cut(tail, ".")
		if events.Decode(e.data, shop, customer, time.Now(), &ev) == nil {
			m.Version = ev.Version
		}
		if data == nil || m.Compare(mark) > 0 {
			data, mark, at = e.data, m, e.at
		}
	}
	return data, mark, at
}

// eventFeed and wakeFeed are one shard's feeds; which keys belong to the shard
// is the mine function's to say.
type testFeed struct {
	*world
	name string
	mine func(ledger.Key) bool
	wake bool
	next uint64 // position of the next to lend
	seen uint64 // up to here an earlier owner may have been lent
}

func (w *world) open(shard int, mine func(ledger.Key) bool) []Feed {
	var feeds []Feed
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range []string{"events", "wakes"} {
		name := fmt.Sprintf("%s-%d", kind, shard)
		feeds = append(feeds, &testFeed{world: w, name: name, mine: mine, wake: kind == "wakes", next: w.floors[name], seen: w.lent[name]})
	}
	return feeds
}

func (f *testFeed) Fetch(ctx context.Context, maxBytes int) ([]Message, error) {
	if before, after := f.trouble(); cmp.Or(before, after) != nil {
		return nil, errStore
	}
	for {
		f.mu.Lock()
		var lent []Message
		bytes := 0
		for bytes < maxBytes && len(lent) < 50 {
			m, ok := f.take()
			if !ok {
				break
			}
			if m.Key != "" {
				lent = append(lent, m)
				bytes += len(m.Data)
			}
		}
		changed := f.changed
		f.mu.Unlock()
		if len(lent) > 0 {
			return lent, nil
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second): // lent again, as a feed may
			f.mu.Lock()
			if f.floors[f.name] < f.lent[f.name] {
				f.next = f.floors[f.name]
			}
			f.mu.Unlock()
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take lends the next message; an empty key is one that is not this feed's.
func (f *testFeed) take() (Message, bool) {
	f.next++
	seq := f.next
	switch {
	case f.wake && seq <= uint64(len(f.wakes)):
		wk := f.wakes[seq-1]
		if wk.gone || !f.mine(wk.Key) {
			return Message{}, true
		}
		data, mark, at := f.newest(wk.Key)
		f.lent[f.name] = max(f.lent[f.name], seq)
		return Message{Seq: seq, Key: wk.Key, Data: data, At: at, Event: mark.Seq, Cause: wk.Cause, Force: wk.Force, Again: seq <= f.seen}, true
	case !f.wake && seq <= uint64(len(f.events)):
		e := f.events[seq-1]
		if e.gone || !f.mine(e.key) {
			return Message{}, true
		}
		f.lent[f.name] = max(f.lent[f.name], seq)
		m := Message{Seq: seq, Key: e.key, Data: e.data, At: e.at, Event: seq, Again: seq <= f.seen, Later: f.later(seq)}
		if f.onLent != nil {
			f.onLent()
			f.onLent = nil
		}
		return m, true
	}
	f.next--
	return Message{}, false
}

// later is what is known of a later message of the customer, right or wrong.
func (f *testFeed) later(seq uint64) uint64 {
	if f.lies > 0 && f.rng.Float64() < f.lies {
		return seq + 1 + f.rng.Uint64N(20)
	}
	if f.hints == 0 || f.rng.Float64() >= f.hints {
		return 0
	}
	var last uint64
	for i := int(seq); i < len(f.events); i++ {
		if e := f.events[i]; e.key == f.events[seq-1].key && !e.gone {
			last = uint64(i + 1)
		}
	}
	return last
}

func (w *world) Newest(_ context.Context, k ledger.Key) (Message, error) {
	if before, after := w.trouble(); cmp.Or(before, after) != nil {
		return Message{}, errStore
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	data, mark, at := w.newest(k)
	return Message{Seq: mark.Seq, Key: k, Data: data, At: at, Event: mark.Seq}, nil
}

func (f *testFeed) Settle(seq uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rng.Float64() >= f.flaky { // else the telling got lost
		f.floors[f.name] = max(f.floors[f.name], seq)
	}
}

func (w *world) Get(_ context.Context, keys []ledger.Key) ([]Found, error) {
	if before, after := w.trouble(); cmp.Or(before, after) != nil {
		return nil, errStore
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	found := make([]Found, len(keys))
	for i, k := range keys {
		found[i] = w.entries[k]
	}
	return found, nil
}

func (w *world) Put(_ context.Context, writes []Write) ([]Written, error) {
	before, after := w.trouble()
	if before != nil {
		return nil, before
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	written := make([]Written, len(writes))
	for i, x := range writes {
		old := w.entries[x.Key]
		switch {
		case old.Revision == x.Revision:
			w.revision++
			w.entries[x.Key] = Found{w.revision, x.Entry}
			written[i].Revision = w.revision
		case old.Entry == x.Entry: // its own, whose answer got lost
			written[i].Revision = old.Revision
		default:
			written[i].Lost = true
		}
	}
	if after != nil {
		return nil, after
	}
	return written, nil
}

type fakeLetters struct{ *world }

func (w fakeLetters) Open(_ context.Context, l *deadletter.Letter) error {
	before, after := w.trouble()
	if before == nil {
		w.mu.Lock()
		k := fmt.Sprintf("%d.%s.%s", l.Partition, l.Shop, l.Customer)
		if old := w.letters[k]; l.FirstAt.IsZero() && old != nil {
			l.FirstAt = old.FirstAt
		}
		w.letters[k] = l
		w.mu.Unlock()
	}
	return cmp.Or(before, after)
}

func (w fakeLetters) Close(_ context.Context, k ledger.Key, end ledger.Settled) error {
	before, after := w.trouble()
	if before != nil {
		return before
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.letters[k]; l != nil {
		newer := l.Seq > end.Seq
		if l.Ordered() {
			newer = (ledger.Mark{Version: l.Version, Seq: l.Seq}).Compare(ledger.Mark{Version: end.Version, Seq: end.Seq}) > 0
		}
		if newer {
			return after
		}
	}
	delete(w.letters, k)
	for id := range w.edits[k] {
		if id != end.Edit {
			delete(w.edits[k], id)
		}
	}
	return after
}

func (w fakeLetters) Edit(_ context.Context, k ledger.Key, id string) (*deadletter.Edit, error) {
	w.reading.Add(1)
	defer w.reading.Add(-1)
	before, after := w.trouble()
	if err := cmp.Or(before, after); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.edits[k][id], nil
}

func (w *world) Set(_ context.Context, wakeups []Wakeup) error {
	before, after := w.trouble()
	if before == nil {
		w.mu.Lock()
		for _, wk := range wakeups {
			w.alarms[wk.Key] = wk
		}
		w.mu.Unlock()
	}
	return cmp.Or(before, after)
}

// ring fires due wake-ups until ctx ends; of one key only the last fired stays.
func (w *world) ring(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		fired := false
		var due []ledger.Key
		for k, wk := range w.alarms {
			if !wk.At.After(time.Now()) {
				due = append(due, k)
			}
		}
		slices.Sort(due)
		for _, k := range due {
			for i := range w.wakes {
				w.wakes[i].gone = w.wakes[i].gone || w.wakes[i].Key == k
			}
			w.wakes = append(w.wakes, woken{Wakeup: w.alarms[k]})
			delete(w.alarms, k)
			fired = true
		}
		if fired {
			w.signal()
		}
		w.mu.Unlock()
		sleep(ctx, 250*time.Millisecond)
	}
}

type fakeCalls struct{ *world }

func (w fakeCalls) Open(_ context.Context, slot int, call OpenCall) error {
	before, after := w.trouble()
	if before == nil {
		w.mu.Lock()
		w.journal[slot] = call
		w.mu.Unlock()
	}
	return cmp.Or(before, after)
}

func (w fakeCalls) Close(_ context.Context, slots []int) error {
	before, after := w.trouble()
	if before == nil {
		w.mu.Lock()
		for _, slot := range slots {
			delete(w.journal, slot)
		}
		w.mu.Unlock()
	}
	return cmp.Or(before, after)
}

// takeOver marks in the ledger what the journal leaves in doubt, as a shard's
// next owner does.
func (w *world) takeOver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, call := range w.journal {
		for _, r := range call.Rows {
			f := w.entries[r.Key]
			doubted, ok := f.Entry.Doubted(ledger.Mark{Version: r.Version, Seq: r.Seq}, call.At, call.Until)
			if !ok {
				continue
			}
			f.Entry = doubted
			w.revision++
			f.Revision = w.revision
			w.entries[r.Key] = f
		}
	}
	w.journal = map[int]OpenCall{}
}

type testLease struct{ ctx context.Context }

func (l testLease) Context() context.Context { return l.ctx }
func (l testLease) Held() bool               { return l.ctx.Err() == nil }

// pass lets the bubble's time pass.
func pass(d time.Duration) { sleep(context.Background(), d) }
