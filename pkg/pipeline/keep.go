package pipeline

import (
	"context"

	"github.com/custsync/custsync/pkg/ledger"
)

// maxLate is how many effects may wait before it is no longer told that older
// states come late: somebody publishes a whole history again, and the newest
// states come with it.
const maxLate = 8 * maxEffects

// late tells of an event that is older than one which came before it.
func (d *Destination) late(key ledger.Key, newest []byte) {
	if d.Keeper == nil || len(d.todo) >= maxLate {
		return
	}
	d.effect("keep the newest state", func(ctx context.Context) error { return d.Keeper.Late(ctx, key, newest) }, func() {})
}

// overtook returns the row here that is newer than r and came before it, or nil.
func (c *customer) overtook(r *row) *row {
	if r.cause != Live || r.outside {
		return nil
	}
	newer := func(q *row) bool {
		return q != nil && !q.outside && q.mark.Version > r.mark.Version && q.mark.Seq < r.mark.Seq
	}
	for q := c.rows; q != nil; q = q.next {
		if newer(q) {
			return q
		}
	}
	if newer(c.flight) {
		return c.flight
	}
	return nil
}

// deleted tells that a deletion has ended, before its message is settled: who
// takes over in between is lent it again, and finds it ended.
func (d *Destination) deleted(c *customer, m ledger.Mark, then func()) {
	if d.Keeper == nil {
		then()
		return
	}
	d.effect("erase what was deleted", func(ctx context.Context) error { return d.Keeper.Deleted(ctx, c.key, m) }, then)
}

// ended looks at a row that the ledger calls superseded: an event that came after
// a newer one, or a deletion whose end an earlier owner of the shard stored.
func (d *Destination) ended(c *customer, r *row) {
	s := c.entry.Settled
	if s == nil || r.cause != Live {
		return
	}
	switch at := (ledger.Mark{Version: s.Version, Seq: s.Seq}); {
	case at.Version > r.mark.Version && at.Seq < r.mark.Seq:
		d.late(c.key, nil)
	case r.delete && r.again && at == r.mark && s.Outcome != ledger.Dead:
		d.deleted(c, at, func() {})
	}
}
