// Package natsd runs a NATS server inside this process, for users who have
// none.
//
// Promises: what the server acknowledges is on the disk (unless Unsynced says
// otherwise); one folder is used by one server at a time; a server that can't
// start is an error, never the end of the process; Shutdown returns when the
// folder is free again.
package natsd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"
)

// Config says where and how the server runs.
type Config struct {
	Listen   string // host:port; empty: 127.0.0.1:4222; port 0: any free one
	StoreDir string // where streams are kept; required
	Unsynced bool   // answer before data is on the disk: faster, and a power cut loses what came since the last sync
	// SyncEvery is how often data gets on the disk where Unsynced is set; 2 min.
	SyncEvery time.Duration
	Log       zerolog.Logger // gets the server's warnings and errors; the zero Logger drops them
	// Ready bounds the wait for the start; 60 s. A store of a million customers
	// takes six seconds to open.
	Ready time.Duration
}

// maxPayload holds the largest event, its dead letter's headers and a batch of
// look-ups with room to spare.
const maxPayload = 2 << 20

// Server is a running NATS server.
type Server struct {
	server *server.Server
	lock   *flock.Flock
}

// ErrInUse says that another server has the store folder open.
var ErrInUse = errors.New("in use by another process")

// Start runs a server and returns once it accepts connections.
func Start(c Config) (*Server, error) {
	host, port, err := address(c.Listen)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(c.StoreDir)
	if err != nil {
		return nil, err
	}
	s, err := start(c, host, port)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Server{server: s, lock: lock}, nil
}

func start(c Config, host string, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName:             "custsync",
		Host:                   host,
		Port:                   port,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               c.StoreDir,
		SyncAlways:             !c.Unsynced,
		SyncInterval:           c.SyncEvery,
		MaxPayload:             maxPayload,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	log := &logger{log: c.Log}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	wait := c.Ready
	if wait == 0 {
		wait = time.Minute
	}
	ready := s.ReadyForConnections(wait)
	switch fatal := log.fatal(); {
	case fatal != "":
		err = fmt.Errorf("embedded NATS: %s", fatal)
	case !ready:
		err = fmt.Errorf("embedded NATS: not ready after %v", wait)
	case !s.JetStreamEnabled():
		err = fmt.Errorf("embedded NATS: JetStream did not start on %s", c.StoreDir)
	}
	if err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return s, nil
}

// URL is what clients connect to.
func (s *Server) URL() string { return s.server.ClientURL() }

// Shutdown ends the server and frees its folder. Clients in this process are to
// be closed before.
func (s *Server) Shutdown() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	if err := s.lock.Unlock(); err != nil {
		return fmt.Errorf("unlock the store folder: %w", err)
	}
	return nil
}

// address splits host:port; the server's own word for any free port is -1.
func address(listen string) (host string, port int, err error) {
	if listen == "" {
		listen = "127.0.0.1:4222"
	}
	host, p, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("embedded NATS: listen on %q: %w", listen, err)
	}
	if port, err = strconv.Atoi(p); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("embedded NATS: listen on %q: the port is no number from 0 to 65535", listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// lockPatience is how long a server waits for the one before it to be gone, which
// takes a moment after it was killed.
const lockPatience = 3 * time.Second

// acquire locks the folder, since two servers on one folder would both start
// and destroy each other's streams.
func acquire(dir string) (*flock.Flock, error) {
	if dir == "" {
		return nil, errors.New("embedded NATS: no store folder is given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded NATS: store folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "custsync.lock"))
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	got, err := lock.TryLockContext(ctx, 50*time.Millisecond)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("embedded NATS: lock the store folder %s: %w", dir, err)
	}
	if !got {
		return nil, fmt.Errorf("embedded NATS: the store folder %s is %w: stop that one, or connect to it with nats.url", dir, ErrInUse)
	}
	return lock, nil
}
