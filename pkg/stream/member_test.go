package stream

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

func join(t testing.TB, s *Streams) *Member {
	t.Helper()
	m, err := s.Join(testContext(t), "host.example", time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Leave(testContext(t)) })
	return m
}

// die ends a membership as SIGKILL would: nobody is told.
func die(m *Member) {
	m.stopOnce.Do(func() { close(m.stop) })
	m.wg.Wait()
}

func TestShardHasOneOwner(t *testing.T) {
	_, s := open(t, Config{Partitions: 2})
	place := lay(t, s, "d", 2)
	a, b := join(t, s), join(t, s)
	lease, err := a.Take(testContext(t), place)
	if err != nil {
		t.Fatal(err)
	}
	if !lease.Held() || lease.Context().Err() != nil {
		t.Error("the lease is not held just after it was taken")
	}
	if _, err := b.Take(testContext(t), place); !errors.Is(err, ErrTaken) {
		t.Errorf("another member: got error %v, want %v", err, ErrTaken)
	}
	if _, err := b.Take(testContext(t), Place{"d", 1, 2, 1}); err != nil {
		t.Errorf("another shard: %v", err)
	}
	if err := lease.Release(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if lease.Held() || lease.Context().Err() == nil {
		t.Error("the lease is held after it was released")
	}
	if _, err := b.Take(testContext(t), place); err != nil {
		t.Errorf("after the release: %v", err)
	}
}

func TestMembershipIsRenewedAndShown(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{})
	stats := func() json.RawMessage { return json.RawMessage(`{"d":1}`) }
	m, err := s.Join(testContext(t), "", time.Second, stats)
	if err != nil {
		t.Fatal(err)
	}
	first := *m.renewed.Load()
	until(t, "it was renewed beyond its TTL", func() bool { return m.renewed.Load().Sub(first) > 1200*time.Millisecond })
	board, err := s.Board(testContext(t))
	if err != nil || string(board.Members[m.ID()].Stats) != `{"d":1}` || !m.Held() {
		t.Errorf("got board %+v and error %v, want the member with its stats", board, err)
	}
	if err := m.Leave(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if board, err = s.Board(testContext(t)); err != nil || len(board.Members) != 0 || m.Held() {
		t.Errorf("after Leave: got board %+v and error %v", board, err)
	}
}

func TestDeadMembersShardIsTaken(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	a, b := join(t, s), join(t, s)
	lease, err := a.Take(testContext(t), place)
	if err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	die(a)
	until(t, "the other one takes the shard", func() bool {
		_, err := b.Take(testContext(t), place)
		if err != nil && !errors.Is(err, ErrTaken) {
			t.Fatal(err)
		}
		return err == nil
	})
	if took := time.Since(died); took > 4*time.Second {
		t.Errorf("it took %v, with a TTL of a second", took)
	}
	if lease.Held() {
		t.Error("the dead one holds its lease still")
	}
	// It comes back, and finds out.
	if err := a.renew(testContext(t)); !errors.Is(err, ErrMemberLost) {
		t.Errorf("a renewal that comes too late: got error %v, want %v", err, ErrMemberLost)
	}
}

func TestMembershipEndsWithoutAServer(t *testing.T) {
	t.Parallel()
	server, s := open(t, Config{Partitions: 1})
	m := join(t, s)
	server.Stop()
	until(t, "the membership ends", func() bool { return m.Context().Err() != nil })
	if m.Held() {
		t.Error("it is held still")
	}
	server.Restart()
	until(t, "the worker joins anew", func() bool {
		_, err := s.Join(testContext(t), "", time.Second, nil)
		return err == nil
	})
}

func TestRenewalWhoseAnswerGotLost(t *testing.T) {
	_, s := open(t, Config{})
	m := join(t, s)
	die(m)
	m.revision-- // as if the last renewal had never been answered
	if m.revision == 0 {
		m.revision = 1 << 40
	}
	if err := m.renew(testContext(t)); !errors.Is(err, errAdopted) {
		t.Fatalf("got error %v, want %v", err, errAdopted)
	}
	if err := m.renew(testContext(t)); err != nil {
		t.Errorf("the next: %v", err)
	}
}

func TestSince(t *testing.T) {
	now := time.Now()
	if got := since(now.Add(-time.Second), now); got != time.Second {
		t.Errorf("got %v, want 1s", got)
	}
	// The wall clock went on while the monotonic one stood still.
	asleep := now.Round(0).Add(time.Hour)
	if got := since(now, asleep); got != time.Hour {
		t.Errorf("after a sleep: got %v, want 1h", got)
	}
}

func TestChangesTellOfTheBoard(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	changed := make(chan struct{}, 100)
	ctx := testContext(t)
	ended := make(chan struct{})
	runCtx, stop := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		s.Changes(runCtx, func() { changed <- struct{}{} })
	}()
	wait := func(what string, cond func(*Board) bool) {
		t.Helper()
		for {
			b, err := s.Board(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if cond(b) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				t.Fatalf("nobody told that %s", what)
			}
		}
	}
	wait("it began", func(b *Board) bool { return b.Layouts["d"].Shards == 1 })
	m := join(t, s)
	wait("a member came", func(b *Board) bool { return len(b.Members) == 1 })
	if _, err := m.Take(ctx, place); err != nil {
		t.Fatal(err)
	}
	wait("a shard was taken", func(b *Board) bool {
		return len(b.Leases) == 1 && b.Leases[0] == LeaseRecord{"d", 1, 0, m.ID()}
	})
	if err := s.Pause(ctx, "d", Paused{Note: "night"}); err != nil {
		t.Fatal(err)
	}
	wait("it was paused", func(b *Board) bool { return b.Paused["d"].Note == "night" })
	if was, err := s.Resume(ctx, "d"); err != nil || !was {
		t.Errorf("Resume: got %v and error %v", was, err)
	}
	wait("it was resumed", func(b *Board) bool { return len(b.Paused) == 0 })
	if err := s.SetGate(ctx, "d", Gate{State: "outage"}); err != nil {
		t.Fatal(err)
	}
	wait("the gate closed", func(b *Board) bool { return b.Gates["d"].State == "outage" })
	die(m)
	wait("the member died", func(b *Board) bool { return len(b.Members) == 0 })
	stop()
	<-ended
}

func TestCallsOfADeadMemberAreInDoubt(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 4})
	place := lay(t, s, "d", 2)
	a, b := join(t, s), join(t, s)
	ctx := testContext(t)
	l := openLedger(t, s)
	keys := []ledger.Key{"0.acme.ended", "1.acme.open", "1.acme.closed", "3.acme.other"}
	putAll(t, l, keys[:1], nil, 5)
	row := func(i int) pipeline.CallRow { return pipeline.CallRow{Key: keys[i], Version: 5, Seq: 5} }
	over := time.Now().Add(time.Minute).UTC().Truncate(time.Millisecond)
	calls := a.Calls("d")
	for slot, c := range [][]pipeline.CallRow{{row(0), row(1), row(3)}, {row(2)}} {
		if err := calls.Open(ctx, slot, pipeline.OpenCall{Until: over, Rows: c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := calls.Close(ctx, []int{1}); err != nil {
		t.Fatal(err)
	}
	die(a)
	until(t, "the member is dead", func() bool {
		alive, err := s.alive(ctx, a.ID())
		return err == nil && !alive
	})
	check := func(place Place, want ...bool) {
		t.Helper()
		if err := b.Doubt(ctx, place, l); err != nil {
			t.Fatal(err)
		}
		found, err := l.Get(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range found {
			p := f.Entry.Pending
			if doubt := p != nil && p.Doubt && p.Version == 5 && p.Next.Equal(over); doubt != want[i] {
				t.Errorf("%s: got entry %+v, want it in doubt %v", keys[i], f.Entry, want[i])
			}
		}
	}
	check(place, false, true, false, false)
	check(place, false, true, false, false) // again
	check(Place{"d", 1, 2, 1}, false, true, false, true)
	if left, err := s.records(ctx, callKey+">"); err != nil || len(left) != 0 {
		t.Errorf("got journal %v and error %v, want it empty", left, err)
	}
}
