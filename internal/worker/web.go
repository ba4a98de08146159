package worker

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/custsync/custsync/pkg/stream"
)

// Site makes what is served beside health and metrics, until ctx ends: what
// operators ask and do over HTTP, and the console. The streams are its own;
// connected tells whether NATS is there.
type Site func(ctx context.Context, streams *stream.Streams, connected func() bool) http.Handler

// web is the worker's own HTTP: health and metrics, and the site.
type web struct {
	server   *http.Server
	listener net.Listener
	streams  *stream.Streams // the site's; nil: there is none
	end      context.CancelFunc
}

// listen opens the address at once, so that a taken one stops the start.
func (w *Worker) listen(ctx context.Context) (*web, error) {
	l := w.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", w.Config.HTTP.Listen); err != nil {
			return nil, fmt.Errorf("http: listen: %w; set http.listen to another address", err)
		}
	}
	w.metrics.registry.MustRegister(w)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintln(rw, "ok") })
	mux.HandleFunc("GET /readyz", w.readyz)
	mux.Handle("GET /metrics", w.authorized(promhttp.HandlerFor(w.metrics.registry, promhttp.HandlerOpts{})))
	s := &web{server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, listener: l, end: func() {}}
	if w.Site != nil {
		// Streams of its own, so that what people read takes no place of the loops'.
		var err error
		if s.streams, err = stream.Attach(ctx, w.nc); err != nil {
			_ = l.Close()
			return nil, fmt.Errorf("http: %w", err)
		}
		var site context.Context
		site, s.end = context.WithCancel(context.WithoutCancel(ctx))
		mux.Handle("/", w.Site(site, s.streams, w.nc.IsConnected))
	}
	w.Log.Info().Str("listen", l.Addr().String()).Msg("http")
	return s, nil
}

// run serves until ctx ends.
func (s *web) run(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { _ = s.server.Close() })()
	if s.streams != nil {
		defer s.streams.Close()
	}
	defer s.end()
	if err := s.server.Serve(s.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		_ = s.server.Close()
	}
}

// readyz says yes while NATS is there and this worker has its share of shards.
func (w *Worker) readyz(rw http.ResponseWriter, _ *http.Request) {
	switch {
	case !w.nc.IsConnected():
		http.Error(rw, "nats is away", http.StatusServiceUnavailable)
	case !w.ready.Load():
		http.Error(rw, "shards are not settled", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(rw, "ready")
	}
}

// authorized asks for the token where one is configured.
func (w *Worker) authorized(next http.Handler) http.Handler {
	token := string(w.Config.HTTP.Token)
	if token == "" {
		return next
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			rw.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(rw, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(rw, r)
	})
}
