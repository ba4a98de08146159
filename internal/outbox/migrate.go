package outbox

import (
	"context"
	_ "embed" // the migration
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Migration is what a database needs, in SQL. It may be applied again.
//
//go:embed migration.sql
var Migration string

// ErrUnprepared says that the database has no outbox.
var ErrUnprepared = errors.New("the database has no custsync_outbox: run publisher outbox migrate, and see that search_path names its schema")

// Migrate applies the Migration in one transaction.
func Migrate(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what was done is committed
	if err := modern(ctx, conn); err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// CREATE IF NOT EXISTS fails where two do it at once.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('custsync_outbox migrate'))"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, Migration)
		return err
	})
	if err != nil {
		return fmt.Errorf("apply the migration: %w", plain(err))
	}
	return nil
}

// ready sees that the database has an outbox and can be written to.
func ready(ctx context.Context, conn *pgx.Conn) error {
	if err := modern(ctx, conn); err != nil {
		return err
	}
	var standby, prepared bool
	err := conn.QueryRow(ctx, `
		SELECT pg_is_in_recovery(), to_regclass('custsync_outbox') IS NOT NULL
			AND to_regclass('custsync_outbox_refused') IS NOT NULL AND to_regclass('custsync_outbox_versions') IS NOT NULL`).Scan(&standby, &prepared)
	switch {
	case err != nil:
		return fmt.Errorf("look at the outbox: %w", plain(err))
	case standby:
		return errors.New("PostgreSQL is a standby here: name the primary, or all hosts and target_session_attrs=read-write")
	case !prepared:
		return ErrUnprepared
	}
	return nil
}

func modern(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return fmt.Errorf("ask for PostgreSQL's version: %w", plain(err))
	}
	if version < 140000 {
		return fmt.Errorf("PostgreSQL is version %d: custsync needs 14 or newer", version/10000)
	}
	return nil
}
