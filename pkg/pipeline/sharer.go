package pipeline

import (
	"context"
	"slices"
	"time"
)

// Shares keeps the claims of all workers of one destination, in one record.
type Shares interface {
	// Read returns the claims and the record's revision.
	Read(ctx context.Context) (Claims, uint64, error)
	// Write stores claims in place of those that have the revision given, and
	// returns the new one; 0: somebody else wrote before. After an error nobody
	// knows whether they are stored.
	Write(ctx context.Context, claims Claims, revision uint64) (uint64, error)
	// Over reports whether a membership is over for certain, so that nothing is
	// called under it any more.
	Over(ctx context.Context, member string) (bool, error)
	// Changed tells that somebody wrote; once for many times is enough.
	Changed() <-chan struct{}
}

// Sharer holds a destination on one worker to its part of the limits that all of
// the destination's workers have together.
//
// Whatever happens, the parts in use never add up to more than the limits: a
// worker begins with nothing, gives up before others take up, and what a dead one
// had is given out when its membership is over for certain. A part that nobody
// else needs stays where it is. Where there are fewer parts than workers that need
// one, they take turns.
type Sharer struct {
	Destination *Destination // with Shared set
	Rate        *Rate        // the destination's
	Limits      Share
	Shares      Shares
	Member      string // this worker's membership

	claims   Claims // as last read or written
	revision uint64
	read     bool  // they are the newest known
	unsure   bool  // what was written last may be stored or not: only the next write tells
	sure     Share // then: what this worker has in either case

	uses     Share           // in use here; never more than the claim has
	atOnce   bool            // what was taken last was all that was free
	refused  int             // looks in a row at which calls had to wait
	lastRead time.Time       // when the claims were read
	behind   time.Time       // since when what is read is older than what was read before; zero: it is not
	gone     map[string]bool // memberships that are over
	looked   time.Time       // when it was asked for them
	turn     time.Time       // since when others wait for a turn that this worker has
	wake     time.Time       // when what was given up here is to be told; zero: not known
}

const (
	shareTick = 250 * time.Millisecond
	// turnTime is how long a worker has its turn while others wait for one.
	turnTime = 5 * time.Second
	// lookShort and lookIdle are how often it is looked whether others are gone,
	// while something is missing here and otherwise.
	lookShort, lookIdle = time.Second, time.Minute
	// readAnew is how often the claims are read whatever was heard: a server that
	// leads no more, and doesn't know it, answers with old ones.
	readAnew = 5 * time.Second
	// oldLeads is how long a server that leads no more may go on answering; one that
	// is cut off from the others knows it after some seconds.
	oldLeads = 20 * time.Second
	// shareTries is how often a change is tried at once while others write too.
	shareTries = 20
	// longWait is at how many looks in a row calls had to wait where it is not
	// chance: as many calls are needed as there are.
	longWait = 2
)

// Run shares until ctx ends, which is when the membership does.
func (s *Sharer) Run(ctx context.Context) {
	s.gone = map[string]bool{}
	s.Destination.init()
	tick := time.NewTicker(shareTick)
	defer tick.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	needs := s.needs(time.Now())
	for {
		s.adjust(ctx, needs)
		wake.Stop()
		if !s.wake.IsZero() {
			wake.Reset(time.Until(s.wake))
		}
		select {
		case <-s.Shares.Changed():
			s.read = false
		case <-tick.C:
			needs = s.needs(time.Now())
		case <-s.Destination.asks:
			needs = needs.most(s.Destination.needs(s.Limits))
		case <-wake.C:
		case <-ctx.Done():
			s.apply(context.WithoutCancel(ctx), Share{})
			return
		}
	}
}

// Leave gives back what is this worker's, after Run and after the last call.
func (s *Sharer) Leave(ctx context.Context) error {
	for {
		claims, revision, err := s.Shares.Read(ctx)
		if err != nil {
			return err
		}
		me := claims.of(s.Member)
		if me < 0 {
			return nil
		}
		if revision, err = s.Shares.Write(ctx, slices.Delete(claims, me, me+1), revision); err != nil || revision > 0 {
			return err
		}
	}
}

// needs is what this worker has use for.
func (s *Sharer) needs(now time.Time) Share {
	needs := s.Destination.needs(s.Limits)
	calls, refused := s.Rate.used(now)
	if s.refused++; !refused {
		s.refused = 0
	}
	switch {
	case s.refused >= longWait:
		needs.CallsPerSecond = s.Limits.CallsPerSecond
	case refused:
		calls++
	}
	needs.CallsPerSecond = min(max(needs.CallsPerSecond, float64(calls)), s.Limits.CallsPerSecond)
	if needs.CallsPerSecond > 0 {
		needs.Concurrency = max(needs.Concurrency, 1)
	}
	return needs
}

// adjust brings this worker to its fair share, as far as the others let it.
func (s *Sharer) adjust(ctx context.Context, needs Share) {
	if s.lookDue(needs) || time.Since(s.lastRead) >= readAnew {
		s.read = false // whatever was heard or not: what was read then may have been old
	}
	for range shareTries {
		if !s.read {
			claims, revision, err := s.readClaims(ctx)
			if err != nil || revision < s.revision && !s.wentBack(ctx) {
				return
			}
			s.know(claims, revision)
			s.lastRead, s.behind = time.Now(), time.Time{}
		}
		s.look(ctx, needs)
		next := s.plan(ctx, needs)
		if next == nil {
			return
		}
		revision, err := s.writeClaims(ctx, next)
		s.read = false
		if revision > 0 && err == nil {
			s.know(next, revision)
			s.unsure = false
		}
		if err != nil {
			s.sure = s.certain().least(next.has(s.Member))
			s.unsure = true
			return
		}
	}
}

// plan uses what may be used, and returns the claims as they should be; nil: as
// they are.
func (s *Sharer) plan(ctx context.Context, needs Share) Claims {
	s.wake = time.Time{}
	next := slices.DeleteFunc(slices.Clone(s.claims), func(c Claim) bool { return s.gone[c.Member] })
	changed := len(next) < len(s.claims)
	me := next.of(s.Member)
	if me < 0 {
		next = append(next, Claim{Member: s.Member})
		me = len(next) - 1
	}
	mine := &next[me]
	if s.unsure {
		mine.Has, changed = s.sure, true
	}
	has := mine.Has
	othersWait, turn := next.wait(s.Limits, me)
	if othersWait || needs.lacks(has, s.Limits) {
		changed = next.need(me, needs, s.Limits) || changed
		othersWait, turn = next.wait(s.Limits, me)
	}
	if s.turnOver(next, me, turn) {
		next = append(slices.Delete(next, me, me+1), Claim{s.Member, needs, has})
		me, changed = len(next)-1, true
		mine = &next[me]
		othersWait, _ = next.wait(s.Limits, me)
	}
	fair := next.fair(s.Limits)[me]
	if less := has.least(fair); othersWait && has != less {
		if s.giveUp(ctx, has, less) {
			mine.Has, changed = less, true
		}
	} else {
		s.apply(ctx, has)
		to := fair
		if !othersWait && !fair.lacks(has, s.Limits) {
			to = next.even(s.Limits)[me]
		}
		if more := has.grown(to, next.free(s.Limits), s.Limits); more != has {
			mine.Has, changed = more, true
			s.atOnce = has.CallsPerSecond == 0 && next.free(s.Limits).CallsPerSecond < slack
		}
	}
	if !changed {
		return nil
	}
	return next
}

// turnOver reports whether this worker's turn goes to another one now: the first
// in line of those that have one leaves it.
func (s *Sharer) turnOver(claims Claims, me int, waited bool) bool {
	seated := claims.seated(s.Limits)
	if !waited || slices.Index(seated, true) != me {
		s.turn = time.Time{}
		return false
	}
	now := time.Now()
	if s.turn.IsZero() {
		s.turn = now
	}
	if now.Sub(s.turn) < turnTime/time.Duration(s.Limits.seats()) {
		return false
	}
	s.turn = time.Time{}
	return true
}

// giveUp uses less, and reports whether the provider feels no more of what was
// used beyond it. What is under way is finished with the calls that it may need.
func (s *Sharer) giveUp(ctx context.Context, from, to Share) bool {
	first := to
	if to.Concurrency == 0 && s.Destination.calling.Load() > 0 {
		first.CallsPerSecond = from.CallsPerSecond
	}
	s.apply(ctx, first)
	if s.Destination.calling.Load() > int64(to.Concurrency) {
		return false // the loop asks when it is not
	}
	s.apply(ctx, to)
	if at := s.Rate.free(from.CallsPerSecond); time.Now().Before(at) {
		s.wake = at
		return false
	}
	return true
}

// apply makes the loop use a share. It returns when nothing beyond it is begun.
func (s *Sharer) apply(ctx context.Context, share Share) {
	if s.uses == share {
		return
	}
	s.uses = share
	s.Rate.Set(share.CallsPerSecond, s.atOnce)
	s.Destination.allow(ctx, share.Concurrency)
}
