package pipeline

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

var (
	schedules = flag.Int("schedules", 400, "random schedules of faults to try")
	from      = flag.Uint64("from", 0, "the first one's seed")
)

// plainRenderer sends version and validity as they are in the event's note:
// "bad" breaks a rule before sending, "out" is not admitted.
type plainRenderer struct{}

func (plainRenderer) Render(ev *events.Event) (Rendered, error) {
	note := ev.Customer.Note.V
	r := Rendered{Admitted: note != "out"}
	if ev.Type == events.Deleted {
		return r, nil
	}
	r.Body = fmt.Appendf(nil, `{"v":%d,"note":%q}`, ev.Version, note)
	r.Hash = sinks.Hash(r.Body)
	if note == "bad" {
		r.Errors = []sinks.FieldError{{Field: "note", Message: "must not be bad"}}
	}
	return r, nil
}

// provider is a stand-in that creates, updates and deletes by its own ids, and
// that misbehaves by chance.
type provider struct {
	*world
	quiet   bool    // no faults any more
	chaos   float64 // share of calls that go wrong
	holds   map[string]*held
	applied map[string][]int64 // versions in the order in which they took effect, with late ones
	created map[string]int
	nextID  int
	wrong   []string // broken promises seen
	calls   int
	rows    int
	flights map[string]bool
}

type held struct {
	id      string
	note    string
	version int64
	sentAt  time.Time
}

func (p *provider) Limits() sinks.Limits { return sinks.Limits{MaxRows: 10} }

func (p *provider) Lane(r *sinks.Row) sinks.Lane {
	switch {
	case r.Delete:
		return sinks.Lane{Name: "delete", MaxRows: 1}
	case r.ProviderID != "":
		return sinks.Lane{Name: "update"}
	case r.Doubt:
		return sinks.Lane{Name: "lookup", MaxRows: 3, Once: true}
	}
	return sinks.Lane{Name: "create", Once: true}
}

func (p *provider) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	p.mu.Lock()
	p.calls++
	p.rows += len(rows)
	for _, r := range rows {
		if p.flights[r.Customer] {
			p.wrong = append(p.wrong, r.Customer+" in two calls at once")
		}
		p.flights[r.Customer] = true
	}
	fault := -1
	if !p.quiet && p.rng.Float64() < p.chaos {
		fault = p.rng.IntN(11)
	}
	took := time.Duration(p.rng.Int64N(int64(200 * time.Millisecond)))
	pick := p.rng.IntN(len(rows))
	late := time.Duration(p.rng.Int64N(int64(4 * time.Second)))
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		for _, r := range rows {
			delete(p.flights, r.Customer)
		}
		p.mu.Unlock()
	}()
	sleep(ctx, took)
	if ctx.Err() != nil {
		if late > took { // on its way when its worker was killed
			copied := append([]sinks.Row(nil), rows...)
			go func() {
				pass(late)
				p.applyLate(copied)
			}()
		}
		return nil, ctx.Err()
	}
	switch fault {
	case 0: // refused at the door
		return nil, &retry.Error{Code: "http_503", Unsent: true, Over: true}
	case 1:
		return nil, &retry.Error{Class: retry.After, Wait: 3 * time.Second, Code: "http_429", Unsent: true, Over: true}
	case 2:
		return nil, &retry.Error{Class: retry.Blocked, Code: "http_401", Unsent: true, Over: true}
	case 3: // applied, the answer lost
		p.apply(rows)
		return nil, &retry.Error{Code: "reset"}
	case 4: // applied later than anything that is sent meanwhile
		copied := append([]sinks.Row(nil), rows...)
		go func() {
			pass(late)
			p.applyLate(copied)
		}()
		return nil, &retry.Error{Code: "reset"}
	case 5: // not applied, and nobody knows
		return nil, &retry.Error{Code: "reset"}
	case 6: // one row's verdict left out
		out := p.apply(rows)
		out[pick] = sinks.Outcome{}
		return out, nil
	case 7: // an answer cut in the middle
		return p.apply(rows)[:pick], &retry.Error{Code: "cut", Over: true}
	case 8: // one row fails for now
		out := p.apply(append(append([]sinks.Row(nil), rows[:pick]...), rows[pick+1:]...))
		return append(out[:pick:pick], append([]sinks.Outcome{{Verdict: sinks.Retryable}}, out[pick:]...)...), nil
	case 9: // an error of no known kind
		return nil, fmt.Errorf("who knows")
	case 10: // hangs
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, r := range rows {
		if len(rows) > 1 && body(r).Note == "poison" {
			return nil, &retry.Error{Class: retry.Permanent, Code: "http_400", Unsent: true, Over: true}
		}
	}
	return p.apply(rows), nil
}

type rowBody struct {
	V    int64  `json:"v"`
	Note string `json:"note"`
}

func body(r sinks.Row) (b rowBody) {
	_ = json.Unmarshal(r.Body, &b)
	return b
}

// applyLate lets a call take effect whose caller has long given it up: what it
// would update may be gone by then.
func (p *provider) applyLate(rows []sinks.Row) {
	for _, r := range rows {
		p.mu.Lock()
		gone := r.ProviderID != "" && p.holds[r.Customer] == nil
		p.mu.Unlock()
		if !gone {
			p.apply([]sinks.Row{r})
		}
	}
}

func (p *provider) apply(rows []sinks.Row) []sinks.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]sinks.Outcome, len(rows))
	for i, r := range rows {
		h := p.holds[r.Customer]
		switch note := body(r).Note; {
		case r.Delete:
			delete(p.holds, r.Customer)
			p.applied[r.Customer] = append(p.applied[r.Customer], -r.Version)
			out[i].Verdict = sinks.Delivered
		case note == "reject" || note == "poison":
			out[i] = sinks.Outcome{Verdict: sinks.Rejected, Message: "no " + note}
		case r.ProviderID != "" || r.Doubt && h != nil:
			if h == nil {
				h = &held{id: r.ProviderID}
				p.holds[r.Customer] = h
			}
			h.version, h.note, h.sentAt = r.Version, body(r).Note, time.Now()
			p.applied[r.Customer] = append(p.applied[r.Customer], r.Version)
			out[i] = sinks.Outcome{Verdict: sinks.Delivered, ProviderID: h.id}
		default:
			if h != nil {
				p.wrong = append(p.wrong, fmt.Sprintf("%s created twice, at versions %d and %d", r.Customer, h.version, r.Version))
			}
			p.nextID++
			p.holds[r.Customer] = &held{id: fmt.Sprint(p.nextID), version: r.Version, note: body(r).Note}
			p.applied[r.Customer] = append(p.applied[r.Customer], r.Version)
			out[i] = sinks.Outcome{Verdict: sinks.Delivered, ProviderID: fmt.Sprint(p.nextID)}
		}
	}
	return out
}

// TestAnyScheduleOfFaults publishes changes of a few customers while stores and
// provider misbehave and workers die, lets it settle, and holds what is there
// against what was published.
func TestAnyScheduleOfFaults(t *testing.T) {
	for seed := range uint64(*schedules) {
		if !t.Run(fmt.Sprintf("seed=%d", *from+seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runSchedule(t, *from+seed, (*from+seed)%2 == 1) })
		}) {
			return
		}
	}
}

// Schedules that once showed something that was mended since.
func TestSchedulesThatFailedOnce(t *testing.T) {
	for _, seed := range []uint64{1533, 2578, 2631, 4608, 4805, 10347, 700369, 702583, 803743, 900919} {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runSchedule(t, seed, true) })
		})
	}
}

// runSchedule runs one schedule. Hard ones have workers with short lives, and a
// provider that is hardly ever well.
func runSchedule(t *testing.T, seed uint64, hard bool) {
	lives, life, chaos := 4, 20*time.Second, []float64{0, 0.1, 0.4}
	if hard {
		lives, life, chaos = 16, 6*time.Second, []float64{0.1, 0.4, 0.7}
	}
	w := newWorld(seed)
	w.flaky = []float64{0, 0.02, 0.1}[w.rng.IntN(3)]
	w.slow = []time.Duration{0, 50 * time.Millisecond, 500 * time.Millisecond}[w.rng.IntN(3)]
	p := &provider{
		world: w, holds: map[string]*held{}, applied: map[string][]int64{}, created: map[string]int{}, flights: map[string]bool{},
		chaos: chaos[w.rng.IntN(3)],
	}
	w.hints = []float64{0, 0.5, 1}[w.rng.IntN(3)]
	w.lies = []float64{0, 0, 0.1, 0.5}[w.rng.IntN(4)]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go w.ring(ctx)

	// A kill is only as bad as it is for real: what is stored stays, calls in
	// flight may be applied, the next owner reads the journal.
	rng := rand.New(rand.NewPCG(seed, 2))
	deaths := rng.IntN(lives)
	newest := map[string]published{}
	go w.mend(ctx, rand.New(rand.NewPCG(seed, 4)))
	publishing := make(chan struct{})
	go func() {
		defer close(publishing)
		publishMany(w, rand.New(rand.NewPCG(seed, 3)), newest)
	}()
	for range deaths {
		stop, halt := context.WithCancel(ctx)
		work, kill := context.WithCancel(ctx)
		graceful := w.chance(2)
		done := make(chan struct{})
		go func() { defer close(done); w.live(stop, work, p) }()
		pass(time.Duration(rng.Int64N(int64(life))))
		if graceful {
			halt()
			<-done
		}
		kill()
		<-done
		halt()
		w.takeOver()
	}
	<-publishing
	stop, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.live(stop, ctx, p) }()
	pass(time.Minute)
	p.mu.Lock()
	p.quiet = true
	w.flaky = 0
	p.mu.Unlock()
	pass(time.Minute)
	w.mu.Lock()
	w.mended = true
	for k := range w.letters {
		w.alarms[k] = Wakeup{Key: k, At: time.Now(), Cause: Replay}
	}
	w.mu.Unlock()
	pass(30 * time.Minute)
	end()
	<-done
	cancel()
	w.check(t, p, newest)
	if got, want := w.counts.Events(), uint64(len(w.events)); deaths == 0 && got != want {
		t.Errorf("the counts are of %d events, %d were published: %+v", got, want, w.counts)
	}
}

// chance is true once in n times.
func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n) == 0
}

type published struct {
	version int64
	note    string
	deleted bool
	seq     uint64
}

func publishMany(w *world, rng *rand.Rand, newest map[string]published) {
	notes := []string{"", "", "", "", "", "same", "bad", "out", "reject", "poison"}
	backlog := rng.IntN(2) * rng.IntN(100) // what waits when the first worker comes
	for i := range 60 + rng.IntN(100) {
		customer := fmt.Sprintf("c%d", rng.IntN(12))
		version := int64(i + 1)
		if rng.IntN(10) == 0 {
			version = int64(rng.IntN(i + 1)) // a late, older one
		}
		note := notes[rng.IntN(len(notes))]
		deleted := rng.IntN(12) == 0
		seq := w.publish(customer, eventJSON(customer, version, deleted, fmt.Sprintf(`,"note":%q`, note)))
		old, ok := newest[customer]
		if n := (published{version, note, deleted, seq}); !ok || version >= old.version {
			newest[customer] = n
		}
		if i >= backlog {
			pass(time.Duration(rng.Int64N(int64(time.Second))))
		}
	}
}

// mend is a person at the dead letters: corrects them, replays them, fills the
// destination anew.
func (w *world) mend(ctx context.Context, rng *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		sleep(ctx, time.Duration(rng.Int64N(int64(4*time.Second))))
		w.mu.Lock()
		keys := slices.Sorted(maps.Keys(w.letters))
		if w.mended || len(keys) == 0 {
			w.mu.Unlock()
			continue
		}
		k := keys[rng.IntN(len(keys))]
		cause := []Cause{Retry, Replay, Backfill}[rng.IntN(3)]
		if cause == Retry {
			w.correct(k, fmt.Sprint("E", n))
		}
		w.alarms[k] = Wakeup{Key: k, At: time.Now(), Cause: cause}
		w.mu.Unlock()
	}
}

// correct does what a person's edit does. The world is locked.
func (w *world) correct(k ledger.Key, id string) {
	l, f := w.letters[k], w.entries[k]
	s := f.Entry.Settled
	patch := fmt.Appendf(nil, `{"note":"mended %s"}`, id)
	as, err := deadletter.Apply(l.Event, patch)
	if err != nil || s == nil || s.Outcome != ledger.Dead || s.Seq != l.Seq {
		return
	}
	end := *s
	end.Edit = id
	f.Entry.Settled = &end
	w.revision++
	w.entries[k] = Found{w.revision, f.Entry}
	if w.edits[k] == nil {
		w.edits[k] = map[string]*deadletter.Edit{}
	}
	w.edits[k][id] = &deadletter.Edit{ID: id, Version: l.Version, Seq: l.Seq, Of: as.Of, Patch: patch}
}

// live runs one worker with two shards.
func (w *world) live(stop, work context.Context, p *provider) {
	d := &Destination{
		Name: "d", Sink: p, Renderer: plainRenderer{}, Ledger: w, Letters: fakeLetters{w}, Alarm: w, Calls: fakeCalls{w}, States: w,
		Batch: Batch{MaxRows: 10, Linger: 50 * time.Millisecond}, Concurrency: 3, Timeout: 5 * time.Second, Cache: 4,
		Retry: retry.Policy{Initial: 200 * time.Millisecond, Max: time.Minute, MaxAttempts: 50},
	}
	lease, end := context.WithCancel(work)
	defer end()
	go func() {
		for shard := range 2 {
			_ = d.Take(lease, Shard{ID: shard, Lease: testLease{lease}, Feeds: w.open(shard, func(k ledger.Key) bool { return int(k[len(k)-1])%2 == shard })})
		}
	}()
	_ = d.Run(stop, work)
	w.counts = d.counts
}

func (w *world) check(t *testing.T, p *provider, newest map[string]published) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wrong := range p.wrong {
		t.Error(wrong)
	}
	for customer, n := range newest {
		k := key(customer)
		entry := w.entries[k].Entry
		letter := w.letters[k]
		h := p.holds[customer]
		switch {
		case entry.Settled == nil || entry.Settled.Version != n.version || entry.Settled.Seq != n.seq:
			t.Errorf("%s: newest is version %d (seq %d), settled %+v", customer, n.version, n.seq, entry.Settled)
		case entry.Settled.Outcome == ledger.Dead && entry.Settled.Edit != "":
			t.Errorf("%s: version %d was corrected by %s and replayed, and is dead", customer, n.version, entry.Settled.Edit)
		case entry.Settled.Outcome == ledger.Dead:
			if letter == nil || letter.Version != n.version {
				t.Errorf("%s: dead at version %d, letter %+v", customer, n.version, letter)
			}
			if n.note != "bad" && n.note != "reject" && n.note != "poison" {
				t.Errorf("%s: version %d (%q) is dead for %s", customer, n.version, n.note, letter.Reason)
			}
		case letter != nil && letter.Version >= entry.Settled.Version:
			t.Errorf("%s: a letter of version %d is open beside the end %s", customer, letter.Version, entry.Settled.Outcome)
		case n.deleted:
			if h != nil {
				t.Errorf("%s: deleted at version %d, the provider has version %d", customer, n.version, h.version)
			}
		case entry.Settled.Outcome == ledger.Delivered || entry.Settled.Outcome == ledger.Unchanged:
			want := n.note
			if id := entry.Settled.Edit; id != "" {
				want = "mended " + id
			}
			if h == nil || h.version != n.version || h.note != want {
				t.Errorf("%s: version %d %q is delivered, the provider has %+v; applied %v", customer, n.version, want, h, p.applied[customer])
			}
		}
		if entry.Waits() {
			t.Errorf("%s: still pending: %+v beside %+v and %+v", customer, entry.Pending, entry.Settled, entry.Held)
		}
	}
	for name, floor := range w.floors {
		if floor < w.lent[name] {
			t.Errorf("%s: settled up to %d of %d lent", name, floor, w.lent[name])
		}
	}
}
