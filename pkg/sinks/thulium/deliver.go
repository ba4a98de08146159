package thulium

import (
	"context"
	"errors"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// Deliver sends the rows: first what is known by its id, then what has to be
// looked for, then what is to be created. Rows of one lane need one or two of
// these steps.
//
// A call that is refused as a whole and carried one row rejects that row, with
// Thulium's words, beside the error.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	d := &delivery{sink: s, rows: rows, outcomes: make([]sinks.Outcome, len(rows)), ids: make([]string, len(rows))}
	err := d.run(ctx)
	if e, ok := errors.AsType[*retry.Error](err); ok && e.Unsent && d.unheard {
		// This call had no effect, but an earlier one of the delivery may have had.
		mark := *e
		mark.Unsent = false
		return d.outcomes, &mark
	}
	return d.outcomes, err
}

type delivery struct {
	sink     *Sink
	rows     []sinks.Row
	outcomes []sinks.Outcome
	ids      []string // at Thulium, where known
	unheard  bool     // an answer left out a row
}

func (d *delivery) run(ctx context.Context) error {
	var known, sought, absent []int
	for i := range d.rows {
		row := &d.rows[i]
		d.ids[i] = row.ProviderID
		switch planOf(row, &d.sink.options) {
		case nothing:
			d.outcomes[i].Verdict = sinks.Unchanged
		case remove:
			if err := d.remove(ctx, i); err != nil {
				return err
			}
		case update:
			known = append(known, i)
		case lookup:
			sought = append(sought, i)
		case create:
			absent = append(absent, i)
		}
	}
	gone, err := d.update(ctx, known)
	if err != nil {
		return err
	}
	var found []int
	for _, i := range append(sought, gone...) {
		there, err := d.find(ctx, i)
		switch {
		case err != nil:
			return err
		case d.outcomes[i].Verdict != sinks.Unknown: // it can't be told which one it is
		case there:
			found = append(found, i)
		case mayCreate(&d.rows[i]):
			absent = append(absent, i)
		default:
			d.outcomes[i] = again("is not known to thulium any more")
		}
	}
	if gone, err = d.update(ctx, found); err != nil {
		return err
	}
	for _, i := range gone {
		d.outcomes[i] = again("went while the customer was updated")
	}
	return d.create(ctx, absent)
}

// again has the row come back to be looked up. In doubt it is as far as its lane
// goes: from then on it is one that may create.
func again(why string) sinks.Outcome {
	return sinks.Outcome{Verdict: sinks.Retryable, InDoubt: true, Errors: []sinks.FieldError{{Field: "customer_id", Message: why}}}
}

// update sends rows whose ids are known and returns those that Thulium doesn't know.
func (d *delivery) update(ctx context.Context, set []int) (gone []int, err error) {
	err = d.batch(ctx, updateBatch, set, func(i int, it *item) {
		if it.status == 404 {
			gone = append(gone, i)
			return
		}
		d.outcomes[i] = it.outcome(false)
		if d.outcomes[i].Verdict == sinks.Delivered && d.outcomes[i].ProviderID == "" {
			d.outcomes[i].ProviderID = d.ids[i]
		}
	})
	return gone, err
}

func (d *delivery) create(ctx context.Context, set []int) error {
	return d.batch(ctx, createBatch, set, func(i int, it *item) { d.outcomes[i] = it.outcome(true) })
}

// batch makes one batch call and passes on what Thulium says of each row.
func (d *delivery) batch(ctx context.Context, kind batchKind, set []int, each func(i int, it *item)) error {
	if len(set) == 0 {
		return nil
	}
	items, err := d.sink.batch(ctx, kind, d, set)
	heard := 0
	for n := range items {
		if items[n].status == 0 {
			continue
		}
		each(set[n], &items[n])
		heard++
	}
	if heard == len(set) {
		return nil
	}
	if heard > 0 {
		d.unheard = true
		if err == nil || retry.Of(err).Class == retry.Permanent {
			// The call was taken apart, so it was not refused as a whole.
			return nil
		}
		return err
	}
	if err == nil {
		return sinks.NoVerdict(kind.op(), "no_verdict")
	}
	if e, ok := errors.AsType[*refusal](err); ok && len(set) == 1 && retry.Of(err).Class == retry.Permanent {
		d.outcomes[set[0]] = sinks.Outcome{Verdict: sinks.Rejected, Message: e.words, Errors: e.codes}
	}
	return err
}

// find looks a row's customer up. Where that can't be told, the row is rejected
// in doubt.
func (d *delivery) find(ctx context.Context, i int) (there bool, err error) {
	row := &d.rows[i]
	identifier, err := d.sink.identifier(row)
	if err != nil || identifier == "" {
		d.outcomes[i] = sinks.Outcome{
			Verdict: sinks.Rejected, InDoubt: true, Reason: "no_identifier",
			Errors: []sinks.FieldError{{Field: "identifier", Message: "is needed to find the customer, which may be there already"}},
		}
		return false, nil
	}
	ids, err := d.sink.find(ctx, identifier)
	if err != nil {
		// Searching changes nothing, however it ends.
		mark := *retry.Of(err)
		mark.Unsent, mark.Over = true, true
		return false, &mark
	}
	switch len(ids) {
	case 0:
		return false, nil
	case 1:
		d.ids[i] = ids[0]
		return true, nil
	}
	d.outcomes[i] = sinks.Outcome{
		Verdict: sinks.Rejected, InDoubt: true, Reason: "several",
		Errors: []sinks.FieldError{{Field: "identifier", Message: "several customers have it"}},
	}
	return false, nil
}

// remove deletes a row's customer.
func (d *delivery) remove(ctx context.Context, i int) error {
	row := &d.rows[i]
	if d.ids[i] != "" {
		gone, err := d.removeKnown(ctx, i)
		if err != nil || !gone || !row.Doubt {
			return err
		}
		// The id is not known any more, and what is in doubt may be that the
		// customer was created anew.
		d.outcomes[i] = sinks.Outcome{}
	}
	there, err := d.find(ctx, i)
	if err != nil || d.outcomes[i].Verdict != sinks.Unknown {
		return err
	}
	if !there {
		d.outcomes[i].Verdict = sinks.Delivered
		return nil
	}
	_, err = d.removeKnown(ctx, i)
	return err
}

func (d *delivery) removeKnown(ctx context.Context, i int) (gone bool, err error) {
	gone, err = d.sink.remove(ctx, d.ids[i])
	if err == nil {
		d.outcomes[i].Verdict = sinks.Delivered
		return gone, nil
	}
	if e, ok := errors.AsType[*refusal](err); ok && retry.Of(err).Class == retry.Permanent {
		d.outcomes[i] = sinks.Outcome{Verdict: sinks.Rejected, Message: e.words, Errors: e.codes}
	}
	return false, err
}
