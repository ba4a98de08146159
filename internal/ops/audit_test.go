package ops

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/pipeline"
)

func (f *fleet) audit() *Audit {
	f.t.Helper()
	a, err := f.desk.Audit(testContext(f.t), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, d := range a.Destinations {
		if got := d.InStep + d.Waiting + d.Dead + d.Discarded + d.Filtered + d.Skipped + d.NotOwed + d.Lost + d.Regressed; got != a.Customers {
			f.t.Errorf("%s accounts for %d of %d customers: %+v", d.Name, got, a.Customers, d)
		}
	}
	return a
}

// settled waits until no customer waits at any destination.
func (f *fleet) settled() *Audit {
	f.t.Helper()
	var a *Audit
	until(f.t, "nothing waits", func() bool {
		a = f.audit()
		return a.Waiting == 0
	})
	return a
}

func TestAuditAccountsForAll(t *testing.T) {
	f := newFleet(t, `, when: 'customer.last_name != "Baker"'`)
	for i := range 20 {
		f.publish(fmt.Sprint("a", i), 1, "Adams")
		f.publish(fmt.Sprint("b", i), 1, "Baker")
	}
	f.publish("bad", 1, "")
	f.publish("gone", 1, "")
	if got := f.audit(); got.Waiting != 84 || got.Customers != 42 {
		t.Errorf("before any worker: got %+v, want that all wait", got.Counts)
	}
	f.start()
	f.settled()
	if _, err := f.desk.Discard(testContext(t), Filter{Destination: "one", Customer: "gone"}, Bulk{}); err != nil {
		t.Fatal(err)
	}
	got := f.settled()
	want := []DestinationAudit{
		{"one", Counts{InStep: 40, Dead: 1, Discarded: 1}},
		{"two", Counts{InStep: 20, Filtered: 20, Dead: 2}},
	}
	if !slices.Equal(got.Destinations, want) || len(got.LostCustomers) != 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if all := (Counts{InStep: 60, Dead: 3, Discarded: 1, Filtered: 20}); got.Counts != all {
		t.Errorf("of all: got %+v, want %+v", got.Counts, all)
	}
}

func TestAuditHasTheContractsFields(t *testing.T) {
	f := newFleet(t, "")
	data, err := json.Marshal(f.audit())
	if err != nil {
		t.Fatal(err)
	}
	var form map[string]json.RawMessage
	if err := json.Unmarshal(data, &form); err != nil {
		t.Fatal(err)
	}
	counts := strings.Fields("in_step waiting dead discarded filtered skipped not_owed lost regressed")
	for _, name := range append(counts, "customers", "destinations", "lost_customers") {
		if form[name] == nil {
			t.Errorf("there is no %s in %s", name, data)
		}
	}
	var destinations []map[string]any
	if err := json.Unmarshal(form["destinations"], &destinations); err != nil || len(destinations) != 2 {
		t.Fatalf("got %s", data)
	}
	for _, name := range append(counts, "name") {
		if destinations[0][name] == nil {
			t.Errorf("there is no %s in a destination of %s", name, data)
		}
	}
}

// What is lost is found, whichever way it got lost. Nothing of the product loses
// these: the test removes them behind its back.
func TestAuditFindsWhatIsLost(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	for _, c := range []string{"kept", "entry", "wake"} {
		f.publish(c, 1, "Adams")
	}
	f.publish("letter", 1, "")
	f.settled()
	f.halt()
	js, err := jetstream.New(f.nc)
	if err != nil {
		t.Fatal(err)
	}
	purge := func(name, subject string) {
		t.Helper()
		s, err := js.Stream(testContext(t), name)
		if err == nil {
			err = s.Purge(testContext(t), jetstream.WithPurgeSubject(subject))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	purge("KV_LEDGER", "$KV.LEDGER.one."+f.desk.key("acme", "entry"))
	purge("DEADLETTERS", "deadletters.two.acme.letter")
	got := f.audit()
	want := []LostCustomer{{"one", "acme", "entry", 1}, {"two", "acme", "letter", 1}}
	if slices.SortFunc(got.LostCustomers, func(a, b LostCustomer) int { return strings.Compare(a.Destination, b.Destination) }); !slices.Equal(got.LostCustomers, want) || got.Lost != 2 {
		t.Errorf("got %d lost, %+v, want %+v", got.Lost, got.LostCustomers, want)
	}
	// Somebody comes back to it after all.
	err = f.desk.Streams.Alarm("one").Set(testContext(t), []pipeline.Wakeup{{Key: f.desk.key("acme", "entry"), At: time.Now().Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.audit(); got.Lost != 1 || got.Waiting != 1 {
		t.Errorf("with a wake-up: got %+v, want one lost and one that waits", got.Counts)
	}
}

func TestAuditTellsWhatWentBack(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1, "Adams")
	f.publish("x", 5, "Adams")
	f.settled()
	f.halt()
	js, err := jetstream.New(f.nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(testContext(t), "CUSTOMERS")
	if err != nil {
		t.Fatal(err)
	}
	// As after a backup was played back.
	if err := s.DeleteMsg(testContext(t), 2); err != nil {
		t.Fatal(err)
	}
	if got := f.audit(); got.Regressed != 2 || got.Lost != 0 {
		t.Errorf("got %+v, want two that went back", got.Counts)
	}
}

func TestAuditOwesNothingFromBeforeTheStart(t *testing.T) {
	f := newFleet(t, `, start: new`)
	f.publish("before", 1, "Adams")
	f.start()
	f.becomes("before", "one", InStep)
	until(t, "the destination has begun", func() bool { return f.status("two").State == "running" && len(f.status("two").Shards) == 2 })
	f.publish("after", 1, "Adams")
	got := f.settled()
	want := []DestinationAudit{{"one", Counts{InStep: 2}}, {"two", Counts{InStep: 1, NotOwed: 1}}}
	if !slices.Equal(got.Destinations, want) {
		t.Errorf("got %+v, want %+v", got.Destinations, want)
	}
}

// An audit while all moves finds nothing lost.
func TestAuditWhileWorkersRun(t *testing.T) {
	f := newFleet(t, "")
	f.one.Faults().Set(sandbox.Fault{Kind: sandbox.Status, Status: 503, Share: 0.3})
	f.two.Faults().Set(sandbox.Fault{Kind: sandbox.Reset, Share: 0.3})
	f.start()
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for version := range int64(5) {
			for i := range 60 {
				f.publish(fmt.Sprint("c", i), version+1, fmt.Sprint("Adams", version))
			}
		}
	})
	published := make(chan struct{})
	go func() { publishing.Wait(); close(published) }()
	for done := false; !done; {
		select {
		case <-published:
			done = true
		default:
		}
		if got := f.audit(); got.Lost > 0 || got.Regressed > 0 {
			t.Errorf("got %+v", got)
		}
	}
	f.one.Faults().Clear()
	f.two.Faults().Clear()
	if got := f.settled(); got.InStep != 120 || got.Customers != 60 {
		t.Errorf("in the end: got %+v, want all in step", got.Counts)
	}
}

func TestBackfillSendsWhatDiffers(t *testing.T) {
	f := newFleet(t, `, when: 'customer.last_name != "Baker"'`)
	f.start()
	f.publish("a", 1, "Adams")
	f.publish("b", 1, "Baker")
	f.settled()
	f.halt()
	f.desk.Config.Destination("two").When = ""
	f.start()
	rows := f.two.Book().Counters().Rows
	if got, err := f.desk.Backfill(testContext(t), "two", Bulk{DryRun: true}); err != nil || got != (BackfillResult{"two", 2, 0, true}) {
		t.Errorf("dry: got %+v and error %v", got, err)
	}
	if got, err := f.desk.Backfill(testContext(t), "two", Bulk{Rate: 1000}); err != nil || got != (BackfillResult{"two", 2, 2, false}) {
		t.Errorf("got %+v and error %v", got, err)
	}
	f.becomes("b", "two", InStep)
	f.settled()
	if got := f.two.Book().Counters().Rows - rows; got != 1 {
		t.Errorf("%d rows were sent, want the one that differs", got)
	}
	if _, err := f.desk.Backfill(testContext(t), "none", Bulk{}); err == nil {
		t.Error("to an unknown destination: got no error")
	}
}

// A backfill wakes only so many customers at a time, and says so where nobody works
// them off.
func TestBackfillWaitsForRoom(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	const n = fillAwake + 600
	for i := range n {
		f.publish(fmt.Sprint("c", i), 1, "Adams")
	}
	until(t, "all are in step", func() bool { return f.audit().InStep == 2*n })
	f.halt()
	ctx := testContext(t)
	until(t, "the worker is gone", func() bool {
		board, err := f.desk.Streams.Board(ctx)
		return err == nil && len(board.Members) == 0
	})
	got, err := f.desk.Backfill(ctx, "two", Bulk{})
	var nobody *NobodyWorks
	if !errors.As(err, &nobody) || got.Queued < fillAwake || got.Queued >= n {
		t.Fatalf("got %+v and error %v, want that nobody works", got, err)
	}
	f.start()
	rows := f.two.Book().Counters().Rows
	if got, err := f.desk.Backfill(ctx, "two", Bulk{}); err != nil || got.Queued != n {
		t.Fatalf("got %+v and error %v, want %d queued", got, err, n)
	}
	until(t, "all are looked at", func() bool {
		fired, err := f.desk.Streams.Fired(ctx, "two")
		waits, err2 := f.desk.Streams.Retrying(ctx, "two")
		return err == nil && err2 == nil && fired == 0 && waits == 0
	})
	if got := f.two.Book().Counters().Rows - rows; got != 0 {
		t.Errorf("%d rows were sent, and all are held", got)
	}
	if got := f.audit(); got.InStep != 2*n {
		t.Errorf("got %+v, want all in step", got.Counts)
	}
}
