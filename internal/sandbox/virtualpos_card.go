package sandbox

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// posCard is a loyalty card.
type posCard struct {
	id     int
	fields map[string]string
}

// posCardFields are a card's parameters in the order of the document.
var posCardFields = []string{"uid", "external_id", "uid_ean13", "barcode", "medium", "status", "block_date", "activate_date", "type_id", "type_name", "customer_id"}

func (c *posCard) answer() posAnswer {
	a := posAnswer{{"card_id", c.id}}
	for _, name := range posCardFields {
		a = append(a, posField{name, c.fields[name]})
	}
	return a
}

// findCard finds a card in the documented order: id, number, external id, barcode.
func (p *VirtualPOS) findCard(c *posCall) *posCard {
	for _, by := range []struct{ param, field string }{{"card_id", ""}, {"uid", "uid"}, {"external_id", "external_id"}, {"card_barcode", "barcode"}} {
		want := c.query.Get(by.param)
		if want == "" {
			continue
		}
		for _, card := range p.cards {
			if by.field == "" && strconv.Itoa(card.id) == want || by.field != "" && card.fields[by.field] == want {
				return card
			}
		}
	}
	return nil
}

// writeCard changes a card, or adds one.
func (p *VirtualPOS) writeCard(c *posCall, insert bool) (int, posAnswer) {
	card := p.findCard(c)
	switch {
	case insert && card != nil:
		return http.StatusConflict, posError("Карта уже существует")
	case !insert && card == nil && c.query.Get("create_if_not_exist") != "1":
		return http.StatusNotFound, posError("Карта не найдена")
	case !slices.Contains([]string{"", "PLASTIC", "MAGNET", "APP"}, c.get("medium")):
		return http.StatusBadRequest, posError("Неверное значение medium")
	case !slices.Contains([]string{"", "NEW", "ACTIVE", "BLOCKED"}, c.get("status")):
		return http.StatusBadRequest, posError("Неверное значение status")
	}
	owner, named, ok := p.cardOwner(c)
	if named && !ok {
		return http.StatusNotFound, posError("Клиент не найден")
	}
	isNew := 0
	if card == nil {
		isNew = 1
		p.lastCard++
		card = &posCard{id: p.lastCard, fields: map[string]string{"status": "NEW"}}
		p.cards = append(p.cards, card)
	}
	for _, name := range posCardFields {
		selector := name == "uid" || name == "external_id"
		switch {
		case name == "customer_id":
		case selector && c.query.Get(name) != "":
			card.fields[name] = c.query.Get(name)
		case !selector && c.has(name):
			card.fields[name] = c.get(name)
		}
	}
	if c.query.Get("card_barcode") != "" && card.fields["barcode"] == "" {
		card.fields["barcode"] = c.query.Get("card_barcode")
	}
	if ok {
		card.fields["customer_id"] = owner
	}
	return http.StatusOK, posAnswer{{"success", 1}, {"id", card.id}, {"isnew", isNew}}
}

// cardOwner finds whose card or bonus it is: customer_id, else the external id.
func (p *VirtualPOS) cardOwner(c *posCall) (id string, named, ok bool) {
	if id = c.get("customer_id"); id != "" {
		return id, true, p.book.records[id] != nil
	}
	external := c.get("customer_external_id")
	if held := p.book.under(external); external != "" && len(held) > 0 {
		return held[0].id, true, true
	}
	return "", external != "", false
}

func (p *VirtualPOS) deleteCard(c *posCall) (int, posAnswer) {
	card := p.findCard(c)
	if card == nil {
		return http.StatusNotFound, posError("Карта не найдена")
	}
	p.cards = slices.DeleteFunc(p.cards, func(o *posCard) bool { return o == card })
	return http.StatusOK, posAnswer{{"success", 1}, {"id", card.id}}
}

// updateBonus adds to a balance, or sets it where overwrite says so.
func (p *VirtualPOS) updateBonus(c *posCall) (int, posAnswer) {
	owner, _, ok := p.cardOwner(c)
	programme, err := strconv.Atoi(c.get("bonus_id"))
	amount, amountErr := strconv.ParseFloat(c.get("amount"), 64)
	switch {
	case !ok:
		return http.StatusNotFound, posError("Клиент не найден")
	case err != nil || programme < 1:
		return http.StatusBadRequest, posError("Не указан bonus_id")
	case amountErr != nil:
		return http.StatusBadRequest, posError("Не указан amount")
	}
	if p.bonuses == nil {
		p.bonuses = make(map[string]map[string]float64)
	}
	if p.bonuses[owner] == nil {
		p.bonuses[owner] = make(map[string]float64)
	}
	key := strconv.Itoa(programme)
	if overwrite := c.get("overwrite"); overwrite != "true" && overwrite != "1" {
		amount += p.bonuses[owner][key]
	}
	p.bonuses[owner][key] = amount
	return http.StatusOK, posAnswer{{"success", 1}, {"id", owner}}
}

// Cards returns the fields of the cards of a customer, by its external id.
func (p *VirtualPOS) Cards(externalID string) (cards []map[string]string) {
	p.Change(func() {
		for _, e := range p.book.under(externalID) {
			for _, card := range p.cards {
				if card.fields["customer_id"] == e.id {
					fields := maps.Clone(card.fields)
					fields["card_id"] = cmp.Or(fields["card_id"], strconv.Itoa(card.id))
					cards = append(cards, fields)
				}
			}
		}
	})
	return cards
}

// Bonuses returns the balances of a customer by programme.
func (p *VirtualPOS) Bonuses(externalID string) (balances map[string]float64) {
	p.Change(func() {
		for _, e := range p.book.under(externalID) {
			balances = maps.Clone(p.bonuses[e.id])
		}
	})
	return balances
}
