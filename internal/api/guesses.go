package api

import (
	"hash/maphash"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// guessesAtOnce is how many wrong tokens one address may try; then it is one in
	// each guessEvery. A slip of the hand never comes so far, nor a script with an
	// old token that asks a few times a minute.
	guessesAtOnce = 20
	guessEvery    = time.Second
)

// guesses bounds how fast tokens can be guessed, by address. Where it is used up, no
// token is compared, or else the right one would still be found. Addresses share a
// fixed number of places, so that many of them take no memory and gain little.
type guesses struct {
	mu     sync.Mutex
	seed   maphash.Seed
	places [256]*rate.Limiter
}

func newGuesses() *guesses {
	g := &guesses{seed: maphash.MakeSeed()}
	for i := range g.places {
		g.places[i] = rate.NewLimiter(rate.Every(guessEvery), guessesAtOnce)
	}
	return g
}

func (g *guesses) place(address string) *rate.Limiter {
	return g.places[maphash.String(g.seed, address)%uint64(len(g.places))]
}

// judge asks whether a token is right, and counts those that are not.
func (g *guesses) judge(req *http.Request, right func() bool) (bool, error) {
	from, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		from = req.RemoteAddr
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	place := g.place(from)
	if place.Tokens() < 1 {
		return false, refused(http.StatusTooManyRequests, "too many wrong tokens came from this address: come back in a few seconds")
	}
	if right() {
		return true, nil
	}
	place.Allow()
	return false, nil
}
