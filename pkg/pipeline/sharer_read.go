package pipeline

import (
	"context"
	"maps"
	"time"
)

// storeTime is how long the record may take: a worker that waits for it does not
// give up what others wait for.
const storeTime = 5 * time.Second

func (s *Sharer) readClaims(ctx context.Context) (Claims, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return s.Shares.Read(ctx)
}

// know takes in claims as they were read or written. Who is no longer among them and
// comes back is there, whatever a server said that had not seen him come.
func (s *Sharer) know(claims Claims, revision uint64) {
	s.claims, s.revision, s.read = claims, revision, true
	maps.DeleteFunc(s.gone, func(member string, _ bool) bool { return claims.of(member) < 0 })
}

// wentBack reports whether the record itself has gone back, as one that was lost, and
// not just the answer of a server that leads no more. Then nobody knows any more what
// he has: all stop using it, and start anew when all have stopped.
func (s *Sharer) wentBack(ctx context.Context) bool {
	if s.behind.IsZero() {
		s.behind = time.Now()
	}
	since := time.Since(s.behind)
	if since < oldLeads {
		return false
	}
	s.apply(ctx, Share{})
	if since < oldLeads+2*readAnew {
		return false
	}
	s.sure, s.unsure = Share{}, true
	return true
}

func (s *Sharer) writeClaims(ctx context.Context, claims Claims) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return s.Shares.Write(ctx, claims, s.revision)
}

// lookDue reports whether it is time to look.
func (s *Sharer) lookDue(needs Share) bool {
	every := lookIdle
	if needs.lacks(s.uses, s.Limits) {
		every = lookShort
	}
	return time.Since(s.looked) >= every
}

// look asks every now and then whether other memberships are over.
func (s *Sharer) look(ctx context.Context, needs Share) {
	if s.lookDue(needs) {
		s.looked = time.Now()
		ctx, cancel := context.WithTimeout(ctx, storeTime) // for all of them
		defer cancel()
		for _, c := range s.claims {
			if c.Member == s.Member || s.gone[c.Member] {
				continue
			}
			if over, err := s.Shares.Over(ctx, c.Member); err == nil && over {
				s.gone[c.Member] = true
			}
		}
	}
}

// certain is what this worker has, whatever became of what was written last.
func (s *Sharer) certain() Share {
	if s.unsure {
		return s.sure
	}
	return s.claims.has(s.Member)
}
