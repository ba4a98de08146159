package virtualpos

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

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
	stay := make(map[int]bool)
	for i := range cards {
		held := find(there, &cards[i])
		stay[held] = true
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
	return d.removeCards(ctx, customer.id, there, func(i int) bool {
		sent := func(c sinks.Record) bool { return valueIn(&c, externalID) == there[i].value(externalID) }
		return stay[i] || slices.ContainsFunc(cards, sent)
	})
}

// find finds the card that is sent in the list as VirtualPOS itself does: by its
// number, else by its external id, else by its barcode; -1 if it is not there.
func find(there []tree, card *sinks.Record) int {
	for _, name := range []string{"uid", externalID, "barcode"} {
		value := valueIn(card, name)
		if i := slices.IndexFunc(there, func(t tree) bool { return t.value(name) == value }); value != "" && i >= 0 {
			return i
		}
	}
	return -1
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
	if err == nil && r.success {
		listed := r.customer(customer)
		d.unlisted = listed.child(cardList) == nil
		if listed != nil || d.sink.options.Cards != cardsInsert || d.row.Delete {
			return listed.child(cardList).items(), nil
		}
		err = sinks.NoVerdict(op, "not_listed") // a card that is there would be inserted again
	} else if r != nil {
		err = d.failed(op, "list", cardList, r, err)
		if d.row.Delete && r.said && d.outcome.Verdict == sinks.Rejected {
			d.outcome = sinks.Outcome{}
			return nil, nil // nobody there, or so it says: a deletion that is skipped needs no more
		}
	}
	if mark, ok := errors.AsType[*retry.Error](err); ok {
		harmless := *mark
		harmless.Unsent, harmless.Over = true, true
		return nil, &harmless
	}
	return nil, err
}

// removeCards deletes the cards that left.
func (d *delivery) removeCards(ctx context.Context, customer string, there []tree, stays func(i int) bool) error {
	if d.sink.options.DeleteCards == deleteNone {
		return nil
	}
	for i := range there {
		id := there[i].value(externalID)
		if id == "" || stays(i) {
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
