package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// taker fetches the feed of one partition as a loop does, and may be held up.
type taker struct {
	shard, index int

	mu   sync.Mutex
	got  []uint64
	held chan struct{} // nil: not held up
}

// fetch runs until ctx ends. Now and then it gives back what it was lent.
func (k *taker) fetch(ctx context.Context, f *feed, random *rand.Rand) {
	for ctx.Err() == nil {
		k.mu.Lock()
		held := k.held
		k.mu.Unlock()
		if held != nil {
			select {
			case <-held:
			case <-ctx.Done():
			}
			continue
		}
		messages, _ := f.Fetch(ctx, 1+random.IntN(20_000)) // an outage of the stream passes
		switch {
		case len(messages) == 0:
		case random.IntN(20) == 0:
			f.branch.rewind(messages[0].Seq)
		default:
			k.mu.Lock()
			k.got = append(k.got, seqs(messages)...)
			k.mu.Unlock()
			f.Settle(messages[len(messages)-1].Seq)
		}
	}
}

func (k *taker) holdUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = make(chan struct{})
	}
}

func (k *taker) letGo() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held != nil {
		close(k.held)
		k.held = nil
	}
}

func (k *taker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.got)
}

// crew is the takers of all partitions of a destination.
type crew struct {
	t      *testing.T
	s      *Streams
	trunk  *Trunk
	place  Place
	takers []*taker
	stops  []func()
	random *rand.Rand
}

func newCrew(t *testing.T, s *Streams, shards, hold, chunk int, seed uint64) *crew {
	c := &crew{
		t: t, s: s, trunk: s.NewTrunk("d"), place: lay(t, s, "d", shards),
		stops: make([]func(), shards), random: rand.New(rand.NewPCG(seed, 1)),
	}
	c.trunk.hold, c.trunk.chunk, c.trunk.patient = hold, chunk, time.Millisecond
	for p := range s.Partitions() {
		each := s.Partitions() / shards
		c.takers = append(c.takers, &taker{shard: p / each, index: p % each})
	}
	for id := range shards {
		c.start(id)
	}
	t.Cleanup(func() {
		for _, stop := range c.stops {
			stop()
		}
	})
	return c
}

func (c *crew) start(id int) {
	c.t.Helper()
	place := c.place
	place.ID = id
	shard, err := c.s.OpenShard(testContext(c.t), place, c.trunk)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(testContext(c.t)))
	var fetching sync.WaitGroup
	for _, k := range c.takers {
		if k.shard == id {
			random := rand.New(rand.NewPCG(c.random.Uint64(), 2))
			fetching.Go(func() { k.fetch(ctx, shard.Feeds[k.index].(*feed), random) })
		}
	}
	c.stops[id] = func() {
		cancel()
		fetching.Wait()
		if err := shard.Close(context.WithoutCancel(ctx)); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *crew) takes(n int) {
	c.t.Helper()
	until(c.t, fmt.Sprintf("%d messages are lent", n), func() bool {
		sum := 0
		for _, k := range c.takers {
			sum += k.count()
		}
		return sum >= n
	})
}

// Shards come and go, feeds stand still for a while, some of what was lent is
// given back: whatever the order of it, each partition lends what it has in order
// and each message once.
func TestTrunkLendsAllOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			_, s := open(t, Config{Partitions: 8})
			c := newCrew(t, s, 4, 8<<10, 2<<10, seed)
			want := make([][]uint64, len(c.takers))
			total := 0
			for range 60 {
				switch k := c.takers[c.random.IntN(len(c.takers))]; c.random.IntN(5) {
				case 0:
					c.stops[k.shard]()
					c.start(k.shard)
				case 1:
					k.holdUp()
				case 2:
					k.letGo()
				default:
					for range c.random.IntN(60) {
						name := fmt.Sprint("c", c.random.IntN(5000))
						p := partitionOf(key(s, "acme", name))
						want[p] = append(want[p], publish(t, s, "acme", name, int64(total)))
						total++
					}
				}
			}
			for _, k := range c.takers {
				k.letGo()
			}
			c.takes(total)
			for p, k := range c.takers {
				if !slices.Equal(k.got, want[p]) {
					t.Errorf("partition %d: got %d sequences, want %d in order and each once", p, len(k.got), len(want[p]))
				}
			}
		})
	}
}

// One consumer serves all partitions, and only the one that was held up has its
// own until it has caught up. What waits for it is bounded.
func TestTrunkCutsOffWhoFallsBehind(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 4})
	c := newCrew(t, s, 2, 16<<10, 4<<10, 1)
	c.takers[0].holdUp()
	total, behind := 0, 0
	fill := func(n int) {
		for range n {
			name := fmt.Sprint("c", total)
			if partitionOf(key(s, "acme", name)) == 0 {
				behind++
			}
			publish(t, s, "acme", name, 1)
			total++
		}
	}
	fill(600)
	c.takes(total - behind)
	c.trunk.mu.Lock()
	size, attached := c.trunk.size, c.trunk.branches[0].attached
	c.trunk.mu.Unlock()
	if attached || size > c.trunk.hold+c.trunk.chunk+largest {
		t.Errorf("attached %v, %d bytes wait, want the partition cut off and its bytes gone", attached, size)
	}
	if behind-c.takers[0].count() < 50 {
		t.Fatalf("%d are behind, %d were taken: the test tells nothing", behind, c.takers[0].count())
	}
	c.takers[0].letGo()
	c.takes(total)
	until(t, "one consumer is left", func() bool {
		fill(8)
		c.takes(total)
		names := s.consumers(t)
		return len(names) == 1 && strings.HasPrefix(names[0], "d-all-")
	})
}

// consumers are those of the customers' stream.
func (s *Streams) consumers(t *testing.T) (names []string) {
	t.Helper()
	stream, err := s.js.Stream(testContext(t), Customers)
	if err != nil {
		t.Fatal(err)
	}
	list := stream.ListConsumers(testContext(t))
	for info := range list.Info() {
		names = append(names, info.Name)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}
