package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/pipeline"
)

func TestOpenRefusesOtherPartitions(t *testing.T) {
	server, s := open(t, Config{Partitions: 8})
	if _, err := Open(testContext(t), s.nc, Config{Partitions: 16}); err == nil || !strings.Contains(err.Error(), "set stream.partitions to 8") {
		t.Errorf("got error %v, want one that says what to do", err)
	}
	openAt(t, server.Connect(), Config{Partitions: 8})
	attached, err := Attach(testContext(t), server.Connect())
	if err != nil || attached.Partitions() != 8 {
		t.Errorf("Attach: got %+v and error %v, want 8 partitions", attached, err)
	}
}

func TestAttachCreatesNothing(t *testing.T) {
	if _, err := Attach(testContext(t), newFresh(t)); err == nil || !strings.Contains(err.Error(), "start a worker first") {
		t.Errorf("got error %v, want one that says what to do", err)
	}
}

func TestServerVersion(t *testing.T) {
	for version, ok := range map[string]bool{"2.14.0": true, "2.15.2": true, "3.0.0": true, "2.13.9": false, "1.99.0": false, "": false, "x": false} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("version %q: got error %v, want none: %v", version, err, ok)
		}
	}
}

func TestOversizedEventIsRefused(t *testing.T) {
	_, s := open(t, Config{})
	a, err := s.post.one(testContext(t), rawEvent(512<<10+headerRoom+1))
	if err != nil || a.err() == nil {
		t.Errorf("got answer %+v and error %v, want it refused", a, err)
	}
	if a, err = s.post.one(testContext(t), rawEvent(512<<10)); err != nil || a.err() != nil {
		t.Errorf("the largest: got answer %+v and error %v", a, err)
	}
	shard := openShard(t, s, lay(t, s, "d", 1))
	messages := slices.Concat(lendAll(t, shard, 1)...)
	if got, want := len(messages[0].Data), 512<<10; got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
}

// Changing the number of shards waits for the old ones, and loses nothing.
func TestLayoutChanges(t *testing.T) {
	_, s := open(t, Config{Partitions: 4})
	ctx := testContext(t)
	lay(t, s, "d", 2)
	m := join(t, s)
	owned := Place{"d", 1, 2, 1}
	lease, err := m.Take(ctx, owned)
	if err != nil {
		t.Fatal(err)
	}
	shard := openShard(t, s, owned)
	var seq [4]uint64 // the first event of each partition
	for i := 0; seq[0]*seq[1]*seq[2]*seq[3] == 0; i++ {
		c := fmt.Sprint("c", i)
		n := publish(t, s, "acme", c, 1)
		if p := partitionOf(key(s, "acme", c)); seq[p] == 0 {
			seq[p] = n
		}
	}
	lend(t, shard.Feeds[1], 1)
	shard.Feeds[1].Settle(seq[3])
	if err := shard.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EnsureLayout(ctx, "d", 4, Position{}); !errors.Is(err, ErrLayoutBusy) {
		t.Fatalf("while a shard is owned: got error %v, want %v", err, ErrLayoutBusy)
	}
	if _, err := m.Take(ctx, Place{"d", 1, 2, 0}); !errors.Is(err, ErrLayout) {
		t.Errorf("a free shard of the old layout: got error %v, want %v", err, ErrLayout)
	}
	if err := lease.Release(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := s.EnsureLayout(ctx, "d", 4, Position{})
	if err != nil || l != (Layout{Generation: 2, Shards: 4}) {
		t.Fatalf("got %+v and error %v, want 4 shards in generation 2", l, err)
	}
	if _, err := m.Take(ctx, owned); !errors.Is(err, ErrLayout) {
		t.Errorf("a shard of the old layout: got error %v, want %v", err, ErrLayout)
	}
	for id := range 4 {
		c, err := s.Cursor(ctx, Place{"d", 2, 4, id})
		if err != nil {
			t.Fatal(err)
		}
		want := Progress{}
		if id == 3 {
			want = Progress{Settled: seq[3], Lent: c.Events[0].Lent}
		}
		if c.Events[0] != want || (c.Events[0].Lent < seq[3]) != (id < 3) {
			t.Errorf("shard %d: got %+v, want %+v", id, c.Events[0], want)
		}
	}
	if _, err := m.Take(ctx, Place{"d", 2, 4, 3}); err != nil {
		t.Error(err)
	}
}

func TestBacklogCounts(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 2})
	ctx := testContext(t)
	place := lay(t, s, "d", 1)
	for i := range 10 {
		publish(t, s, "acme", fmt.Sprint("b", i), 1)
	}
	shard := openShard(t, s, place)
	lent := lendAll(t, shard, 10)
	if len(lent[0]) < 2 || len(lent[1]) < 2 {
		t.Fatal("nearly all customers are in one partition: the test tells nothing")
	}
	setAlarm(t, s.Alarm("d"),
		pipeline.Wakeup{Key: "0.acme.x", At: time.Now().AddDate(1, 0, 0), Cause: pipeline.Retry},
		pipeline.Wakeup{Key: "1.acme.y", Cause: pipeline.Retry})
	if err := s.Letters("d").Open(ctx, letter(key(s, "acme", "a"), 1)); err != nil {
		t.Fatal(err)
	}
	check := func(waiting int, oldest time.Time) {
		t.Helper()
		until(t, fmt.Sprintf("%d wait, the oldest since %v", waiting, oldest), func() bool {
			b, err := s.Backlog(ctx, "d", Layout{Generation: 1, Shards: 1})
			if err != nil {
				t.Fatal(err)
			}
			return b.Waiting == uint64(waiting) && b.Retrying == 1 && b.Dead == 1 && b.Oldest.Equal(oldest)
		})
	}
	oldest := func(i int) time.Time { // of what the two partitions hold from the i-th on
		if lent[1][i].Seq < lent[0][i].Seq {
			return lent[1][i].At
		}
		return lent[0][i].At
	}
	check(1+10, oldest(0))
	for i, messages := range lent {
		shard.Feeds[i].Settle(messages[0].Seq)
	}
	check(1+8, oldest(1))
	for i, messages := range lent {
		shard.Feeds[i].Settle(messages[len(messages)-1].Seq)
	}
	check(1, time.Time{})
}

func TestErase(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	ctx := testContext(t)
	l := openLedger(t, s)
	publish(t, s, "acme", "c", 1)
	tombstone := publish(t, s, "acme", "c", 2)
	publish(t, s, "acme", "other", 1)
	putAll(t, l, []string{"0.acme.c", "0.acme.other"}, nil, 2)
	for _, k := range []string{"0.acme.c", "0.acme.other"} {
		if err := s.Letters("d").Open(ctx, letter(k, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Erase(ctx, "0.acme.c", tombstone, []string{"d", "e"}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.count(ctx, Customers, "customers.>"); err != nil || n != 2 {
		t.Errorf("got %d states and error %v, want the tombstone and the other customer's", n, err)
	}
	if n, err := s.count(ctx, DeadLetters, ">"); err != nil || n != 2 {
		t.Errorf("got %d messages and error %v, want the other customer's letter and row", n, err)
	}
}

// A customer may come back while what was deleted is being erased.
func TestEraseLeavesWhatCameAfter(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 1})
	ctx := testContext(t)
	const k = "0.acme.c"
	open := func(version int64) {
		if err := s.Letters("d").Open(ctx, letter(k, version)); err != nil {
			t.Fatal(err)
		}
	}
	tombstone := publish(t, s, "acme", "c", 2)
	open(1)
	stored, err := s.left(ctx)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, s, "acme", "c", 3)
	open(3)
	if err := s.Alarm("d").Set(ctx, []pipeline.Wakeup{{Key: k, At: time.Now().Add(time.Hour), Cause: pipeline.Retry}}); err != nil {
		t.Fatal(err)
	}
	if err := s.erase(ctx, k, tombstone, stored, []string{"d"}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Letters("d").Get(ctx, "acme", "c")
	if err != nil || l == nil || l.Version != 3 {
		t.Errorf("got letter %+v and error %v, want that of version 3", l, err)
	}
	if n, err := s.Retrying(ctx, "d"); err != nil || n != 1 {
		t.Errorf("got %d wake-ups and error %v, want one", n, err)
	}
}

func TestDeadLettersList(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 4})
	ctx := testContext(t)
	l := openLedger(t, s)
	n := 1500 // more than a window
	for i := range n {
		lt := letter(key(s, "acme", fmt.Sprint("c", i)), 7)
		if i%2 == 1 {
			lt.Reason = deadletter.Invalid
		}
		if err := s.Letters("d").Open(ctx, lt); err != nil {
			t.Fatal(err)
		}
	}
	// One was overtaken by a later version, and its letter not closed yet.
	putAll(t, l, []string{key(s, "acme", "c4")}, nil, 8)
	for name, tc := range map[string]struct {
		q    Query
		want int
	}{
		"all":         {Query{}, n - 1},
		"reason":      {Query{Reason: deadletter.Invalid}, n / 2},
		"customer":    {Query{Destination: "d", Shop: "acme", Customer: "c3"}, 1},
		"overtaken":   {Query{Customer: "c4"}, 0},
		"destination": {Query{Destination: "other"}, 0},
		"before":      {Query{Before: letter("0.a.b", 1).LastAt}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := 0
			for l, err := range s.DeadLetters(ctx, tc.q) {
				if err != nil {
					t.Fatal(err)
				}
				if got++; len(l.Event) > 0 || l.Shop != "acme" {
					t.Fatalf("got %+v", l)
				}
			}
			if got != tc.want {
				t.Errorf("got %d letters, want %d", got, tc.want)
			}
		})
	}
	for l, err := range s.DeadLetters(ctx, Query{Bodies: true}) {
		if err != nil || string(l.Event) != `{"a":1}` {
			t.Errorf("got %+v and error %v, want its event", l, err)
		}
		break
	}
}
