package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// blow is one fault of a schedule: from when, how long, what, and whom it hits.
type blow struct {
	at, long time.Duration
	fault    *fault
	target   int // node, worker or provider; of the fault's targets
	other    int // node, where a worker and a node are parted
}

func (b *blow) String() string {
	return fmt.Sprintf("%6.1fs for %.1fs: %s %s", b.at.Seconds(), b.long.Seconds(), b.fault.name, b.fault.on.name(b.target))
}

// victim is what a fault hits.
type victim int

const (
	aNode victim = iota
	aWorker
	aProvider
	allNodes
)

func (v victim) count() int {
	switch v {
	case aNode:
		return nodes
	case aWorker:
		return workers
	case aProvider:
		return len(accounts)
	case allNodes:
	}
	return 1
}

func (v victim) name(target int) string {
	switch v {
	case aNode:
		return nodeName(target)
	case aWorker:
		return fmt.Sprint("worker-", target+1)
	case aProvider:
		return accounts[target].provider
	case allNodes:
	}
	return "all nodes"
}

// schedule is a pure function of its seed: which blow falls when on whom. All
// kinds of faults come in turn, shuffled, so that a short one has each of them.
// Nothing is hit while it is down already, and of the nodes one at a time: a
// fault whose victim is down lets others go first.
func schedule(seed uint64, long time.Duration, all []*fault) []blow {
	dice := rand.New(rand.NewPCG(seed, 0))
	busy := make(map[whom]time.Duration) // until when
	var blows []blow
	var deck []*fault
	for now := time.Second; now < long; now += pause(dice, minPause, maxPause) {
		if len(deck) < len(all) {
			next := slices.Clone(all)
			dice.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
			deck = append(deck, next...)
		}
		for i, f := range deck {
			b := blow{at: now, fault: f, target: f.someTarget(dice), other: dice.IntN(nodes)}
			if busy[b.hits()] > now {
				continue
			}
			b.long = pause(dice, f.least, f.most)
			busy[b.hits()] = now + b.long + recovery(f.on)
			blows = append(blows, b)
			deck = slices.Delete(deck, i, i+1)
			break
		}
	}
	return blows
}

// whom is what is down.
type whom struct {
	on     victim
	target int
}

// hits is what is down while the blow lasts. The nodes count as one, since a
// cluster of three can do without one.
func (b *blow) hits() whom {
	if b.fault.on == aNode || b.fault.on == allNodes {
		return whom{on: aNode}
	}
	return whom{b.fault.on, b.target}
}

func pause(dice *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(dice.Int64N(int64(max(most-least, 1))))
}

func (f *fault) someTarget(dice *rand.Rand) int {
	if len(f.targets) > 0 {
		return f.targets[dice.IntN(len(f.targets))]
	}
	return dice.IntN(f.on.count())
}

const (
	minPause = 500 * time.Millisecond
	maxPause = 2500 * time.Millisecond
)

// recovery is how long a victim is left alone after a blow. The nodes elect a
// leader in 4 to 9 seconds; a schedule that never lets them shows nothing.
func recovery(on victim) time.Duration {
	if on == aNode || on == allNodes {
		return 8 * time.Second
	}
	return time.Second
}
