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
	if mark := retry.Of(err); err != nil && mark.Class != retry.Permanent {
		if mark.Code != "http_409" || r == nil || !r.said {
			return err
		}
		err = nil // a conflict that it explains is no outage
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

// cards brings the customer's cards in step: what is missing or differs, then what
// left.
func (d *delivery) cards(ctx context.Context, customer *reply, cards []sinks.Record) error {
	var there []tree
	if !customer.isNew || d.row.Doubt {
		var err error
		if there, err = d.list(ctx, customer.id); err != nil {
			return err
		}
	}
	for i := range cards {
		held := slices.IndexFunc(there, func(t tree) bool { return isCard(&t, &cards[i]) })
		switch {
		case held >= 0 && holdsAll(&there[held], &cards[i]):
			continue
		case held >= 0 || d.sink.options.Cards == cardsUpdate:
			if err := d.writeCard(ctx, "updateCard", i, &cards[i]); err != nil {
				return err
			}
		default:
			if err := d.writeCard(ctx, "insertCard", i, &cards[i]); err != nil {
				return err
			}
		}
	}
	return d.removeCards(ctx, customer.id, there, cards)
}

// isCard reports whether a card of the list is the one that is sent, in the order
// in which VirtualPOS itself finds cards.
func isCard(t *tree, card *sinks.Record) bool {
	for _, name := range []string{"uid", externalID, "barcode"} {
		if value := valueIn(card, name); value != "" && t.value(name) != "" {
			return value == t.value(name)
		}
	}
	return false
}

// holdsAll reports whether a card of the list has everything that would be sent,
// so that a call can be saved. What the list doesn't tell, or tells otherwise than
// it was sent, is sent.
func holdsAll(t *tree, card *sinks.Record) bool {
	fields := card.Fields()
	for i := range fields {
		if t.child(fields[i].Name) == nil || t.value(fields[i].Name) != valueOf(&fields[i]) {
			return false
		}
	}
	return true
}

func (d *delivery) writeCard(ctx context.Context, action string, i int, card *sinks.Record) error {
	query, form := url.Values{}, url.Values{"customer_external_id": {d.id}}
	fields := card.Fields()
	for n := range fields {
		switch f := &fields[n]; {
		case f.Group != "":
		case f.Name != externalID && f.Name != "uid":
			form.Set(f.Name, valueOf(f))
		case valueOf(f) != "":
			query.Set(f.Name, valueOf(f))
		}
	}
	if len(query) == 0 {
		query.Set("card_barcode", form.Get("barcode"))
	}
	op := "insert a card"
	if action == "updateCard" {
		op = "update a card"
		query.Set("create_if_not_exist", "1")
	}
	_, err := d.call(ctx, op, action, place(cardList, i), query, form)
	return err
}

// list reads the customer's cards. It changes nothing, however it ends.
func (d *delivery) list(ctx context.Context, customer string) ([]tree, error) {
	const op = "list a customer's cards"
	r, err := d.sink.client.get(ctx, op, url.Values{externalID: {d.id}, "cards": {"true"}})
	switch {
	case err == nil && r.success:
		cards, listed := r.cards(customer)
		if !listed && d.sink.options.Cards == cardsInsert && !d.row.Delete {
			err = sinks.NoVerdict(op, "not_listed") // a card that is there would be inserted again
			break
		}
		return cards, nil
	case err == nil && d.row.Delete && !means(r.info, d.sink.options.Blocked):
		return nil, nil // nobody there, or so it says: a deletion that is skipped needs no more
	}
	if err == nil || r != nil {
		err = d.failed(op, "list", cardList, r, err)
	}
	if mark, ok := errors.AsType[*retry.Error](err); ok {
		harmless := *mark
		harmless.Unsent, harmless.Over = true, true
		return nil, &harmless
	}
	return nil, err
}

// removeCards deletes the cards that left.
func (d *delivery) removeCards(ctx context.Context, customer string, there []tree, cards []sinks.Record) error {
	if d.sink.options.DeleteCards == deleteNone {
		return nil
	}
	for i := range there {
		id := there[i].value(externalID)
		stays := slices.ContainsFunc(cards, func(c sinks.Record) bool { return isCard(&there[i], &c) || valueIn(&c, externalID) == id })
		if id == "" || stays {
			continue
		}
		if err := d.removeCard(ctx, customer, id); err != nil {
			return err
		}
	}
	return nil
}

// removeCard deletes one card. Where that is refused, the list tells whether the
// card went meanwhile: no text says so.
func (d *delivery) removeCard(ctx context.Context, customer, id string) error {
	_, err := d.call(ctx, "delete a card", "deleteCard", cardList, url.Values{externalID: {id}}, url.Values{})
	if err == nil {
		return nil
	}
	refused := d.outcome
	if refused.Verdict == sinks.Unknown && retry.Of(err).Code != "http_404" {
		return err
	}
	d.outcome = sinks.Outcome{}
	there, listErr := d.list(ctx, customer)
	if listErr != nil {
		return listErr
	}
	if slices.ContainsFunc(there, func(t tree) bool { return t.value(externalID) == id }) {
		d.outcome = refused
		return err
	}
	return nil
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
	if nowhere(d.row) || d.sink.options.DeleteCards == deleteNone || d.sink.options.Cards == cardsNone {
		return d.end(skipped)
	}
	there, err := d.list(ctx, d.row.ProviderID)
	if err != nil {
		return err
	}
	if err := d.removeCards(ctx, d.row.ProviderID, there, nil); err != nil {
		return err
	}
	return d.end(skipped)
}
