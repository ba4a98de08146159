package pipeline

import "slices"

// Share is a part of a destination's limits, or all of them.
type Share struct {
	Concurrency    int     `json:"concurrency"`                // deliveries at once
	CallsPerSecond float64 `json:"calls_per_second,omitempty"` // of the limits: 0 is no limit; of a worker's part: none
}

// Claim is what one worker has of a destination's limits, and what it has use for.
// Whoever has waited longest for a turn comes first among the claims.
type Claim struct {
	Member string `json:"member"`
	Needs  Share  `json:"needs"`
	Has    Share  `json:"has"`
}

// Claims are those of all workers of one destination. What they have is never
// more than the limits in sum: a worker writes that it has less only after it
// uses less, and uses more only after it wrote so.
type Claims []Claim

// of returns the place of a member's claim; -1: it has none.
func (cs Claims) of(member string) int {
	return slices.IndexFunc(cs, func(c Claim) bool { return c.Member == member })
}

// has is what a member has.
func (cs Claims) has(member string) Share {
	if i := cs.of(member); i >= 0 {
		return cs[i].Has
	}
	return Share{}
}

// slack is what adding and subtracting parts of calls may leave behind.
const slack = 1e-9

// token is the smallest part of the limit of calls: one a second, since only
// whole ones keep the sum of all workers' calls in each second to the limit.
// Where it is less, it is in one piece.
func (s Share) token() float64 { return min(s.CallsPerSecond, 1) }

// tokens is how many parts of the limit of calls there are. What is left beside
// them goes with one of them.
func (s Share) tokens() int {
	if s.CallsPerSecond < 1 {
		return 1
	}
	return int(s.CallsPerSecond + slack)
}

// rest is what is left of the limit of calls beside its tokens.
func (s Share) rest() float64 {
	if s.CallsPerSecond < 1 {
		return 0
	}
	return s.CallsPerSecond - float64(s.tokens())
}

// seats is how many workers can have a part of both limits at the same time.
func (s Share) seats() int {
	if s.CallsPerSecond == 0 {
		return s.Concurrency
	}
	return min(s.Concurrency, s.tokens())
}

// seated reports which claims have a turn: those that need something, as many as
// there are seats, in their order.
func (cs Claims) seated(limits Share) []bool {
	seated := make([]bool, len(cs))
	left := limits.seats()
	for i := range cs {
		if cs[i].Needs.Concurrency > 0 && left > 0 {
			seated[i] = true
			left--
		}
	}
	return seated
}

// fair is what each claim is to have, going by what all need.
func (cs Claims) fair(limits Share) []Share {
	seated := cs.seated(limits)
	deliveries, calls := make([]int, len(cs)), make([]int, len(cs))
	for i := range cs {
		if seated[i] {
			deliveries[i] = cs[i].Needs.Concurrency
			calls[i] = max(roundUp(cs[i].Needs.CallsPerSecond/max(limits.token(), slack)), 1)
		}
	}
	return cs.share(limits, deliveries, calls)
}

// even is what each claim may have of what nobody needs.
func (cs Claims) even(limits Share) []Share {
	all := slices.Repeat([]int{max(limits.Concurrency, limits.tokens())}, len(cs))
	return cs.share(limits, all, all)
}

// share gives out both limits by need.
func (cs Claims) share(limits Share, deliveries, calls []int) []Share {
	hasDeliveries, hasCalls := make([]int, len(cs)), make([]int, len(cs))
	for i := range cs {
		hasDeliveries[i] = cs[i].Has.Concurrency
		hasCalls[i] = int(cs[i].Has.CallsPerSecond/max(limits.token(), slack) + slack)
	}
	deliveries, calls = spread(limits.Concurrency, deliveries, hasDeliveries), spread(limits.tokens(), calls, hasCalls)
	rest := cs.holder(calls)
	shares := make([]Share, len(cs))
	for i := range shares {
		shares[i].Concurrency = deliveries[i]
		if limits.CallsPerSecond > 0 && calls[i] > 0 {
			shares[i].CallsPerSecond = float64(calls[i]) * limits.token()
			if i == rest {
				shares[i].CallsPerSecond += limits.rest()
			}
		}
	}
	return shares
}

// holder is which of those that get calls has the rest of them, or is to have it.
func (cs Claims) holder(calls []int) int {
	holder := -1
	for i := range cs {
		switch has := cs[i].Has.CallsPerSecond; {
		case calls[i] == 0:
		case !isWhole(has):
			return i
		case holder < 0 || has == 0 && cs[holder].Has.CallsPerSecond > 0:
			holder = i
		}
	}
	return holder
}

// spread gives units out evenly, to nobody more than he needs. What can't be given
// out evenly stays with whoever has it, or goes to one who has nothing, so that a
// part goes from one to another as it is.
func spread(units int, needs, has []int) []int {
	got := make([]int, len(needs))
	for units > 0 {
		var open []int
		for i := range needs {
			if got[i] < needs[i] {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		each := units / len(open)
		if each == 0 {
			rank := func(i int) int {
				switch {
				case has[i] > got[i]:
					return 0
				case has[i] == 0:
					return 1
				}
				return 2
			}
			slices.SortStableFunc(open, func(a, b int) int { return rank(a) - rank(b) })
			open, each = open[:units], 1
		}
		for _, i := range open {
			n := min(each, needs[i]-got[i])
			got[i] += n
			units -= n
		}
	}
	return got
}

// lacks reports whether less than what is meant by s is there by a part that
// matters.
func (s Share) lacks(has, limits Share) bool {
	return has.Concurrency < s.Concurrency || s.CallsPerSecond-has.CallsPerSecond > limits.token()-slack && limits.CallsPerSecond > 0
}

// wait reports whether any but the one at a place waits for what others are to
// give up, and whether any of these waits for a turn.
func (cs Claims) wait(limits Share, but int) (anyone, turn bool) {
	fair, seated := cs.fair(limits), cs.seated(limits)
	for i := range cs {
		if i != but {
			turn = turn || cs[i].Needs.Concurrency > 0 && !seated[i]
			anyone = anyone || turn || fair[i].lacks(cs[i].Has, limits)
		}
	}
	return anyone, turn
}

// free is what nobody has.
func (cs Claims) free(limits Share) Share {
	for i := range cs {
		limits.Concurrency -= cs[i].Has.Concurrency
		limits.CallsPerSecond -= cs[i].Has.CallsPerSecond
	}
	return Share{max(limits.Concurrency, 0), max(limits.CallsPerSecond, 0)}
}

// most is what either is at most.
func (s Share) most(o Share) Share {
	return Share{max(s.Concurrency, o.Concurrency), max(s.CallsPerSecond, o.CallsPerSecond)}
}

// least is what both are at least.
func (s Share) least(o Share) Share {
	return Share{min(s.Concurrency, o.Concurrency), min(s.CallsPerSecond, o.CallsPerSecond)}
}

// grown is a share after taking what it lacks of another one out of what is free,
// in whole parts.
func (s Share) grown(to, free, limits Share) Share {
	s.Concurrency += min(max(to.Concurrency-s.Concurrency, 0), free.Concurrency)
	more := min(to.CallsPerSecond-s.CallsPerSecond, free.CallsPerSecond)
	if token := limits.token(); token > 0 && more > slack {
		whole := float64(int(more/token+slack)) * token
		if rest := limits.rest(); rest > slack && s.CallsPerSecond+whole > 0 && more-whole > rest-slack && isWhole(s.CallsPerSecond) {
			whole += rest
		}
		s.CallsPerSecond += whole
	}
	return s
}

func isWhole(v float64) bool { return v-float64(int(v+slack)) <= slack }

// need sets what is needed at a place, and reports whether it makes a difference
// to anyone.
func (cs Claims) need(me int, needs, limits Share) bool {
	fair, seated := cs.fair(limits), cs.seated(limits)
	before := cs[me].Needs
	cs[me].Needs = needs
	if slices.Equal(fair, cs.fair(limits)) && slices.Equal(seated, cs.seated(limits)) && (before.Concurrency > 0) == (needs.Concurrency > 0) {
		cs[me].Needs = before
		return false
	}
	return true
}
