package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go/jetstream"
)

// workedOn is a destination with two customers, both settled at version 1.
func workedOn(t *testing.T, s *Streams) Place {
	t.Helper()
	place := lay(t, s, "d", 1)
	if err := s.Vet(testContext(t), "d"); err != nil {
		t.Fatal(err)
	}
	l := openLedger(t, s)
	settle(t, s, place, func(shard *Shard) {
		for _, customer := range []string{"a", "b"} {
			publish(t, s, "acme", customer, 1)
			putAll(t, l, []ledger.Key{key(s, "acme", customer)}, nil, 1)
		}
		for i, lent := range lendAll(t, shard, 2) {
			for _, m := range lent {
				shard.Feeds[i].Settle(m.Seq)
			}
		}
	})
	if err := s.Vet(testContext(t), "d"); err != nil {
		t.Fatalf("nothing was done to it: %v", err)
	}
	return place
}

// settle works on a shard as its owner.
func settle(t *testing.T, s *Streams, place Place, work func(*Shard)) {
	t.Helper()
	shard := openShard(t, s, place)
	work(shard)
	if err := shard.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func recreate(t *testing.T, s *Streams, name string) {
	t.Helper()
	if err := s.js.DeleteStream(testContext(t), name); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testContext(t), s.nc, s.config); err != nil {
		t.Fatal(err)
	}
}

func TestStreamsThatAreOthersAreForeign(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(t *testing.T, s *Streams)
		want string // of the reason; empty: it is not
	}{
		"more was published": {func(t *testing.T, s *Streams) { publish(t, s, "acme", "c", 1) }, ""},
		"the ledger was emptied": {func(t *testing.T, s *Streams) {
			purgeAll(t, s, ledgerStream)
		}, "KV_LEDGER was emptied"},
		"the ledger was made anew":    {func(t *testing.T, s *Streams) { recreate(t, s, ledgerStream) }, "KV_LEDGER is not the one of before"},
		"the customers were purged":   {func(t *testing.T, s *Streams) { purgeAll(t, s, Customers) }, ""},
		"the customers are others":    {func(t *testing.T, s *Streams) { recreate(t, s, Customers) }, "CUSTOMERS is not the one of before"},
		"the wake-ups were made anew": {func(t *testing.T, s *Streams) { recreate(t, s, Wakeups) }, "WAKEUPS is not the one of before"},
		"the customers are others, and nobody remembers the old ones": {func(t *testing.T, s *Streams) {
			forgetOrigin(t, s)
			recreate(t, s, Customers)
		}, "CUSTOMERS was put back to an earlier state, or made anew"},
		"the ledger is of others": {func(t *testing.T, s *Streams) {
			recreate(t, s, workersStream)
			recreate(t, s, Customers)
			lay(t, s, "d", 1)
		}, "CUSTOMERS was put back to an earlier state, or made anew"},
		"all are new": {func(t *testing.T, s *Streams) {
			for _, name := range []string{workersStream, Customers, ledgerStream, Wakeups} {
				recreate(t, s, name)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := open(t, Config{Partitions: 2})
			workedOn(t, s)
			tt.do(t, s)
			err := s.Vet(testContext(t), "d")
			var foreign *Foreign
			switch {
			case tt.want == "" && err == nil:
			case tt.want == "" || !errors.As(err, &foreign):
				t.Errorf("got error %v, want %q", err, tt.want)
			case !strings.Contains(foreign.Reason, tt.want):
				t.Errorf("got reason %q, want %q", foreign.Reason, tt.want)
			}
		})
	}
}

func purgeAll(t *testing.T, s *Streams, name string) {
	t.Helper()
	stream, err := s.js.Stream(testContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(testContext(t), jetstream.WithPurgeSubject(">")); err != nil {
		t.Fatal(err)
	}
}

func forgetOrigin(t *testing.T, s *Streams) {
	t.Helper()
	if err := s.purge(testContext(t), workersStream, workersPrefix+originKey+"d", 0); err != nil {
		t.Fatal(err)
	}
}

func TestStreamThatWasPutBackIsForeign(t *testing.T) {
	made := time.Now().UTC()
	before := mark{made, 7}
	for _, tt := range []struct {
		before, now mark
		seen        uint64
		want        string
	}{
		{before, mark{made, 7}, 7, ""},
		{before, mark{made, 8}, 8, ""},
		{before, mark{made, 6}, 0, "put back"},
		{before, mark{made, 7}, 8, "put back"},
		{before, mark{made.Add(time.Second), 9}, 0, "not the one of before"},
		{mark{}, mark{made, 7}, 7, ""},
		{mark{}, mark{made, 7}, 8, "put back"},
	} {
		if got := tt.before.differs(tt.now, tt.seen); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%v, now %v, seen %d: got %q, want %q", tt.before, tt.now, tt.seen, got, tt.want)
		}
	}
}

func TestWhatIsForeignCanBeAccepted(t *testing.T) {
	for _, name := range []string{ledgerStream, Customers, Wakeups} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := open(t, Config{Partitions: 2})
			place := workedOn(t, s)
			recreate(t, s, name)
			m := join(t, s)
			lease, err := m.Take(testContext(t), place)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Accept(testContext(t), "d"); !errors.Is(err, ErrOwned) {
				t.Errorf("while it is owned: got error %v, want %v", err, ErrOwned)
			}
			if err := lease.Release(testContext(t)); err != nil {
				t.Fatal(err)
			}
			accepted, err := s.Accept(testContext(t), "d")
			if err != nil || accepted == nil {
				t.Fatalf("got %v and error %v, want what was accepted", accepted, err)
			}
			if err := s.Vet(testContext(t), "d"); err != nil {
				t.Errorf("after it was accepted: %v", err)
			}
			if again, err := s.Accept(testContext(t), "d"); err != nil || again != nil {
				t.Errorf("again: got %v and error %v, want nothing to accept", again, err)
			}
			// All that the stream has now is read anew.
			publish(t, s, "acme", "a", 2)
			publish(t, s, "acme", "b", 2)
			want := 2
			if name != Customers {
				want = 4
			}
			place.Generation++
			settle(t, s, place, func(shard *Shard) { lendAll(t, shard, want) })
		})
	}
}

// A destination that is worked on while others look is never foreign.
func TestVetBesideWork(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 1})
	place := workedOn(t, s)
	ctx, stop := context.WithCancel(testContext(t))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := errors.Join(s.Vet(ctx, "d"), s.Remember(ctx, "d")); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}()
	settle(t, s, place, func(shard *Shard) {
		for i := range 200 {
			publish(t, s, "acme", "c", int64(i+1))
			for _, m := range lend(t, shard.Feeds[0], 1) {
				shard.Feeds[0].Settle(m.Seq)
			}
			if err := shard.cursor.save(testContext(t)); err != nil {
				t.Fatal(err)
			}
		}
	})
	stop()
	<-done
}
