// Package api is the worker's HTTP for operators, /api/v1/…: the same questions
// and deeds as the commands, with the same JSON.
//
// Promises: nothing is answered or done without the token, where one is
// configured, or from another site's page; a mistyped parameter is refused and
// never selects everything; a customer's own values are masked until a person
// asks for them, which is recorded before they are shown; logs hold ids, never a
// customer's data; however many letters there are, a window of them is in memory.
package api

import (
	"context"
	_ "embed" // the document
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/pkg/stream"
)

//go:embed openapi.json
var document []byte

// Server answers operators. Set its fields before the first call.
type Server struct {
	Config    *config.Config  // required
	Streams   *stream.Streams // required
	Renderers *ops.Renderers  // required
	Connected func() bool     // whether NATS is there; nil: it is
	Stop      context.Context // ends what goes on between requests; nil: never
	Log       zerolog.Logger

	once    sync.Once
	keys    *keys
	guesses *guesses
	heavy   chan struct{} // places for what reads much
	deeds   chan struct{} // places for what acts on many, which may take as long as its rate says
	live    *live
}

const (
	// heavyAtOnce is how many lists and audits may be under way.
	heavyAtOnce = 4
	// deedsAtOnce is how many replays, edits and discards may be.
	deedsAtOnce = 16
	maxBody     = 1 << 20
	// bodyTime is how long a request's body may take to come.
	bodyTime = 15 * time.Second
)

func (s *Server) init() {
	s.once.Do(func() {
		s.keys = newKeys(string(s.Config.HTTP.Token))
		s.guesses = newGuesses()
		s.heavy = make(chan struct{}, heavyAtOnce)
		s.deeds = make(chan struct{}, deedsAtOnce)
		if s.Stop == nil {
			s.Stop = context.Background()
		}
		s.live = newLive(s)
	})
}

// route is one thing that can be asked for. The OpenAPI document has the same.
type route struct {
	method, path string
	handle       func(*exchange) error
	params       []string // query parameters that it takes
	open         bool     // without a token
	heavy        bool     // reads much, or acts on many
}

const base = "/api/v1"

func (s *Server) routes() []route {
	one := []string{"destination", "shop", "customer"}
	filter := append([]string{"reason", "fingerprint", "older_than"}, one...)
	page := []string{"limit", "cursor"}
	bulk := []string{"dry_run", "rows", "rate", "up_to"}
	with := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	return []route{
		{method: http.MethodGet, path: "/openapi.json", handle: s.openAPI, open: true},
		{method: http.MethodGet, path: "/session", handle: s.session, open: true},
		{method: http.MethodPost, path: "/session", handle: s.login, open: true},
		{method: http.MethodDelete, path: "/session", handle: s.logout, open: true},
		{method: http.MethodGet, path: "/destinations", handle: s.destinations},
		{method: http.MethodGet, path: "/destinations/history", handle: s.history},
		{method: http.MethodPost, path: "/destinations/{destination}/pause", handle: s.pause},
		{method: http.MethodPost, path: "/destinations/{destination}/resume", handle: s.resume},
		{method: http.MethodGet, path: "/deadletters", handle: s.letters, params: with(filter, page), heavy: true},
		{method: http.MethodGet, path: "/deadletters/groups", handle: s.groups, params: filter, heavy: true},
		{method: http.MethodGet, path: "/deadletters/show", handle: s.show, params: one},
		{method: http.MethodPost, path: "/deadletters/unmask", handle: s.unmask, params: one},
		{method: http.MethodPost, path: "/deadletters/replay", handle: s.replay, params: with(filter, bulk, []string{"resume"}), heavy: true},
		{method: http.MethodPost, path: "/deadletters/edit", handle: s.edit, params: with(filter, bulk), heavy: true},
		{method: http.MethodPost, path: "/deadletters/discard", handle: s.discard, params: with(filter, bulk), heavy: true},
		{method: http.MethodPost, path: "/deadletters/undo", handle: s.undo, params: with(filter, bulk, []string{"run"}), heavy: true},
		{method: http.MethodGet, path: "/customers/{shop}/{customer}", handle: s.customer},
		{method: http.MethodGet, path: "/customers/{shop}/{customer}/history", handle: s.customerHistory},
		{method: http.MethodPost, path: "/customers/{shop}/{customer}/unmask", handle: s.unmaskCustomer},
		{method: http.MethodGet, path: "/audit", handle: s.audit, heavy: true},
		{method: http.MethodGet, path: "/workers", handle: s.workers},
		{method: http.MethodGet, path: "/actions", handle: s.actions, params: with([]string{"verb", "destination"}, page), heavy: true},
		{method: http.MethodGet, path: "/live", handle: s.follow},
	}
}

// Handler returns the routes below /api/v1/.
func (s *Server) Handler() http.Handler {
	s.init()
	mux := http.NewServeMux()
	allowed := map[string]string{}
	for _, r := range s.routes() {
		mux.HandleFunc(r.method+" "+base+r.path, func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, &r) })
		if allowed[r.path] != "" {
			allowed[r.path] += ", "
		}
		allowed[r.path] += r.method
	}
	for path, methods := range allowed {
		r := route{path: path, open: true, handle: func(x *exchange) error {
			x.w.Header().Set("Allow", methods)
			return refused(http.StatusMethodNotAllowed, "this address takes %s", methods)
		}}
		mux.HandleFunc(base+path, func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, &r) })
	}
	nothing := route{path: "other", open: true, handle: func(*exchange) error {
		return refused(http.StatusNotFound, "nothing is here; see "+base+"/openapi.json")
	}}
	mux.HandleFunc(base+"/", func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, &nothing) })
	return mux
}

// serve is what all routes have in common.
func (s *Server) serve(w http.ResponseWriter, req *http.Request, r *route) {
	x := &exchange{server: s, w: w, req: req, began: time.Now()}
	x.hurry()
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if err := s.answer(x, r); err != nil {
		x.fail(err)
	}
	line := s.Log.Debug()
	if req.Method != http.MethodGet || x.status >= http.StatusInternalServerError {
		line = s.Log.Info()
	}
	line.Str("method", req.Method).Str("route", r.path).Int("status", x.status).Str("by", x.by).
		Dur("took_ms", time.Since(x.began)).Msg("request")
}

func (s *Server) answer(x *exchange, r *route) error {
	if err := s.admit(x, r); err != nil {
		return err
	}
	if r.path != "other" {
		if err := x.query(r.params); err != nil {
			return err
		}
	}
	if r.open {
		return r.handle(x)
	}
	if s.Connected != nil && !s.Connected() {
		x.w.Header().Set("Retry-After", "2") // a lost connection is tried again every second
		return refused(http.StatusServiceUnavailable, "NATS is away; the worker tries to reach it: come back")
	}
	if r.heavy {
		places := s.heavy
		if r.method == http.MethodPost {
			places = s.deeds
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			return x.later(refused(http.StatusTooManyRequests, "too much is under way just now: come back in a moment"))
		}
	}
	return r.handle(x)
}

func (s *Server) openAPI(x *exchange) error {
	x.w.Header().Set("Content-Type", "application/json")
	x.begin(http.StatusOK)
	_, _ = x.w.Write(document) // whoever asked may be gone
	return nil
}

func (s *Server) desk() *ops.Desk {
	return &ops.Desk{Config: s.Config, Streams: s.Streams, Renderers: s.Renderers}
}

// desk is where the one who asks acts.
func (x *exchange) desk() *ops.Desk {
	d := x.server.desk()
	d.By = x.by
	return d
}
