package sandbox

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// Server serves several stand-ins at one address, each below a path of its own.
type Server struct {
	// Addr is where to listen; empty: a free port of 127.0.0.1.
	Addr string
	// Providers are the stand-ins by the first part of their path, such as
	// "thulium"; the one under "" is served at the root.
	Providers map[string]Provider

	listener net.Listener
}

// Listen takes the address and returns the URL of the root. Serve does so by
// itself where the URL need not be known before.
func (s *Server) Listen() (url string, err error) {
	addr := s.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if s.listener, err = net.Listen("tcp", addr); err != nil {
		return "", err
	}
	return "http://" + s.listener.Addr().String(), nil
}

// Serve answers until ctx ends; then it cuts what is still open and returns nil.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		if _, err := s.Listen(); err != nil {
			return err
		}
	}
	server := http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP hands a call to the stand-in of its path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if p := s.Providers[name]; p != nil && name != "" {
		inner := *r
		u := *r.URL
		u.Path = "/" + rest
		if u.RawPath != "" {
			u.RawPath = strings.TrimPrefix(u.RawPath, "/"+name)
		}
		inner.URL = &u
		p.ServeHTTP(w, &inner)
		return
	}
	if p := s.Providers[""]; p != nil {
		p.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}
