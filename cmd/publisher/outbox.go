package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/outbox"
	"github.com/custsync/custsync/pkg/events"
)

// database is how every verb of the outbox is told of its PostgreSQL.
type database struct {
	dsn     string
	dsnFile string
}

func (d *database) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&d.dsn, "dsn", "", "`DSN` of the database, such as postgres://custsync@db.example/shop?sslmode=verify-full")
	f.StringVar(&d.dsnFile, "dsn-file", "", "`file` that holds the DSN, for one with a password")
}

func (d *database) config() (*pgx.ConnConfig, error) {
	dsn := d.dsn
	switch {
	case (d.dsn == "") == (d.dsnFile == ""):
		return nil, cli.Usagef("name the database with --dsn DSN or --dsn-file FILE")
	case d.dsnFile != "":
		data, err := os.ReadFile(d.dsnFile)
		if err != nil {
			return nil, cli.Usagef("--dsn-file: %w", err)
		}
		dsn = strings.TrimSpace(string(data))
	}
	config, err := outbox.ParseDSN(dsn)
	if err != nil {
		return nil, cli.Usagef("--dsn: %w", err)
	}
	return config, nil
}

// outboxOptions are the flags of outbox.
type outboxOptions struct {
	nats     natsFlags
	database database
	listen   string
	batch    int
	poll     time.Duration
	keep     time.Duration
}

func newOutboxCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "outbox --nats URL --dsn DSN",
		Short: "Publishes what transactions of PostgreSQL wrote into an outbox",
		Long: `Publishes what a shop's own transactions wrote into the table custsync_outbox
of its PostgreSQL: what was committed, nothing else, each customer's changes in
the order of their commits. Prepare the database once:

  publisher outbox migrate --dsn DSN

and write into the table by triggers, as examples/outbox/customers.sql does.
Start as many as you like: one is active, and another takes over within a second
when it ends, or ten when its machine is gone. Rows leave the table as they are
stored in the stream; one that no worker could use is set aside:

  publisher outbox refused --dsn DSN

A password belongs into --dsn-file, PGPASSWORD or PGPASSFILE, since everybody on
the machine sees command lines. The role needs SELECT, INSERT, UPDATE and DELETE
on the three tables; the shop's needs INSERT on custsync_outbox. Connect to
PostgreSQL itself, or through a pool in session mode.`,
		Args: cli.Exactly(0),
	}
	var o outboxOptions
	o.nats.add(c)
	o.database.add(c)
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "", "`address` for /healthz, /readyz and /metrics, such as 127.0.0.1:8091; without it there are none")
	f.IntVar(&o.batch, "batch", 1000, "`rows` that are published and deleted together")
	f.DurationVar(&o.poll, "poll", time.Second, "how `long` rows may wait that no NOTIFY tells of")
	f.DurationVar(&o.keep, "keep", 7*24*time.Hour, "how `long` a customer's last version is remembered: longer than any clock steps back")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return relay(cmd.Context(), o, cmd.ErrOrStderr()) }
	c.AddCommand(newMigrateCommand(), newRefusedCommand())
	return c
}

func relay(ctx context.Context, o outboxOptions, stderr io.Writer) error {
	if o.batch < 1 || o.batch > 100_000 || o.poll <= 0 || o.keep <= 0 {
		return cli.Usagef("--batch is from 1 to 100000, --poll and --keep are above 0")
	}
	config, err := o.database.config()
	if err != nil {
		return err
	}
	log := newLog(stderr)
	w := watcher{
		state:  func(s string) { log.Warn().Msg(s) },
		denied: func(err error) { log.Error().Err(err).Msg("the server refuses this user") },
	}
	nc, err := o.nats.connect("custsync publisher outbox", 0, w)
	if err != nil {
		return err
	}
	defer nc.Close()
	r := &outbox.Relay{
		Database: config, Publisher: &events.Publisher{Conn: nc, Elsewhere: elsewhere(nc, w), MaxPending: 4096}, Connected: nc.IsConnected, Log: log,
		Batch: o.batch, Poll: o.poll, Keep: o.keep,
	}
	stop := func() {}
	if o.listen != "" {
		listener, err := net.Listen("tcp", o.listen)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		log.Info().Stringer("address", listener.Addr()).Msg("listening")
		stop = serveHandler(listener, r.Handler())
	}
	err = r.Run(ctx)
	stop()
	if err != nil {
		return err
	}
	log.Info().Msg("stopped")
	return nil
}

// serveHandler answers until it is stopped.
func serveHandler(listener net.Listener, handler http.Handler) (stop func()) {
	server := &http.Server{Handler: handler, ReadTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) }) // its end is told by stop
	return func() {
		_ = server.Close()
		served.Wait()
	}
}
