package outbox

import (
	"context"
	"fmt"
	"time"
)

const (
	countEvery  = 5 * time.Second
	pruneEvery  = time.Minute
	pruneAtOnce = 5000 // rows, so that no lock is held for long

	// maxCounted bounds a look at what waits; a figure above it says no more.
	maxCounted = 1_000_000
)

// housekeep brings the figures up to date and forgets old versions, each in its
// time.
func (s *session) housekeep(ctx context.Context) error {
	if time.Since(s.counted) >= countEvery {
		if err := s.count(ctx); err != nil {
			return err
		}
		s.counted = time.Now()
	}
	if time.Since(s.pruned) >= pruneEvery {
		more, err := s.prune(ctx)
		if err != nil {
			return err
		}
		if !more {
			s.pruned = time.Now()
		}
	}
	return nil
}

// keep says something to the database while rows are on their way.
func (s *session) keep(ctx context.Context) error {
	if time.Since(s.counted) < countEvery {
		return s.ping(ctx)
	}
	s.counted = time.Now()
	return s.count(ctx)
}

func (s *session) count(ctx context.Context) error {
	var waiting, refused int64
	var lag float64
	err := s.ask(ctx, `
		SELECT (SELECT count(*) FROM (SELECT FROM custsync_outbox LIMIT $1) AS w),
			(SELECT count(*) FROM (SELECT FROM custsync_outbox_refused LIMIT $1) AS r),
			coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at) FROM custsync_outbox ORDER BY id LIMIT 1), 0)::float8`,
		[]any{maxCounted}, &waiting, &refused, &lag)
	if err != nil {
		return err
	}
	s.relay.metrics.figures(waiting, refused, max(lag, 0))
	return nil
}

// prune forgets the versions of customers that have not changed for long: the
// time is above them by itself. A customer that is changing right now is left out.
func (s *session) prune(ctx context.Context) (more bool, err error) {
	keep := or(s.relay.Keep, 7*24*time.Hour)
	tag, err := s.conn.Exec(ctx, `
		DELETE FROM custsync_outbox_versions WHERE ctid = ANY(ARRAY(
			SELECT ctid FROM custsync_outbox_versions
			WHERE version < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1
			LIMIT $2 FOR UPDATE SKIP LOCKED))`, keep.Microseconds(), pruneAtOnce)
	if err != nil {
		return false, fmt.Errorf("forget old versions: %w", plain(err))
	}
	s.heard()
	return tag.RowsAffected() == pruneAtOnce, nil
}
