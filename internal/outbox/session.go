package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is one connection to the database. All that a relay asks there goes
// through it, and the lock that makes a relay the active one is the session's:
// whoever has lost the one has lost the other.
type session struct {
	relay *Relay
	conn  *pgx.Conn
	pid   uint32 // of the server's process
	start time.Time
	spoke atomic.Int64 // when the database last answered, since start, in nanoseconds

	announced       bool // rows that no look has seen yet
	counted, pruned time.Time
}

var errPooled = errors.New("the connection goes through a pooler that shares it between clients: name PostgreSQL itself in the DSN, or a pool in session mode")

func (r *Relay) open(ctx context.Context) (*session, error) {
	s := &session{relay: r, start: time.Now()}
	config := r.Database.Copy()
	config.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { s.announced = true }
	var err error
	if s.conn, err = connect(ctx, config); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, frozen)
	defer cancel()
	if err := ready(ctx, s.conn); err != nil {
		return err
	}
	// The server frees the lock of a relay whose machine is gone or whose process
	// stands still; a statement that takes long is no reason to wait for ever.
	_, err := s.conn.Exec(ctx, fmt.Sprintf(`
		SET idle_session_timeout = %[1]d; SET statement_timeout = 60000; SET lock_timeout = 10000;
		SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
		SET tcp_user_timeout = %[1]d;
		LISTEN custsync_outbox`, frozen.Milliseconds()))
	if err != nil {
		return fmt.Errorf("prepare the session: %w", plain(err))
	}
	if err := s.conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&s.pid); err != nil {
		return fmt.Errorf("prepare the session: %w", plain(err))
	}
	s.heard()
	return nil
}

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // the server frees the lock either way
}

func (s *session) heard() { s.spoke.Store(int64(time.Since(s.start))) }

// fresh reports whether the lock is still ours for certain.
func (s *session) fresh() bool {
	return time.Since(s.start)-time.Duration(s.spoke.Load()) < fresh
}

// work waits to be the active relay, and is it until something ends it.
func (s *session) work(ctx context.Context) error {
	standing := false
	for {
		if s.relay.connected() {
			locked, err := s.lock(ctx)
			if err != nil {
				return err
			}
			if locked {
				break
			}
			if !standing {
				s.relay.Log.Info().Msg("another relay is active; standing by")
				standing = true
			}
		} else if err := s.ping(ctx); err != nil {
			return err
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
	s.relay.metrics.setActive(true)
	s.relay.Log.Info().Msg("active")
	return s.relayAll(ctx)
}

// relayAll publishes what is there, and what comes.
func (s *session) relayAll(ctx context.Context) error {
	for {
		if err := s.housekeep(ctx); err != nil {
			return err
		}
		more, err := s.relayBatch(ctx)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		if err := s.await(ctx); err != nil {
			return err
		}
	}
}

// await waits until rows are announced, or for as long as Poll: a notice is a
// hint, and rows of which none tells are published, too.
func (s *session) await(ctx context.Context) error {
	if s.announced {
		return nil
	}
	waitCtx, cancel := context.WithTimeout(ctx, min(or(s.relay.Poll, time.Second), speak))
	defer cancel()
	if err := s.conn.PgConn().WaitForNotification(waitCtx); err != nil && waitCtx.Err() == nil {
		return fmt.Errorf("wait for rows: %w", plain(err))
	}
	return ctx.Err()
}

// lock tries to make this relay the active one.
func (s *session) lock(ctx context.Context) (got bool, err error) {
	var pid uint32
	err = s.ask(ctx, `SELECT pg_try_advisory_lock(hashtext('custsync_outbox'), 'custsync_outbox'::regclass::oid::bigint::bit(32)::int), pg_backend_pid()`, nil, &got, &pid)
	if err == nil && pid != s.pid {
		err = errPooled
	}
	return got, err
}

func (s *session) ping(ctx context.Context) error {
	var pid uint32
	if err := s.ask(ctx, "SELECT pg_backend_pid()", nil, &pid); err != nil {
		return err
	}
	if pid != s.pid {
		return errPooled
	}
	return nil
}

// ask asks for one row.
func (s *session) ask(ctx context.Context, query string, args []any, into ...any) error {
	if err := s.conn.QueryRow(ctx, query, args...).Scan(into...); err != nil {
		return fmt.Errorf("ask PostgreSQL: %w", plain(err))
	}
	s.heard()
	return nil
}

// plain leaves out of an error of the database what may hold a row's data.
func plain(err error) error {
	if at, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("PostgreSQL says %s (SQLSTATE %s)", words(at), at.Code)
	}
	return err
}

// words are the server's, where they are about the server and not about values.
func words(e *pgconn.PgError) string {
	switch e.Code[:2] {
	case "22", "23", "P0": // data, constraints, the shop's own triggers
		return "that a value or a rule of the table is broken"
	}
	return e.Message
}
