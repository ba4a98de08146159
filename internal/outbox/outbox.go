// Package outbox publishes what a shop's own transactions wrote into a table of
// its PostgreSQL: a transactional outbox.
//
// Promises: a change that was committed is published, one that was rolled back
// never; a customer's changes are published in the order in which they were
// committed, and none is passed over, however long a transaction runs; a row
// leaves the table only when JetStream has stored its event or the row was set
// aside with the reason; of several relays one is active; logs, metrics and errors
// hold ids, never a customer's data nor the password of the database.
//
// An event's id and version are made of the row alone. So a relay that dies
// between storing and deleting costs a repetition under the same id, which
// JetStream drops for two minutes; one that comes later is stored again, with the
// same version and the same data, and ends as unchanged.
//
// Why rows and not a position: neither the order of a sequence nor that of
// transaction ids is the order of commits, so any "everything up to here" either
// passes rows over or waits for the longest transaction of the whole cluster.
// Here what was published is deleted, and what is there is to be published.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/pkg/events"
)

// Relay publishes one outbox. Set its fields before Run.
type Relay struct {
	Database  *pgx.ConnConfig   // required; of a connection of its own, through no pooler that shares it
	Publisher *events.Publisher // required; Run alone uses it
	Connected func() bool       // whether NATS is there; nil: always. A relay without NATS lets another be active
	Log       zerolog.Logger

	Batch int           // rows of a transaction that deletes them; 0: 1,000
	Poll  time.Duration // between looks for rows that nobody announced; 0: 1 s
	Keep  time.Duration // how long a customer's last version is remembered; 0: 7 days

	once    sync.Once
	metrics *metrics
}

// Bounds of a relay's patience.
const (
	// frozen is how long the database bears a relay that says nothing before it
	// ends its session, and with it the lock.
	frozen = 10 * time.Second
	// speak is how often a relay says something.
	speak = 2 * time.Second
	// fresh is how long after its last word with the database a relay may still
	// send: less than frozen, so that one that was stopped and goes on sends nothing.
	fresh = 6 * time.Second

	// bear is how long rows are held while NATS is away, before another relay may
	// try: longer than a server's restart takes.
	bear = 5 * time.Second

	// grace is for what is in flight when a relay is asked to stop.
	grace = 3 * time.Second

	maxBatchBytes = 16 << 20 // of data held at once
)

func or[T int | time.Duration](v, zero T) T {
	if v <= 0 {
		return zero
	}
	return v
}

// Run publishes until ctx ends. An error says that it could not begin: that the
// database can't be reached or is not prepared. Once it has begun, it rides out
// whatever happens.
func (r *Relay) Run(ctx context.Context) error {
	r.init()
	begun := false
	for attempt := 0; ; attempt++ {
		opened := time.Now()
		s, err := r.open(ctx)
		if err == nil {
			begun = true
			err = s.work(ctx)
			s.close()
		}
		if time.Since(opened) > frozen { // it worked: this is another trouble
			attempt = 0
		}
		r.metrics.setActive(false)
		switch {
		case ctx.Err() != nil:
			return nil
		case !begun:
			return err
		}
		r.metrics.errors.Inc()
		r.Log.Warn().Err(err).Msg("the session ended; beginning anew")
		if wait(ctx, min(100*time.Millisecond<<min(attempt, 6), 5*time.Second)) != nil {
			return nil
		}
	}
}

func (r *Relay) init() {
	r.once.Do(func() { r.metrics = newMetrics() })
}

func (r *Relay) connected() bool { return r.Connected == nil || r.Connected() }

// ParseDSN reads a URL or a list of keywords and values as libpq has them, with
// what the environment and the password file add. Its error repeats nothing of
// the DSN.
func ParseDSN(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("want a DSN such as postgres://user@host:5432/shop?sslmode=verify-full, or host=… dbname=… user=…")
	}
	config.RuntimeParams["application_name"] = "custsync publisher outbox"
	config.ConnectTimeout = or(config.ConnectTimeout, 10*time.Second)
	return config, nil
}

func connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL at %s: %w", config.Host, plain(err))
	}
	return conn, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
