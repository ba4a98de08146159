package cartum

import (
	"context"
	"sync"
	"time"
)

const (
	tokenLife  = 600 * time.Second // documented
	renewEarly = 30 * time.Second  // so that a token does not end while its call is on the way
)

// session is the token that all deliveries share. One of them opens it while the
// others wait for it.
type session struct {
	open func(ctx context.Context) (token string, err error)

	mu      sync.Mutex
	token   string
	until   time.Time
	opening *opening // nil: nobody opens it
}

// opening is one login, for all who wait for it.
type opening struct {
	done  chan struct{}
	ended bool // the opener's own ctx ended, which is nobody else's matter
	token string
	err   error
}

// get returns a token that is not refused, the one that was found to be refused;
// it logs in where it has none.
func (s *session) get(ctx context.Context, refused string) (string, error) {
	for {
		s.mu.Lock()
		if s.token != "" && s.token != refused && time.Now().Before(s.until) {
			token := s.token
			s.mu.Unlock()
			return token, nil
		}
		other := s.opening
		if other == nil {
			mine := &opening{done: make(chan struct{})}
			s.opening = mine
			s.mu.Unlock()
			return s.login(ctx, mine)
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-other.done:
		}
		if !other.ended {
			return other.token, other.err
		}
	}
}

func (s *session) login(ctx context.Context, o *opening) (string, error) {
	// The token's life is counted from before the call, on the safe side.
	until := time.Now().Add(tokenLife - renewEarly)
	o.token, o.err = s.open(ctx)
	o.ended = o.err != nil && ctx.Err() != nil

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token, s.until = o.token, until; o.err != nil {
		s.token = ""
	}
	s.opening = nil
	close(o.done)
	return o.token, o.err
}
