package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// readyWithin is generous: a store of millions of subjects takes seconds to open.
const readyWithin = time.Minute

// How the broker syncs what it stores.
const (
	syncDefault = "default" // every two minutes
	syncAlways  = "always"  // before it answers
)

// newBrokerCommand is a nats-server as a child.
func newBrokerCommand() *cobra.Command {
	var store string
	var always bool
	cmd := &cobra.Command{
		Use:    "broker",
		Short:  "Run the broker of a benchmark",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			srv, err := natsserver.NewServer(&natsserver.Options{
				Host: "127.0.0.1", Port: natsserver.RANDOM_PORT,
				JetStream: true, StoreDir: store, SyncAlways: always,
				NoSigs: true, NoLog: true,
			})
			if err != nil {
				return fmt.Errorf("make server: %w", err)
			}
			srv.Start()
			defer srv.WaitForShutdown()
			defer srv.Shutdown()
			if !srv.ReadyForConnections(readyWithin) {
				return errors.New("start server: not ready in time")
			}
			return answerParent(cmd.InOrStdin(), cmd.OutOrStdout(), srv.ClientURL(), func() any { return cpuOfSelf() })
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "`folder` of the file store")
	cmd.Flags().BoolVar(&always, "sync-always", false, "sync every write")
	return cmd
}

// server is a nats-server in a process of its own, on a store of its own.
type server struct {
	*child
	store string
}

// startServer starts a nats-server on an empty store. The caller stops it.
func startServer(ctx context.Context, sync string) (*server, error) {
	store, err := os.MkdirTemp("", "custsync-bench-")
	if err != nil {
		return nil, fmt.Errorf("make store: %w", err)
	}
	c, err := startChild(ctx, "broker", "--store", store, fmt.Sprintf("--sync-always=%t", sync == syncAlways))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(store))
	}
	return &server{c, store}, nil
}

func (s *server) connect() (*nats.Conn, error) {
	nc, err := nats.Connect(s.URL, nats.Name("bench"), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect to server: %w", err)
	}
	return nc, nil
}

// cpu is the processor time that the server has used so far.
func (s *server) cpu() (time.Duration, error) {
	var used time.Duration
	err := s.ask(&used)
	return used, err
}

// stop ends the server and removes its store.
func (s *server) stop() error {
	return errors.Join(s.child.stop(), os.RemoveAll(s.store))
}
