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
)

// web is the worker's own HTTP: health and metrics.
type web struct {
	server   *http.Server
	listener net.Listener
}

// listen opens the address at once, so that a taken one stops the start.
func (w *Worker) listen() (*web, error) {
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
	w.Log.Info().Str("listen", l.Addr().String()).Msg("http")
	return &web{&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, l}, nil
}

// run serves until ctx ends.
func (s *web) run(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { _ = s.server.Close() })()
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
