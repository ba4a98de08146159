package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFairShares(t *testing.T) {
	need := func(deliveries int, calls float64) Claim { return Claim{Needs: Share{deliveries, calls}} }
	all := need(100, 100)
	for name, tt := range map[string]struct {
		limits Share
		claims Claims
		want   []Share
	}{
		"alone":                         {Share{4, 5}, Claims{all}, []Share{{4, 5}}},
		"evenly":                        {Share{4, 6}, Claims{all, all}, []Share{{2, 3}, {2, 3}}},
		"what is odd goes to the first": {Share{5, 5}, Claims{all, all, all}, []Share{{2, 2}, {2, 2}, {1, 1}}},
		"by need":                       {Share{8, 10}, Claims{need(1, 2), all, need(0, 0)}, []Share{{1, 2}, {7, 8}, {}}},
		"no limit of calls":             {Share{4, 0}, Claims{need(3, 0), need(3, 0)}, []Share{{2, 0}, {2, 0}}},
		"a turn each":                   {Share{1, 5}, Claims{need(0, 0), all, all}, []Share{{}, {1, 5}, {}}},
		"fewer calls than workers":      {Share{8, 2}, Claims{all, all, all}, []Share{{4, 1}, {4, 1}, {}}},
		"less than a call a second":     {Share{8, 0.5}, Claims{all, all}, []Share{{8, 0.5}, {}}},
		"a part of a call":              {Share{4, 2.5}, Claims{all, all}, []Share{{2, 1.5}, {2, 1}}},
		"the part stays":                {Share{4, 2.5}, Claims{all, {Needs: all.Needs, Has: Share{1, 1.5}}}, []Share{{2, 1}, {2, 1.5}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.claims.fair(tt.limits); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSharesGrowInWholeParts(t *testing.T) {
	for name, tt := range map[string]struct {
		limits, has, to, free, want Share
	}{
		"all":                     {Share{4, 2.5}, Share{}, Share{4, 2.5}, Share{4, 2.5}, Share{4, 2.5}},
		"what is free":            {Share{4, 5}, Share{1, 1}, Share{4, 5}, Share{1, 2}, Share{2, 3}},
		"not a part alone":        {Share{4, 2.5}, Share{}, Share{4, 2.5}, Share{1, 0.5}, Share{1, 0}},
		"the part to what I have": {Share{4, 2.5}, Share{1, 1}, Share{4, 2.5}, Share{0, 0.5}, Share{1, 1.5}},
		"half a call a second":    {Share{4, 0.5}, Share{}, Share{4, 0.5}, Share{4, 0.5}, Share{4, 0.5}},
		"no limit":                {Share{4, 0}, Share{}, Share{3, 0}, Share{4, 0}, Share{3, 0}},
		"never less":              {Share{4, 5}, Share{3, 3}, Share{1, 1}, Share{1, 2}, Share{3, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.has.grown(tt.to, tt.free, tt.limits); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever workers need, what they get adds up to the limits at most, is made of
// whole parts, and leaves nothing over that somebody needs.
func TestFairSharesAddUp(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		limits := Share{1 + rng.IntN(9), []float64{0, 0.3, 1, 2.5, 3.3, 7, 100}[rng.IntN(7)]}
		claims := make(Claims, 1+rng.IntN(7))
		for i := range claims {
			claims[i] = Claim{Member: fmt.Sprint(i), Needs: Share{rng.IntN(12), float64(rng.IntN(200))}}
		}
		fair := claims.fair(limits)
		sum, need := Share{}, 0
		for i, f := range fair {
			sum.Concurrency += f.Concurrency
			sum.CallsPerSecond += f.CallsPerSecond
			need += min(claims[i].Needs.Concurrency, limits.Concurrency)
			if (f.Concurrency > 0) != (f.CallsPerSecond > 0) && limits.CallsPerSecond > 0 {
				t.Errorf("seed %d: one limit without the other: %v of %v", seed, f, limits)
			}
			if whole := f.CallsPerSecond / max(limits.token(), slack); limits.rest() == 0 && math.Abs(whole-math.Round(whole)) > slack {
				t.Errorf("seed %d: %v is not made of whole parts of %v", seed, f, limits)
			}
		}
		if sum.Concurrency > limits.Concurrency || sum.CallsPerSecond > limits.CallsPerSecond+slack {
			t.Fatalf("seed %d: %v add up to %v, the limits are %v", seed, fair, sum, limits)
		}
		if want := min(need, limits.Concurrency); sum.Concurrency < want && sum.Concurrency > 0 && limits.seats() >= len(claims) {
			t.Errorf("seed %d: %v of %v are in use, and %d needed", seed, sum, limits, need)
		}
	}
}
