package stream

import (
	"slices"
	"testing"
)

// What a pull may bring waits in memory, so that it follows the size of what came.
func TestPullFollowsTheSizeOfMessages(t *testing.T) {
	const budget = 64 << 10
	for name, tc := range map[string]struct {
		sizes []int
		least int
		most  int
	}{
		"none yet":              {nil, 64, 64},
		"the usual":             {slices.Repeat([]int{600}, 100), 100, 110},
		"tiny":                  {slices.Repeat([]int{10}, 100), pullBatch, pullBatch},
		"the largest":           {slices.Repeat([]int{512 << 10}, 3), 1, 1},
		"one large one":         {append(slices.Repeat([]int{600}, 100), 32<<10), 2, 2},
		"a large one long past": {append([]int{32 << 10}, slices.Repeat([]int{600}, 200)...), 90, 110},
	} {
		t.Run(name, func(t *testing.T) {
			var r reader
			for _, size := range tc.sizes {
				r.weigh(size)
			}
			if got := r.batch(budget); got < tc.least || got > tc.most {
				t.Errorf("got a batch of %d, want %d to %d", got, tc.least, tc.most)
			}
		})
	}
}
