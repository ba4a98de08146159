// Package ingress takes customers' changes over HTTP, for shops without a NATS
// client.
//
// Promises: 202 says that JetStream stored the event, or had stored it before; a
// token publishes for its shops only, and no shop can keep the others out; what can't be stored soon is refused, by
// 429 or 503 with Retry-After, rather than piled up; memory is bounded by the
// requests at once and their limits; answers and logs hold ids, never a
// customer's data.
package ingress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/intake"
	"github.com/custsync/custsync/pkg/events"
)

// Server answers shops. Set its fields before the first call.
type Server struct {
	Conn      *nats.Conn        // required; whether NATS is there
	Publisher *events.Publisher // required
	Tokens    func() *Tokens    // required; asked at every request, so that tokens can change
	Log       zerolog.Logger

	Requests int           // at once; 0: 256
	Queue    time.Duration // how long a request waits to be one of them; 0: 250 ms
	Store    time.Duration // how long JetStream may take over an event; 0: 10 s
	MaxBody  int64         // bytes of NDJSON; 0: 32 MiB
	MaxLines int           // of NDJSON; 0: 10,000

	once    sync.Once
	places  *places
	clock   intake.Clock
	metrics *metrics
	closing atomic.Bool
}

const (
	maxSingle = intake.MaxLine // bytes of one document: as a line of NDJSON

	headerTimeout = 5 * time.Second
	readTimeout   = time.Minute     // a body of the largest size at 0.5 MiB/s
	idleTimeout   = 2 * time.Minute // longer than load balancers keep connections
)

func or[T int | int64 | time.Duration](v, zero T) T {
	if v <= 0 {
		return zero
	}
	return v
}

func (s *Server) init() {
	s.once.Do(func() {
		s.places = newPlaces(or(s.Requests, 256))
		s.metrics = newMetrics(s)
	})
}

// Serve answers until ctx ends, then lets the requests under way end, for as
// long as grace.
func (s *Server) Serve(ctx context.Context, listener net.Listener, grace time.Duration) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + or(s.Store, 10*time.Second) + 10*time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.closing.Store(true)
	graceCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(graceCtx)
	if errors.Is(err, context.DeadlineExceeded) { // somebody sends too slowly, and was told nothing: no failure of ours
		s.Log.Warn().Msg("requests were cut off, since they took longer than the grace")
		err = server.Close()
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// route is one thing that can be asked for. The OpenAPI document has the same.
type route struct {
	method, path string
	handle       func(*exchange)
	open         bool // without a token and at any time
}

func (s *Server) routes() []route {
	return []route{
		{http.MethodPost, "/v1/shops/{shop}/customers", s.publish, false},
		{http.MethodDelete, "/v1/shops/{shop}/customers/{id}", s.remove, false},
		{http.MethodGet, "/healthz", s.healthz, true},
		{http.MethodGet, "/readyz", s.readyz, true},
		{http.MethodGet, "/metrics", s.showMetrics, true},
		{http.MethodGet, "/openapi.json", s.openAPI, true},
	}
}

// Handler returns the routes.
func (s *Server) Handler() http.Handler {
	s.init()
	mux := http.NewServeMux()
	allowed := make(map[string]string)
	for _, r := range s.routes() {
		mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, r) })
		if allowed[r.path] != "" {
			allowed[r.path] += ", "
		}
		allowed[r.path] += r.method
	}
	for path, methods := range allowed {
		r := route{path: path, open: true, handle: func(x *exchange) {
			x.w.Header().Set("Allow", methods)
			x.refuse(http.StatusMethodNotAllowed, "this address takes "+methods)
		}}
		mux.HandleFunc(path, func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, r) })
	}
	nothing := route{path: "other", open: true, handle: func(x *exchange) { x.refuse(http.StatusNotFound, "nothing is here; see /openapi.json") }}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, nothing) })
	return mux
}

// serve is what all routes have in common.
func (s *Server) serve(w http.ResponseWriter, req *http.Request, r route) {
	x := &exchange{s: s, w: w, req: req, id: requestID(req), began: time.Now()}
	w.Header().Set("X-Request-Id", x.id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		took := time.Since(x.began)
		s.metrics.request(r.path, x.status, took)
		if !r.open || x.status >= 500 {
			s.Log.Info().Str("request", x.id).Str("method", req.Method).Str("route", r.path).Str("shop", req.PathValue("shop")).
				Int("status", x.status).Int("lines", x.lines).Dur("took_ms", took).Msg("request")
		}
	}()
	if r.open {
		r.handle(x)
		return
	}
	if !x.admitted() {
		return
	}
	leave := s.places.enter(req.Context(), req.PathValue("shop"), or(s.Queue, 250*time.Millisecond))
	if leave == nil {
		x.w.Header().Set("Retry-After", "1")
		x.refuse(http.StatusTooManyRequests, "too many requests are under way; come back")
		return
	}
	defer leave()
	if !s.Conn.IsConnected() {
		x.unavailable("NATS is away; come back")
		return
	}
	r.handle(x)
}
