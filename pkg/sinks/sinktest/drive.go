package sinktest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// ride is a row on its way to its end.
type ride struct {
	ev   *events.Event
	row  sinks.Row
	end  sinks.Outcome // of the last attempt; zero while it has had no verdict
	done bool
}

// attempt is one Deliver: its rows, what it said of each, and its error.
type attempt struct {
	rides    []*ride
	outcomes []sinks.Outcome
	err      error
}

// says is the mark on the attempt's error, nil without an error.
func (a *attempt) says() *retry.Error {
	if a.err == nil {
		return nil
	}
	return retry.Of(a.err)
}

// rides maps events into rows, as customers that the ledger knows nothing of.
func (b *bench) rides(list ...*events.Event) []*ride {
	rides := make([]*ride, len(list))
	for i, ev := range list {
		row, _ := b.row(ev)
		rides[i] = &ride{ev: ev, row: row}
	}
	return rides
}

// later maps newer events of the same customers, who keep what the ledger knows.
func (b *bench) later(rides []*ride, version int64) []*ride {
	newer := make([]*ride, len(rides))
	for i, r := range rides {
		ev := next(r.ev, version)
		row, _ := b.row(ev)
		row.ProviderID, row.Held = r.row.ProviderID, r.row.Held
		newer[i] = &ride{ev: ev, row: row}
	}
	return newer
}

// maxAttempts bounds the drive. No script of the suite has as many faults.
const maxAttempts = 40

// drive delivers rows as the destination loop does, until each has its end: by
// lanes and bounds, rows without a verdict again and in doubt unless the call
// certainly had no effect, batches refused as a whole by halves. Its waits take
// no time. It checks every answer against what the provider then holds.
func (b *bench) drive(ctx context.Context, rides []*ride) []attempt {
	b.t.Helper()
	var tried []attempt
	batches := b.cut(rides)
	for len(batches) > 0 {
		if len(tried) == maxAttempts*len(rides) {
			b.t.Fatalf("%d attempts and no end for %d batches", len(tried), len(batches))
		}
		a := b.deliver1(ctx, batches[0])
		tried = append(tried, a)
		rest := b.judge(&a)
		whole := a.says() != nil && a.says().Class == retry.Permanent && len(rest) == len(a.rides)
		switch {
		case whole && len(rest) == 1:
			rest[0].end, rest[0].done = sinks.Outcome{Verdict: sinks.Rejected}, true
			batches = batches[1:]
		case whole:
			half := len(rest) / 2
			batches = append([][]*ride{rest[:half], rest[half:]}, batches[1:]...)
		default:
			batches = append(batches[1:], b.cut(rest)...)
		}
	}
	return tried
}

// cut makes batches: one lane each, none above its bound, none with two rows of
// one Apart.
func (b *bench) cut(rides []*ride) [][]*ride {
	var batches [][]*ride
	var lanes []string
	for _, r := range rides {
		lane := sinks.Lane{}
		if p, ok := b.sink.(sinks.Planner); ok {
			lane = p.Lane(&r.row)
		}
		most := lane.MaxRows
		if most == 0 {
			most = b.sink.Limits().MaxRows
		}
		fits := func(i int) bool {
			return lanes[i] == lane.Name && (most == 0 || len(batches[i]) < most) &&
				!slices.ContainsFunc(batches[i], func(o *ride) bool { return r.row.Apart != "" && o.row.Apart == r.row.Apart })
		}
		place := -1
		for i := range batches {
			if fits(i) {
				place = i
				break
			}
		}
		if place < 0 {
			place = len(batches)
			batches, lanes = append(batches, nil), append(lanes, lane.Name)
		}
		batches[place] = append(batches[place], r)
	}
	return batches
}

// deliver1 makes one attempt with copies of the rows, which it then spoils: a
// sink keeps no reference to them.
func (b *bench) deliver1(ctx context.Context, rides []*ride) attempt {
	b.t.Helper()
	rows := make([]sinks.Row, len(rides))
	for i, r := range rides {
		rows[i] = r.row
		rows[i].Body = bytes.Clone(r.row.Body)
	}
	outcomes, err := b.sink.Deliver(ctx, rows)
	for i, r := range rides {
		if !bytes.Equal(rows[i].Body, r.row.Body) {
			b.t.Errorf("row %d: the sink changed the body, which is read only", i)
		}
		for j := range rows[i].Body {
			rows[i].Body[j] = 0
		}
		rows[i] = sinks.Row{}
	}
	b.keepsSecrets(outcomes, err)
	if len(outcomes) > len(rides) {
		b.t.Fatalf("outcomes: got %d for %d rows", len(outcomes), len(rides))
	}
	return attempt{rides: rides, outcomes: slices.Clone(outcomes), err: err}
}

// judge takes the verdicts and returns the rows that need another attempt.
func (b *bench) judge(a *attempt) (rest []*ride) {
	b.t.Helper()
	for i, r := range a.rides {
		var o sinks.Outcome
		if i < len(a.outcomes) {
			o = a.outcomes[i]
		}
		if o.ProviderID != "" {
			r.row.ProviderID = o.ProviderID
		}
		switch o.Verdict {
		case sinks.Delivered, sinks.Unchanged:
			b.isThere(r, &o)
			r.row.Held = !r.row.Delete
			r.end, r.done = o, true
		case sinks.Skipped:
			if o.Reason == "" {
				b.t.Errorf("row %d: skipped without a reason", i)
			}
			r.end, r.done = o, true
		case sinks.Rejected:
			r.end, r.done = o, true
		case sinks.Retryable:
			r.row.Doubt = r.row.Doubt || o.InDoubt
			r.row.Attempt++
			rest = append(rest, r)
		case sinks.Unknown:
			if a.says() == nil || !a.says().Unsent {
				r.row.Doubt = true
			}
			r.row.Attempt++
			rest = append(rest, r)
		}
	}
	return rest
}

// within runs Deliver under a context that ends after a while, and fails when
// it does not return soon after.
func (b *bench) within(d time.Duration, rides []*ride) attempt {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	start := time.Now()
	a := b.deliver1(ctx, rides)
	if late := time.Since(start) - d; late > 2*time.Second {
		b.t.Errorf("Deliver returned %v after its context ended", late)
	}
	if a.err != nil && ctx.Err() != nil && !errors.Is(a.err, ctx.Err()) && a.says().Class != retry.Transient {
		b.t.Errorf("an ended context: got class %v, want transient", a.says().Class)
	}
	return a
}
