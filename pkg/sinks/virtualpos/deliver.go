package virtualpos

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// Deliver sends the rows, one after the other. A row that is refused by a status
// is rejected beside the error.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	outcomes := make([]sinks.Outcome, len(rows))
	var refused error
	for i := range rows {
		d := delivery{sink: s, row: &rows[i]}
		err := d.run(ctx)
		d.outcome.Partly = d.wrote && (d.outcome.Verdict == sinks.Rejected || d.outcome.Verdict == sinks.Retryable)
		outcomes[i] = d.outcome
		switch {
		case err == nil:
		case d.outcome.Verdict == sinks.Rejected:
			refused = err
		default:
			return outcomes, err
		}
	}
	return outcomes, refused
}

// delivery is one customer on its way, in several calls.
type delivery struct {
	sink    *Sink
	row     *sinks.Row
	rec     sinks.Record
	id      string // the external id
	wrote   bool   // a call of the delivery was applied
	outcome sinks.Outcome

	unlisted bool // VirtualPOS told nothing of the cards that there are
}

// errEnded says that the outcome is there and no more calls are to be made.
var errEnded = errors.New("the row has its outcome")

func (d *delivery) run(ctx context.Context) error {
	err := d.steps(ctx)
	if errors.Is(err, errEnded) {
		return nil
	}
	if mark, ok := errors.AsType[*retry.Error](err); ok && mark.Unsent && d.wrote {
		// This call had no effect, but those before it had.
		some := *mark
		some.Unsent = false
		return &some
	}
	return err
}

func (d *delivery) steps(ctx context.Context) error {
	d.id = d.sink.externalIDOf(d.row.Shop, d.row.Customer)
	if d.row.Delete {
		return d.remove(ctx)
	}
	var err error
	if d.rec, err = sinks.ReadRecord(d.row.Body); err != nil {
		return d.end(sinks.Outcome{Verdict: sinks.Rejected, Errors: []sinks.FieldError{{Message: "the row is not a JSON object"}}})
	}
	if id := valueIn(&d.rec, externalID); id != "" {
		d.id = id
	}
	customer, err := d.update(ctx)
	if err != nil {
		return err
	}
	if cards, there := listIn(&d.rec, cardList); there && d.sink.options.Cards != cardsNone {
		if err := d.cards(ctx, customer, cards); err != nil {
			return err
		}
	}
	if bonuses, there := listIn(&d.rec, bonusList); there {
		if err := d.bonuses(ctx, bonuses); err != nil {
			return err
		}
	}
	d.outcome = sinks.Outcome{Verdict: sinks.Delivered, ProviderID: customer.id}
	if d.unlisted && d.sink.options.DeleteCards != deleteNone {
		d.outcome.Reason = "cards_not_listed" // so that one which left may still be there
	}
	return nil
}

func (d *delivery) end(o sinks.Outcome) error {
	d.outcome = o
	return errEnded
}

// call makes one of the delivery's calls. What it is about, such as "cards.0", is
// named where it is refused.
func (d *delivery) call(ctx context.Context, op, action, about string, query, form url.Values) (*reply, error) {
	r, err := d.sink.client.post(ctx, op, "/"+action, query, form)
	if err == nil && r.success {
		d.wrote = true
		return r, nil
	}
	return r, d.failed(op, action, about, r, err)
}

// failed judges a call that was refused or went wrong.
func (d *delivery) failed(op, action, about string, r *reply, err error) error {
	if err != nil && retry.Of(err).Class != retry.Permanent {
		if !explained(action, r, err) {
			return err
		}
		err = nil
	}
	info := ""
	if r != nil {
		info = r.info
	}
	o := &d.sink.options
	if means(info, o.Blocked) {
		return &retry.Error{Class: retry.Blocked, Unsent: true, Over: true, Code: "refused", Err: errors.New(op + ": refused with words that are listed as blocked")}
	}
	d.outcome = sinks.Outcome{
		Verdict: sinks.Rejected, Reason: action, Message: info,
		Errors: []sinks.FieldError{{Field: about, Message: action + " was refused"}},
	}
	if means(info, o.Retryable) {
		d.outcome.Verdict = sinks.Retryable
		return errEnded
	}
	if err == nil {
		return errEnded
	}
	return err
}

// explained reports whether a status that would otherwise be the address's or the
// provider's fault comes with VirtualPOS' own words about what was sent: a conflict,
// or a card or a programme that is not there. Every customer's update has the same
// path and creates who is not there, so a 404 of it is the address's.
func explained(action string, r *reply, err error) bool {
	code := retry.Of(err).Code
	return r != nil && r.said && !r.success && (code == "http_409" || code == "http_404" && action != "update")
}

// means reports whether info holds one of the parts, in any case.
func means(info string, parts []string) bool {
	info = strings.ToLower(info)
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(info, strings.ToLower(part)) })
}

func (d *delivery) update(ctx context.Context) (*reply, error) {
	form := url.Values{}
	fields := d.rec.Fields()
	for i := range fields {
		switch f := &fields[i]; {
		case f.Group != "", f.Name == externalID, f.Name == cardList, f.Name == bonusList, f.Name == computedAge:
		default:
			form.Set(f.Name, valueOf(f))
		}
	}
	query := url.Values{externalID: {d.id}, "create_if_not_exist": {"1"}}
	return d.call(ctx, "update a customer", "update", "", query, form)
}

// bonuses sets the balances. Without overwrite they would be added to, and added
// again by a repetition.
func (d *delivery) bonuses(ctx context.Context, bonuses []sinks.Record) error {
	for i := range bonuses {
		form := url.Values{
			"customer_external_id": {d.id}, "bonus_id": {valueIn(&bonuses[i], "bonus_id")},
			"amount": {valueIn(&bonuses[i], "amount")}, "overwrite": {"true"},
		}
		if _, err := d.call(ctx, "update a bonus", "updateBonus", place(bonusList, i), url.Values{}, form); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the cards of a customer who is to go, and skips the rest.
func (d *delivery) remove(ctx context.Context) error {
	skipped := sinks.Outcome{Verdict: sinks.Skipped, Reason: "no_delete"}
	if d.sink.nothingToDelete(d.row) {
		return d.end(skipped)
	}
	there, err := d.list(ctx, d.row.ProviderID)
	if err != nil {
		return err
	}
	left := func(int) bool { return false }
	if err := d.removeCards(ctx, d.row.ProviderID, there, left); err != nil {
		return err
	}
	return d.end(skipped)
}
