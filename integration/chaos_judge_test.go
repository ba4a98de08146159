package integration

import (
	"slices"
	"testing"
	"time"
)

// The judge of the chaos finds what is wrong.
func TestJudge(t *testing.T) {
	thulium, cartum, ecomcharge := &accounts[0], &accounts[1], &accounts[4]
	for _, test := range []struct {
		name     string
		account  *account
		newest   state
		records  int
		versions []int64
		letter   letter
		right    bool
	}{
		{"in step", thulium, state{version: 3}, 1, []int64{1, 3}, letter{}, true},
		{"behind", thulium, state{version: 3}, 1, []int64{1, 2}, letter{}, false},
		{"never there", thulium, state{version: 3}, 0, nil, letter{}, false},
		{"twice", thulium, state{version: 3}, 2, []int64{3}, letter{}, false},
		{"dead for no reason", thulium, state{version: 3}, 1, []int64{3}, letter{Reason: "exhausted", Version: 3}, false},

		{"invalid and dead", cartum, state{version: 3, kind: invalid}, 1, []int64{2}, letter{Reason: "invalid", Version: 3}, true},
		{"invalid and not dead", cartum, state{version: 3, kind: invalid}, 1, []int64{2}, letter{}, false},
		{"an older one is dead", cartum, state{version: 3, kind: invalid}, 1, []int64{2}, letter{Reason: "invalid", Version: 2}, false},
		{"refused and dead", thulium, state{version: 3, kind: refused}, 0, nil, letter{Reason: "rejected", Version: 3}, true},
		{"refused elsewhere", cartum, state{version: 3, kind: refused}, 1, []int64{3}, letter{}, true},
		{"dead elsewhere", cartum, state{version: 3, kind: refused}, 1, []int64{3}, letter{Reason: "rejected", Version: 3}, false},

		{"deleted", thulium, state{version: 3, kind: deleted}, 0, []int64{2}, letter{}, true},
		{"not deleted", thulium, state{version: 3, kind: deleted}, 1, []int64{2}, letter{}, false},
		{"can't be deleted", cartum, state{version: 3, kind: deleted}, 1, []int64{2}, letter{}, true},

		{"created once", ecomcharge, state{version: 3}, 1, nil, letter{}, true},
		{"never created", ecomcharge, state{version: 3}, 0, nil, letter{}, false},
		{"created twice", ecomcharge, state{version: 3}, 2, nil, letter{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.account.judge(test.newest, test.records, test.versions, test.letter); (err == nil) != test.right {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMost(t *testing.T) {
	const calls = "10:00:02.000 a\n10:00:00.000 b\n10:00:00.999 c\n10:00:01.000 d\n10:00:01.500 e\nnone\n"
	for within, want := range map[time.Duration]int{time.Second: 3, 500 * time.Millisecond: 2, time.Minute: 5} {
		if got := most(calls, within); got != want {
			t.Errorf("within %v: got %d calls, want %d", within, got, want)
		}
	}
}

// A schedule is the same whenever its seed is, has each kind of fault, and hits
// nothing that is down.
func TestSchedule(t *testing.T) {
	const long = 2 * time.Minute
	for seed := range uint64(50) {
		all := faults()
		blows, again := schedule(seed, long, all), schedule(seed, long, all)
		if !slices.EqualFunc(blows, again, func(a, b blow) bool { return a == b }) {
			t.Fatalf("seed %d: got another schedule the second time", seed)
		}
		kinds := make(map[*fault]bool)
		down := make(map[whom]time.Duration)
		for i := range blows {
			b := &blows[i]
			kinds[b.fault] = true
			if down[b.hits()] > b.at {
				t.Errorf("seed %d: %v hits what is down", seed, b)
			}
			down[b.hits()] = b.at + b.long
		}
		if len(kinds) < len(all) {
			t.Errorf("seed %d: got %d of %d kinds of faults", seed, len(kinds), len(all))
		}
	}
}
