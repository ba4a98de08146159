package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Refused is a row that was set aside.
type Refused struct {
	ID        int64     `json:"id"`
	Shop      string    `json:"shop"`
	Customer  string    `json:"customer"`
	Version   int64     `json:"version"` // microseconds since 1970
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
	RefusedAt time.Time `json:"refused_at"`
}

// ListRefused tells all rows that were set aside, the oldest first, until tell
// returns an error.
func ListRefused(ctx context.Context, config *pgx.ConnConfig, tell func(Refused) error) error {
	return with(ctx, config, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT id, shop, customer, version, reason, created_at, refused_at FROM custsync_outbox_refused ORDER BY id")
		if err != nil {
			return fmt.Errorf("list refused rows: %w", plain(err))
		}
		defer rows.Close()
		for rows.Next() {
			var r Refused
			if err := rows.Scan(&r.ID, &r.Shop, &r.Customer, &r.Version, &r.Reason, &r.CreatedAt, &r.RefusedAt); err != nil {
				return fmt.Errorf("list refused rows: %w", plain(err))
			}
			r.CreatedAt, r.RefusedAt = r.CreatedAt.UTC(), r.RefusedAt.UTC()
			if err := tell(r); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("list refused rows: %w", plain(err))
		}
		return nil
	})
}

// Retry puts refused rows back into the outbox, all of them where ids is empty.
// They keep their versions, so that none wins over what the customer became since.
func Retry(ctx context.Context, config *pgx.ConnConfig, ids []int64) (int64, error) {
	return change(ctx, config, ids, `
		WITH back AS (DELETE FROM custsync_outbox_refused WHERE $1 OR id = ANY($2) RETURNING *)
		INSERT INTO custsync_outbox (shop, customer, version, deleted, data)
		SELECT shop, customer, version, deleted, data FROM back ORDER BY id`)
}

// Discard deletes refused rows, all of them where ids is empty.
func Discard(ctx context.Context, config *pgx.ConnConfig, ids []int64) (int64, error) {
	return change(ctx, config, ids, "DELETE FROM custsync_outbox_refused WHERE $1 OR id = ANY($2)")
}

func change(ctx context.Context, config *pgx.ConnConfig, ids []int64, query string) (n int64, err error) {
	err = with(ctx, config, func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, query, len(ids) == 0, ids)
		if err != nil {
			return fmt.Errorf("change refused rows: %w", plain(err))
		}
		if n = tag.RowsAffected(); n < int64(len(ids)) {
			return fmt.Errorf("%d of %d rows were not among the refused ones", int64(len(ids))-n, len(ids))
		}
		return nil
	})
	return n, err
}

func with(ctx context.Context, config *pgx.ConnConfig, do func(*pgx.Conn) error) (err error) {
	conn, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := ready(ctx, conn); err != nil {
		return err
	}
	return do(conn)
}
