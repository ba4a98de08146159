package stream

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

func TestFeedLendsInOrder(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	shard := openShard(t, s, place)
	var want []uint64
	for i := range 30 {
		want = append(want, publish(t, s, "acme", fmt.Sprint("c", i), 1))
	}
	messages := lend(t, shard.Feeds[0], 30)
	if got := seqs(messages); !slices.Equal(got, want) {
		t.Errorf("got sequences %v, want %v", got, want)
	}
	m := messages[7]
	if got, want := m.Key, key(s, "acme", "c7"); got != want {
		t.Errorf("got key %q, want %q", got, want)
	}
	if string(m.Data) != string(event("acme", "c7", 1)) || m.Event != m.Seq || m.Cause != pipeline.Live || m.Again || m.At.IsZero() {
		t.Errorf("got %+v", m)
	}
}

func TestFeedHasItsPartitionOnly(t *testing.T) {
	_, s := open(t, Config{Partitions: 8})
	place := lay(t, s, "d", 4)
	place.ID = 2
	shard := openShard(t, s, place)
	if got, want := len(shard.Feeds), 3; got != want {
		t.Fatalf("got %d feeds, want one for each of two partitions, and one of wake-ups", got)
	}
	var want [2][]uint64
	for i := range 60 {
		customer := fmt.Sprint("c", i)
		seq := publish(t, s, "acme", customer, 1)
		if p := partitionOf(key(s, "acme", customer)); p == 4 || p == 5 {
			want[p-4] = append(want[p-4], seq)
		}
	}
	if len(want[0])*len(want[1]) == 0 {
		t.Fatalf("got %v: the test tells nothing", want)
	}
	for i, got := range lendAll(t, shard, len(want[0])+len(want[1])) {
		if got := seqs(got); !slices.Equal(got, want[i]) {
			t.Errorf("partition %d: got sequences %v, want %v", 4+i, got, want[i])
		}
	}
}

// What is settled in one partition says nothing of another.
func TestPartitionsAreSettledApart(t *testing.T) {
	_, s := open(t, Config{Partitions: 4})
	place := lay(t, s, "d", 2)
	place.ID = 1
	shard := openShard(t, s, place)
	var seq [2]uint64
	var keys [2]string
	for i := 0; seq[0] == 0 || seq[1] == 0; i++ {
		customer := fmt.Sprint("c", i)
		k := key(s, "acme", customer)
		if p := partitionOf(k) - 2; p >= 0 && seq[p] == 0 {
			seq[p], keys[p] = publish(t, s, "acme", customer, 1), k
		}
	}
	lendAll(t, shard, 2)
	shard.Feeds[1].Settle(seq[1])
	if err := shard.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Cursor(testContext(t), place)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := [2]uint64{c.Of(keys[0]).Settled, c.Of(keys[1]).Settled}, [2]uint64{0, seq[1]}; got != want {
		t.Errorf("got settled %v, want %v", got, want)
	}
	got := lendAll(t, openShard(t, s, place), 1)[0]
	if !slices.Equal(seqs(got), seq[:1]) || !got[0].Again {
		t.Errorf("the next owner: got %v, want %d, lent before", seqs(got), seq[0])
	}
}

// A customer's oldest message makes room for a new one while it is on loan. With
// the server's own ack floor everything before it would count as settled.
func TestEvictionSettlesNothing(t *testing.T) {
	_, s := open(t, Config{Partitions: 1, History: 2})
	place := lay(t, s, "d", 1)
	shard := openShard(t, s, place)
	var want []uint64
	for i := range 20 {
		want = append(want, publish(t, s, "acme", fmt.Sprint("c", i), 1))
	}
	publish(t, s, "acme", "hot", 1)
	want = append(want, publish(t, s, "acme", "hot", 2))
	lend(t, shard.Feeds[0], 22)
	want = append(want, publish(t, s, "acme", "hot", 3))
	// The owner dies, and another one comes.
	next := openShard(t, s, place)
	if got := seqs(lend(t, next.Feeds[0], len(want))); !slices.Equal(got, want) {
		t.Errorf("got sequences %v, want %v", got, want)
	}
}

func TestSettledIsNotLentAgain(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	shard := openShard(t, s, place)
	for i := range 10 {
		publish(t, s, "acme", fmt.Sprint("c", i), 1)
	}
	messages := lend(t, shard.Feeds[0], 10)
	shard.Feeds[0].Settle(messages[3].Seq)
	if err := shard.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	again := lend(t, openShard(t, s, place).Feeds[0], 6)
	if got, want := seqs(again), seqs(messages[4:]); !slices.Equal(got, want) {
		t.Errorf("got sequences %v, want %v", got, want)
	}
	for _, m := range again {
		if !m.Again {
			t.Errorf("message %d may have been sent by the owner before, and does not say so", m.Seq)
		}
	}
}

func TestCursorIsStoredWhileTheShardIsOwned(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	shard := openShard(t, s, place)
	publish(t, s, "acme", "c", 1)
	m := lend(t, shard.Feeds[0], 1)[0]
	shard.Feeds[0].Settle(m.Seq)
	until(t, "the cursor is stored", func() bool {
		c, err := s.Cursor(testContext(t), place)
		return err == nil && c.Events[0].Settled == m.Seq
	})
}

func TestFormerOwnerCannotMoveTheCursor(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	old := openShard(t, s, place)
	for i := range 4 {
		publish(t, s, "acme", fmt.Sprint("c", i), 1)
	}
	first := lend(t, old.Feeds[0], 4)
	owner := openShard(t, s, place)
	old.Feeds[0].Settle(first[3].Seq)
	if err := old.Close(testContext(t)); !errors.Is(err, ErrShardLost) {
		t.Errorf("the former owner's last write: got error %v, want %v", err, ErrShardLost)
	}
	got := lend(t, owner.Feeds[0], 4)
	owner.Feeds[0].Settle(got[1].Seq)
	if err := owner.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Cursor(testContext(t), place)
	if err != nil || c.Events[0].Settled != got[1].Seq {
		t.Errorf("got cursor %+v and error %v, want settled %d", c, err, got[1].Seq)
	}
}

func TestFeedGoesOnAfterARestart(t *testing.T) {
	server, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	shard := openShard(t, s, place)
	var want []uint64
	for i := range 5 {
		want = append(want, publish(t, s, "acme", fmt.Sprint("a", i), 1))
	}
	got := seqs(lend(t, shard.Feeds[0], 5))
	server.Restart()
	until(t, "the client is back", s.nc.IsConnected)
	for i := range 5 {
		want = append(want, publish(t, s, "acme", fmt.Sprint("b", i), 1))
	}
	got = append(got, seqs(lend(t, shard.Feeds[0], 5))...)
	if !slices.Equal(got, want) {
		t.Errorf("got sequences %v, want %v", got, want)
	}
}

func BenchmarkFeed(b *testing.B) {
	_, s := open(b, Config{Partitions: 4})
	place := lay(b, s, "d", 1)
	const n = 20_000
	body := append(event("acme", "c", 1), make([]byte, 300)...)
	_, err := s.post.send(testContext(b), n, func(i int, m *nats.Msg) bool {
		m.Subject, m.Data = fmt.Sprint("customers.acme.c", i), body
		return true
	})
	if err != nil {
		b.Fatal(err)
	}
	for name, trunk := range map[string]*Trunk{"alone": nil, "trunk": s.NewTrunk("d")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				shard, err := s.OpenShard(testContext(b), place, trunk)
				if err != nil {
					b.Fatal(err)
				}
				lendAll(b, shard, n)
				if err := shard.Close(testContext(b)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}

// What is left behind in order says what was lent and no more: what comes after it
// was in nobody's hands. What an owner that died may have been lent stays in doubt
// until it is settled.
func TestClosedShardTellsWhatWasLentInFact(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	publish(t, s, "acme", "a", 1)
	publish(t, s, "acme", "b", 1)
	shard := openShard(t, s, place)
	lend(t, shard.Feeds[0], 2)
	if c, err := s.Cursor(testContext(t), place); err != nil || c.Events[0].Lent < lentStep {
		t.Errorf("while it is open: got %+v and error %v, want more than was lent", c, err)
	}
	// The owner dies: the next one is lent the first again, and closes in order.
	again := openShard(t, s, place)
	first := lend(t, again.Feeds[0], 2)
	again.Feeds[0].Settle(first[0].Seq)
	if err := again.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Cursor(testContext(t), place); err != nil || c.Events[0].Lent < lentStep {
		t.Errorf("with something unsettled from before: got %+v and error %v", c, err)
	}
	for _, want := range []bool{true, false} { // the second time it was settled to its end
		next := openShard(t, s, place)
		third := publish(t, s, "acme", fmt.Sprint("c", want), 1)
		for seen := uint64(0); seen < third; {
			for _, m := range lend(t, next.Feeds[0], 1) {
				if seen = m.Seq; seen == third && m.Again != want {
					t.Errorf("what was published after the death: again %v, want %v", m.Again, want)
				}
			}
		}
		// As if all that may have been lent had been settled.
		next.Feeds[0].Settle(third + 2*lentStep)
		if err := next.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Cursor(testContext(t), place); err != nil || c.Events[0].Lent != third {
			t.Errorf("closed in order: got %+v and error %v, want lent up to %d", c, err, third)
		}
		c, revision, err := s.readCursor(testContext(t), place)
		if err != nil {
			t.Fatal(err)
		}
		c.Events[0].Settled = third // what the test made up is taken back
		if _, err := s.setRecord(testContext(t), place.cursor(), revision, c); err != nil {
			t.Fatal(err)
		}
	}
}
