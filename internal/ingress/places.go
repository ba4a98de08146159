package ingress

import (
	"context"
	"sync"
	"time"
)

// places are what requests need to be carried out, all of which are taken when
// JetStream is slow. One shop can't take the last quarter, however slowly it
// sends: others find room.
type places struct {
	all   chan struct{}
	share int // of one shop

	mu    sync.Mutex
	shops map[string]chan struct{} // as many as have a token
}

func newPlaces(n int) *places {
	return &places{all: make(chan struct{}, n), share: n - n/4, shops: make(map[string]chan struct{})}
}

func (p *places) of(shop string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shops[shop] == nil {
		p.shops[shop] = make(chan struct{}, p.share)
	}
	return p.shops[shop]
}

// taken is how many there are requests in.
func (p *places) taken() int { return len(p.all) }

// enter takes a place, waiting for one for a moment. leave gives it back; nil:
// there was none.
func (p *places) enter(ctx context.Context, shop string, patience time.Duration) (leave func()) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	take := func(from chan struct{}) bool {
		select {
		case from <- struct{}{}:
			return true
		default:
		}
		select {
		case from <- struct{}{}:
			return true
		case <-timer.C:
		case <-ctx.Done():
		}
		return false
	}
	own := p.of(shop)
	if !take(own) {
		return nil
	}
	if !take(p.all) {
		<-own
		return nil
	}
	return func() { <-p.all; <-own }
}
