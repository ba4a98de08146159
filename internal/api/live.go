package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/custsync/custsync/internal/ops"
)

const (
	lookEvery = time.Second
	// countShare is how many times as long as the counting took the pause after it
	// is: the server counts through all customers, and serves the workers too.
	countShare = 20
	countLeast = 2 * time.Second
	sampleTime = 5 * time.Minute
	sampleStep = 2 * time.Second
	// lingers is how long it is looked on after the last one who looked has gone, so
	// that a page that is loaded anew finds its charts filled.
	lingers     = time.Minute
	pingEvery   = 10 * time.Second
	lineTimeout = 10 * time.Second
	// followTime is how long one connection is served: the next has to be admitted anew.
	followTime = 15 * time.Minute
)

// sample is how fast a destination was at one time.
type sample struct {
	At             time.Time `json:"at"`
	RowsPerSecond  float64   `json:"rows_per_second"`
	CallsPerSecond float64   `json:"calls_per_second"`
	Waiting        uint64    `json:"waiting"`
}

// live looks at the fleet once for all who follow, and only while somebody does.
type live struct {
	server *Server

	mu      sync.Mutex
	looking bool
	left    time.Time              // when the last one left
	users   map[chan struct{}]bool // who follow; told that there is news
	news    map[string]news        // by kind
	samples map[string][]sample    // by destination
	counts  map[string]ops.DestinationStatus
}

// news is the last document of a kind, and how many there were.
type news struct {
	data []byte
	n    int
}

func newLive(s *Server) *live {
	return &live{
		server: s, users: map[chan struct{}]bool{}, news: map[string]news{}, samples: map[string][]sample{},
		counts: map[string]ops.DestinationStatus{},
	}
}

func (l *live) history() map[string][]sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]sample{}
	for name, samples := range l.samples {
		all[name] = append([]sample{}, samples...)
	}
	return all
}

// join has whoever follows told of news, until leave is called.
func (l *live) join() (told chan struct{}, leave func()) {
	told = make(chan struct{}, 1)
	told <- struct{}{} // what is known already
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[told] = true
	if !l.looking {
		l.looking = true
		go l.look()
	}
	return told, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.users, told)
		l.left = time.Now()
	}
}

// over reports whether nobody has followed for a while, and ends the looking then.
func (l *live) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server.Stop.Err() == nil && (len(l.users) > 0 || time.Since(l.left) < lingers) {
		return false
	}
	l.looking = false
	clear(l.news)
	return true
}

// there reports whether NATS is.
func (s *Server) there() bool { return s.Connected == nil || s.Connected() }

// look looks at the fleet until nobody follows any more.
func (l *live) look() {
	ctx, cancel := context.WithCancel(l.server.Stop)
	defer cancel()
	var counting sync.WaitGroup
	counting.Go(func() { l.count(ctx) })
	defer counting.Wait()
	defer cancel()
	clock := time.NewTicker(lookEvery)
	defer clock.Stop()
	for !l.over() {
		if l.server.there() {
			l.once(ctx)
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
		}
	}
}

// once looks at what the workers tell.
func (l *live) once(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lineTimeout)
	defer cancel()
	board, err := l.server.Streams.Board(ctx)
	if err != nil {
		return // whoever asks for it otherwise is told why
	}
	desk := l.server.desk()
	view := desk.Overview(board)
	l.mu.Lock()
	now := time.Now().UTC()
	for i := range view.Destinations {
		st := &view.Destinations[i].DestinationStatus
		if c, counted := l.counts[st.Name]; counted {
			st.Waiting, st.Retrying, st.Dead, st.OldestWaitingAt = c.Waiting, c.Retrying, c.Dead, c.OldestWaitingAt
		}
		l.sample(now, st)
	}
	counted := len(l.counts) > 0 || len(view.Destinations) == 0
	l.mu.Unlock()
	if counted { // else what waits is not known yet
		l.publish("status", view)
	}
	l.publish("workers", desk.BoardWorkers(board))
	if mark, err := l.server.Streams.LettersMark(ctx); err == nil {
		l.publish("letters", map[string]uint64{"last": mark.Last, "stored": mark.Stored})
	}
}

func (l *live) sample(now time.Time, st *ops.DestinationStatus) {
	samples := l.samples[st.Name]
	if n := len(samples); n > 0 && now.Sub(samples[n-1].At) < sampleStep {
		return
	}
	for len(samples) > 0 && now.Sub(samples[0].At) > sampleTime {
		samples = samples[1:]
	}
	l.samples[st.Name] = append(samples, sample{now, st.RowsPerSecond, st.CallsPerSecond, st.Waiting})
}

// count finds what waits and what is dead, no more often than is cheap.
func (l *live) count(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		if board, err := l.server.Streams.Board(ctx); err == nil {
			desk := l.server.desk()
			for _, view := range desk.Overview(board).Destinations {
				if desk.Count(ctx, board, &view.DestinationStatus) == nil {
					l.mu.Lock()
					l.counts[view.Name] = view.DestinationStatus
					l.mu.Unlock()
				}
			}
		}
		rest := time.NewTimer(max(countShare*time.Since(began), countLeast))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
		}
	}
}

// publish keeps a document and tells those who follow, if it is another one.
func (l *live) publish(kind string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // cannot be: these are documents of ours
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.news[kind]
	if bytes.Equal(old.data, data) {
		return
	}
	l.news[kind] = news{data, old.n + 1}
	for told := range l.users {
		select {
		case told <- struct{}{}:
		default:
		}
	}
}

// serve writes news as server-sent events until whoever follows has gone.
func (l *live) serve(x *exchange) error {
	told, leave := l.join()
	defer leave()
	ctx, cancel := context.WithTimeout(x.req.Context(), followTime)
	defer cancel()
	line := http.NewResponseController(x.w)
	write := func(format string, args ...any) error {
		if err := line.SetWriteDeadline(time.Now().Add(lineTimeout)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(x.w, format, args...); err != nil {
			return err
		}
		return line.Flush()
	}
	if write("retry: 2000\n\n") != nil {
		return nil
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	seen := map[string]int{}
	for {
		select {
		case <-told:
		case <-ping.C:
			if write("event: ping\ndata: {}\n\n") != nil {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
		for _, kind := range []string{"status", "workers", "letters"} {
			l.mu.Lock()
			n := l.news[kind]
			l.mu.Unlock()
			if n.n == seen[kind] {
				continue
			}
			seen[kind] = n.n
			if write("event: %s\ndata: %s\n\n", kind, n.data) != nil {
				return nil
			}
		}
	}
}
