package stream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
)

// fillRounds publishes rounds of events of as many customers.
func fillRounds(t *testing.T, s *Streams, customers, rounds int) {
	t.Helper()
	answers, err := s.post.send(testContext(t), customers*rounds, func(i int, m *nats.Msg) bool {
		name := fmt.Sprint("c", i%customers)
		m.Subject, m.Data = events.IngestSubject("acme", name), event("acme", name, int64(i/customers+1))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range answers {
		if err := answers[i].err(); err != nil {
			t.Fatal(err)
		}
	}
}

// foretold counts the messages that tell of a later one, and holds each against
// what came.
func foretold(t *testing.T, lent [][]pipeline.Message) (told, followed int) {
	t.Helper()
	for _, messages := range lent {
		last := map[string]uint64{}
		for _, m := range messages {
			last[m.Key] = m.Seq
		}
		for _, m := range messages {
			if m.Later > 0 && m.Later != last[m.Key] {
				t.Errorf("message %d of %s tells of %d, the last one is %d", m.Seq, m.Key, m.Later, last[m.Key])
			}
			if m.Later > 0 {
				told++
			}
			if m.Seq < last[m.Key] {
				followed++
			}
		}
	}
	return told, followed
}

// looks are the consumers that look ahead.
func (s *Streams) looks(t *testing.T) (n int) {
	t.Helper()
	for _, name := range s.consumers(t) {
		if strings.Contains(name, "-ahead-") {
			n++
		}
	}
	return n
}

func TestBacklogIsLentWithWhatFollows(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("trunk ", shared), func(t *testing.T) {
			t.Parallel()
			_, s := open(t, Config{Partitions: 2})
			place := lay(t, s, "d", 1)
			const customers, rounds = 3000, 3
			fillRounds(t, s, customers, rounds)
			var trunk *Trunk
			if shared {
				trunk = s.NewTrunk("d")
			}
			shard, err := s.OpenShard(testContext(t), place, trunk)
			if err != nil {
				t.Fatal(err)
			}
			told, followed := foretold(t, lendAll(t, shard, customers*rounds))
			if followed != customers*(rounds-1) || told < followed {
				t.Errorf("%d of %d tell what follows", told, followed)
			}
			until(t, "nobody looks ahead any more", func() bool { return s.looks(t) == 0 })
			if err := shard.Close(testContext(t)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The horizon moves on with what is lent.
func TestLooksAheadAsFarAsItsHorizon(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 1})
	place := lay(t, s, "d", 1)
	const customers, rounds, horizon = 1000, 4, 1500
	fillRounds(t, s, customers, rounds)
	shard := openShard(t, s, place)
	a := shard.Feeds[0].(*feed).branch.ahead
	a.horizon = horizon
	told := 0
	for seq := uint64(1); seq <= customers*rounds; {
		messages, err := shard.Feeds[0].Fetch(testContext(t), 20_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if m.Later > 0 {
				told++
			}
			if m.Later > 0 && (m.Later <= m.Seq || (m.Later-m.Seq)%customers != 0) {
				t.Errorf("message %d tells of %d", m.Seq, m.Later)
			}
			seq = m.Seq + 1
		}
		if n := len(a.last); n > customers {
			t.Fatalf("%d customers are kept, there are %d", n, customers)
		}
	}
	if want := customers * (rounds - 1); told < want*9/10 {
		t.Errorf("%d tell what follows, want nearly %d", told, want)
	}
}

func TestLooksAheadOnlyWhereItPays(t *testing.T) {
	t.Parallel()
	t.Run("each customer once", func(t *testing.T) {
		t.Parallel()
		_, s := open(t, Config{Partitions: 1})
		fillRounds(t, s, 6000, 1)
		shard := openShard(t, s, lay(t, s, "d", 1))
		if _, err := shard.Feeds[0].Fetch(testContext(t), 20_000); err != nil {
			t.Fatal(err)
		}
		if n := s.looks(t); n != 0 {
			t.Errorf("%d look ahead", n)
		}
	})
	t.Run("few recur in what waits", func(t *testing.T) {
		t.Parallel()
		_, s := open(t, Config{Partitions: 1})
		fillRounds(t, s, 6000, 2)
		place := lay(t, s, "d", 1)
		shard := openShard(t, s, place)
		f := shard.Feeds[0].(*feed)
		f.branch.rewind(6001) // the second round waits only
		if _, err := f.Fetch(testContext(t), 20_000); err != nil {
			t.Fatal(err)
		}
		a := f.branch.ahead
		if a.looking || a.resume == 0 || s.looks(t) != 0 {
			t.Errorf("looking is %v, again from %d on", a.looking, a.resume)
		}
	})
	t.Run("little waits", func(t *testing.T) {
		t.Parallel()
		_, s := open(t, Config{Partitions: 1})
		fillRounds(t, s, 100, 4)
		shard := openShard(t, s, lay(t, s, "d", 1))
		told, _ := foretold(t, lendAll(t, shard, 400))
		if told != 0 {
			t.Errorf("%d tell what follows", told)
		}
	})
}

// A worker opens its shards one after the other: what comes first waits for the
// trunk, but not for long.
func TestBranchesGatherForTheTrunk(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 2})
	place := lay(t, s, "d", 2)
	trunk := s.NewTrunk("d")
	trunk.patient = deadline
	fillRounds(t, s, 50, 1)
	first, err := s.OpenShard(testContext(t), place, trunk)
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan error)
	go func() {
		_, err := first.Feeds[0].Fetch(testContext(t), 1000)
		came <- err
	}()
	place.ID = 1
	second, err := s.OpenShard(testContext(t), place, trunk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Feeds[0].Fetch(testContext(t), 1000); err != nil {
		t.Fatal(err)
	}
	if err := <-came; err != nil {
		t.Fatal(err)
	}
	if names := s.consumers(t); len(names) != 1 || !strings.HasPrefix(names[0], "d-all-") {
		t.Errorf("got consumers %v, want the trunk's", names)
	}
}
