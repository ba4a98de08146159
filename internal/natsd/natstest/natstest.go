// Package natstest gives tests a real NATS server of their own, on a free port
// of 127.0.0.1 and in a folder that goes with the test.
package natstest

import (
	"testing"
	"time"

	"github.com/custsync/custsync/internal/natsd"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Server is a NATS server that a test may restart.
type Server struct {
	URL string

	t      testing.TB
	config natsd.Config
	server *natsd.Server
}

// Start runs a server that does not wait for the disk.
func Start(t testing.TB) *Server { return start(t, natsd.Config{Unsynced: true}) }

// StartSynced runs a server that has all it acknowledges on the disk.
func StartSynced(t testing.TB) *Server { return start(t, natsd.Config{}) }

func start(t testing.TB, c natsd.Config) *Server {
	t.Helper()
	c.Listen, c.StoreDir, c.Log = "127.0.0.1:0", t.TempDir(), zerolog.Nop()
	s := &Server{t: t, config: c}
	s.run()
	t.Cleanup(s.Stop)
	return s
}

func (s *Server) run() {
	s.t.Helper()
	server, err := natsd.Start(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server, s.URL = server, server.URL()
}

// Stop ends the server. Stopping it again does nothing.
func (s *Server) Stop() {
	s.t.Helper()
	if s.server == nil {
		return
	}
	if err := s.server.Shutdown(); err != nil {
		s.t.Error(err)
	}
	s.server = nil
}

// Restart stops the server, if it runs, and starts it again on the same folder
// and address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.config.Listen = s.Address()
	s.run()
}

// Address is host:port of the server.
func (s *Server) Address() string { return s.URL[len("nats://"):] }

// Connect returns a connection that comes back quickly after a restart and is
// closed with the test.
func (s *Server) Connect() *nats.Conn {
	s.t.Helper()
	return Connect(s.t, s.URL)
}

// Connect is Server.Connect for another address, such as a proxy's.
func Connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.RetryOnFailedConnect(true), nats.Timeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
