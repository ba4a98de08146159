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
	server  *http.Server
	ended   chan struct{} // closed when nothing is served any more
	opened  chan struct{} // closed when the site is there
	site    http.Handler
	streams *stream.Streams // the site's; nil: there is none
	end     context.CancelFunc
}

// listen opens the address at once, so that a taken one stops the start, and serves
// health and metrics: whoever asks whether the worker is alive has to hear so while it
// waits for NATS, or would kill it for that. The site comes later.
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
	s := &web{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
		ended:  make(chan struct{}), opened: make(chan struct{}), end: func() {},
	}
	if w.Site != nil {
		mux.HandleFunc("/", s.whenOpened)
	}
	go func() {
		defer close(s.ended)
		if err := s.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			_ = s.server.Close()
		}
	}()
	w.Log.Info().Str("listen", l.Addr().String()).Msg("http")
	return s, nil
}

// open adds the site, and waits for JetStream to answer. It reports false when ctx
// ends before.
func (s *web) open(ctx context.Context, w *Worker) (bool, error) {
	if w.Site == nil {
		return true, nil
	}
	// Streams of its own, so that what people read takes no place of the loops'.
	streams, err := insist(ctx, w, func() (*stream.Streams, error) { return stream.Attach(ctx, w.nc) })
	if err != nil {
		return false, fmt.Errorf("http: %w", err)
	}
	if streams == nil {
		return false, nil
	}
	s.streams = streams
	var site context.Context
	site, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.site = w.Site(site, streams, w.nc.IsConnected)
	close(s.opened)
	return true, nil
}

// siteWait is how long who asks for the site waits for the start to be over.
const siteWait = 10 * time.Second

// whenOpened serves the site, once it is there.
func (s *web) whenOpened(rw http.ResponseWriter, r *http.Request) {
	wait := time.NewTimer(siteWait)
	defer wait.Stop()
	select {
	case <-s.opened:
		s.site.ServeHTTP(rw, r)
	case <-wait.C:
		http.Error(rw, starting, http.StatusServiceUnavailable)
	case <-r.Context().Done():
	}
}

// close ends it all; it may be called again.
func (s *web) close() {
	_ = s.server.Close()
	<-s.ended
	s.end()
	if s.streams != nil {
		s.streams.Close()
		s.streams = nil
	}
}

const starting = "the worker is starting: nats does not answer yet"

// readyz says yes while NATS is there and this worker has its share of shards.
func (w *Worker) readyz(rw http.ResponseWriter, _ *http.Request) {
	switch {
	case !w.made.Load():
		http.Error(rw, starting, http.StatusServiceUnavailable)
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
