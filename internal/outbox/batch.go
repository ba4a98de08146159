package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
)

// row is a change that waits in the table.
type row struct {
	id      int64
	shop    string
	key     string // the shop's id of the customer
	version int64
	deleted bool
	data    []byte

	raw       events.Raw
	stored    bool
	duplicate bool   // by an earlier attempt
	refused   string // why it can never be stored; empty: it can
	err       error  // why it is not stored yet
}

// relayBatch publishes the oldest rows and takes out those that came to an end.
// It reports whether there may be more to do at once.
func (s *session) relayBatch(ctx context.Context) (more bool, err error) {
	s.announced = false
	rows, more, err := s.fetch(ctx)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	var customer events.Customer
	for _, r := range rows {
		r.prepare(&customer)
	}
	failed, err := s.send(ctx, rows)
	if err != nil {
		return false, err
	}
	if err := s.settle(context.WithoutCancel(ctx), rows); err != nil { // what is stored leaves, also at the end
		return false, err
	}
	if failed == nil || ctx.Err() != nil {
		return more, ctx.Err()
	}
	s.relay.metrics.errors.Inc()
	s.relay.Log.Warn().Err(failed).Msg("rows could not be published; they stay and are tried again")
	return false, nil
}

// fetch reads the oldest rows, in the order of their ids, from one snapshot. Of
// one customer's rows none that was committed earlier is missing among them:
// its id is lower, and it was visible before the later one could be written.
func (s *session) fetch(ctx context.Context) (list []*row, more bool, err error) {
	limit := or(s.relay.Batch, 1000)
	rows, err := s.conn.Query(ctx, `
		SELECT id, shop, customer, version, deleted, left(data::text, $2)
		FROM custsync_outbox ORDER BY id LIMIT $1`, limit, events.MaxSize+1)
	if err != nil {
		return nil, false, fmt.Errorf("read rows: %w", plain(err))
	}
	defer rows.Close()
	size := 0
	for rows.Next() && size < maxBatchBytes {
		r := &row{}
		if err := rows.Scan(&r.id, &r.shop, &r.key, &r.version, &r.deleted, &r.data); err != nil {
			return nil, false, fmt.Errorf("read rows: %w", plain(err))
		}
		size += len(r.data)
		list = append(list, r)
	}
	rows.Close() // skips what is too much for now
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read rows: %w", plain(err))
	}
	s.heard()
	return list, len(list) == limit || size >= maxBatchBytes, nil
}

// prepare makes the event, always the same one of the same row, or says why there
// is none.
func (r *row) prepare(c *events.Customer) {
	raw, err := r.event(c)
	if err == nil {
		err = raw.Check()
	}
	if err != nil {
		r.refused = err.Error()
		return
	}
	r.raw = raw
}

func (r *row) event(c *events.Customer) (events.Raw, error) {
	at := time.UnixMicro(r.version).UTC()
	if r.shop == "" || r.key == "" {
		return events.Raw{}, errors.New("shop and customer must not be empty")
	}
	if !r.deleted && len(r.data) > events.MaxSize {
		return events.Raw{}, fmt.Errorf("data: larger than %d KiB", events.MaxSize>>10)
	}
	if r.deleted {
		gone := events.Customer{ID: r.key}
		if len(r.data) > 0 { // customers with versions of their own have one here, too
			if err := events.DecodeCustomer(r.data, c); err != nil {
				return events.Raw{}, err
			}
			if c.ID != r.key {
				return events.Raw{}, errOtherCustomer
			}
			gone.Version = c.Version
		}
		if err := r.ahead(gone.Version); err != nil {
			return events.Raw{}, err
		}
		return (&events.Publisher{}).Prepare(&events.Event{Type: events.Deleted, Shop: r.shop, Time: at, Customer: gone})
	}
	raw, err := events.WrapCustomer(r.data, r.shop, at, c)
	if err == nil && c.ID != r.key {
		err = errOtherCustomer
	}
	if err == nil {
		err = r.ahead(c.Version)
	}
	return raw, err
}

var errOtherCustomer = errors.New("data.id: is not the row's customer")

// ahead says that the row's version lies ahead of time. Every worker would refuse
// it, and its trigger puts the customer's next ones above it.
func (r *row) ahead(own events.Opt[int64]) error {
	if own.Has() || r.version <= time.Now().Add(events.MaxClockAhead).UnixMicro() {
		return nil
	}
	return errors.New("version: lies more than 10 minutes ahead: leave it out, and delete the customer's row in custsync_outbox_versions")
}

// settle deletes what was stored and sets aside what never can be, in one
// transaction.
func (s *session) settle(ctx context.Context, rows []*row) error {
	ctx, cancel := context.WithTimeout(ctx, frozen)
	defer cancel()
	var stored, refused []int64
	var reasons []string
	for _, r := range rows {
		switch {
		case r.refused != "":
			refused = append(refused, r.id)
			reasons = append(reasons, strings.ToValidUTF8(r.refused, "?"))
		case r.stored:
			stored = append(stored, r.id)
		}
	}
	if len(stored)+len(refused) == 0 {
		return nil
	}
	_, err := s.conn.Exec(ctx, `
		WITH away AS (
			SELECT * FROM unnest($2::bigint[], $3::text[]) AS a(id, reason)
		), moved AS (
			DELETE FROM custsync_outbox o USING away WHERE o.id = away.id RETURNING o.*, away.reason
		), kept AS (
			INSERT INTO custsync_outbox_refused (id, shop, customer, version, deleted, data, created_at, reason)
			SELECT id, shop, customer, version, deleted, data, created_at, reason FROM moved
		)
		DELETE FROM custsync_outbox WHERE id = ANY($1)`, stored, refused, reasons)
	if err != nil {
		return fmt.Errorf("take out what was published: %w", plain(err))
	}
	s.heard()
	for _, r := range rows {
		s.tell(r)
	}
	return nil
}

func (s *session) tell(r *row) {
	m := s.relay.metrics
	switch {
	case r.refused != "":
		m.end("refused")
		s.relay.Log.Error().Int64("row", r.id).Str("shop", r.shop).Str("customer", r.key).Str("reason", r.refused).
			Msg("set aside in custsync_outbox_refused: no worker could use it")
	case r.duplicate:
		m.end("duplicate")
	case r.stored:
		m.end("stored")
	}
}

// unfit reports whether a failure is the row's own and would come again.
func unfit(err error) bool { return errors.Is(err, nats.ErrMaxPayload) }
