package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// script is a sink that answers as a test says and remembers what it was asked.
type script struct {
	limits sinks.Limits
	took   time.Duration // of every call
	lane   func(sinks.Row) sinks.Lane
	answer func(n int, rows []sinks.Row) ([]sinks.Outcome, error) // n counts from 1; nil: all is delivered
	hold   chan struct{}                                          // not nil: calls wait until it is closed

	mu    sync.Mutex
	calls []asked
	most  int // calls at once
	now   int
}

type asked struct {
	at   time.Time
	rows []sinks.Row
}

func (s *script) Limits() sinks.Limits { return s.limits }

func (s *script) Lane(row *sinks.Row) sinks.Lane {
	if s.lane == nil {
		return sinks.Lane{}
	}
	return s.lane(*row)
}

func (s *script) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	s.mu.Lock()
	s.calls = append(s.calls, asked{time.Now(), slices.Clone(rows)})
	n := len(s.calls)
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	sleep(ctx, s.took)
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		return allTaken(rows), nil
	}
	return answer(n, rows)
}

// say changes the answer while the loop runs.
func (s *script) say(answer func(int, []sinks.Row) ([]sinks.Outcome, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *script) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *script) count() int { return len(s.asked()) }

// atOnce is how many calls were under way at the same time, since reset.
func (s *script) atOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

func (s *script) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = 0
}

func allTaken(rows []sinks.Row) []sinks.Outcome {
	outcomes := make([]sinks.Outcome, len(rows))
	for i := range rows {
		outcomes[i] = sinks.Outcome{Verdict: sinks.Delivered, ProviderID: "id-" + rows[i].Customer}
	}
	return outcomes
}

// sent lists what was sent, one "customer:version" a row with "!" for doubt and
// "-" for a deletion, one entry a call.
func (s *script) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sent []string
	for _, call := range s.calls {
		var words []string
		for _, r := range call.rows {
			word := fmt.Sprintf("%s:%d", r.Customer, r.Version)
			if r.Delete {
				word += "-"
			}
			if r.Doubt {
				word += "!"
			}
			words = append(words, word)
		}
		sent = append(sent, strings.Join(words, " "))
	}
	return sent
}

func (s *script) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var times []time.Time
	for _, call := range s.calls {
		times = append(times, call.at)
	}
	return times
}

// rig is a loop with one shard in a world that works unless a test breaks it.
type rig struct {
	*world
	t    *testing.T
	sink *script
	d    *Destination

	stop, kill context.CancelFunc
	lease      context.CancelFunc
	done       chan struct{}
	ringing    context.CancelFunc
}

// inWorld runs a test in virtual time. What the test leaves running is stopped.
func inWorld(t *testing.T, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{world: newWorld(1), t: t, sink: &script{}}
		ctx, cancel := context.WithCancel(t.Context())
		r.ringing = cancel
		go r.ring(ctx)
		r.d = r.destination()
		defer cancel()
		defer r.end()
		test(r)
	})
}

func (r *rig) destination() *Destination {
	return &Destination{
		Name: "d", Sink: r.sink, Renderer: plainRenderer{}, Ledger: r.world, Letters: fakeLetters{r.world},
		Alarm: r.world, Calls: fakeCalls{r.world}, States: r.world,
		Batch: Batch{Linger: 50 * time.Millisecond}, Timeout: 10 * time.Second,
		Retry: retry.Policy{Initial: time.Second, Max: time.Minute, Jitter: -1},
	}
}

// start lets the loop run with all customers in one shard.
func (r *rig) start() {
	stop, halt := context.WithCancel(context.Background())
	work, kill := context.WithCancel(context.Background())
	lease, lose := context.WithCancel(work)
	r.stop, r.kill, r.lease, r.done = halt, kill, lose, make(chan struct{})
	d, done := r.d, r.done
	go func() {
		defer close(done)
		if err := d.Run(stop, work); err != nil {
			r.t.Error(err)
		}
	}()
	if err := d.Take(stop, Shard{ID: 0, Lease: testLease{lease}, Feeds: r.open(0, func(ledger.Key) bool { return true })}); err != nil {
		r.t.Errorf("Take: %v", err)
	}
}

// halt stops the loop gracefully and reports how long it took.
func (r *rig) halt() time.Duration {
	r.t.Helper()
	began := time.Now()
	r.stop()
	select {
	case <-r.done:
	case <-time.After(time.Hour):
		r.t.Errorf("the loop has not ended an hour after its stop: %d shards", len(r.d.shards))
	}
	return time.Since(began)
}

// end ends whatever runs.
func (r *rig) end() {
	if r.done == nil {
		return
	}
	r.stop()
	r.kill()
	<-r.done
	r.done = nil
}

// restart kills the loop and lets another worker take over.
func (r *rig) restart() {
	r.end()
	r.takeOver()
	r.d = r.destination()
	r.start()
}

// changed publishes a version of a customer; the note tells the renderer and the
// sink what to make of it.
func (r *rig) changed(customer string, version int64, note string) {
	r.publish(customer, eventJSON(customer, version, false, fmt.Sprintf(`,"note":%q`, note)))
}

func (r *rig) deleted(customer string, version int64) {
	r.publish(customer, eventJSON(customer, version, true, ""))
}

func (r *rig) many(n int, note string) {
	for i := range n {
		r.changed(fmt.Sprintf("c%d", i), 1, note)
	}
}

// wait lets virtual time pass.
func (r *rig) wait(d time.Duration) {
	sleep(context.Background(), d)
	synctest.Wait()
}

func (r *rig) entry(customer string) ledger.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[key(customer)].Entry
}

func (r *rig) hold(customer string, e ledger.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revision++
	r.entries[key(customer)] = Found{r.revision, e}
}

// wake lets a wake-up fire now.
func (r *rig) wake(w Wakeup) {
	w.At = time.Now()
	if err := r.Set(context.Background(), []Wakeup{w}); err != nil {
		r.t.Error(err)
	}
}

// floor is up to where the events are settled.
func (r *rig) floor() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.floors["events-0"]
}

// waiting is how many wake-ups are set.
func (r *rig) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.alarms)
}

// delay makes every store call take up to so long.
func (r *rig) delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow = d
}

// letter says why a customer is dead; empty: no letter is open.
func (r *rig) letter(customer string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.letters[key(customer)]; l != nil {
		return string(l.Reason)
	}
	return ""
}

// outcome is the last end of a customer, as "outcome version".
func (r *rig) outcome(customer string) string {
	if s := r.entry(customer).Settled; s != nil {
		return fmt.Sprint(s.Outcome, " ", s.Version)
	}
	return ""
}

func (r *rig) wantSent(want ...string) {
	r.t.Helper()
	if got := r.sink.sent(); !slices.Equal(got, want) {
		r.t.Errorf("sent\n%q, want\n%q", got, want)
	}
}

func (r *rig) wantOutcome(customer, want string) {
	r.t.Helper()
	if got := r.outcome(customer); got != want {
		r.t.Errorf("%s ended as %q, want %q", customer, got, want)
	}
}

func (r *rig) wantLetter(customer, want string) {
	r.t.Helper()
	if got := r.letter(customer); got != want {
		r.t.Errorf("%s has the letter %q, want %q", customer, got, want)
	}
}

// wantSettled says that every message lent was settled.
func (r *rig) wantSettled() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, lent := range r.lent {
		if r.floors[name] < lent {
			r.t.Errorf("%s: settled up to %d, lent up to %d", name, r.floors[name], lent)
		}
	}
}

func (r *rig) gate() GateState { return r.d.Snapshot().Gate.State }
