package sandbox

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// posFields are the customer's fields in the order of the documented sample.
var posFields = []string{"fname", "lname", "mname", "age", "email", "phone", "gender", "custom_information", "birth_day", "birth_month", "birth_year",
	"register_date", "accumulated_sales", "send_push", "send_email", "send_sms", "group_id", "group_name"}

// update creates or changes one customer.
func (p *VirtualPOS) update(c *posCall) (int, posAnswer) {
	p.book.carried(1)
	key := c.query.Get("external_id")
	if status, yes := c.fault.refuses(0, 1, []byte(key)); yes {
		return status, posError(http.StatusText(status))
	}
	e := p.find(c, key)
	if broken := p.judge(c); broken != "" {
		p.book.count().Refused++
		return http.StatusBadRequest, posError(broken)
	}
	row, version := p.row(c, key)
	isNew := 0
	switch {
	case e != nil:
		p.book.update(e, row, version, false)
	case c.query.Get("create_if_not_exist") != "1":
		p.book.count().Refused++
		return http.StatusNotFound, posError("Клиент не найден")
	default:
		isNew = 1
		id := strconv.Itoa(p.book.count().Created + 1)
		e = p.book.create(cmp.Or(key, "without external id: "+id), id, row, version, nil)
	}
	if c.fault.loses(0, 1, []byte(key)) {
		return http.StatusOK, posAnswer{}
	}
	id, _ := strconv.Atoi(e.id)
	return http.StatusOK, posAnswer{{"success", 1}, {"id", id}, {"isnew", isNew}}
}

// find finds the customer by id, by external id and, by a switch, by what it is
// to hold.
func (p *VirtualPOS) find(c *posCall, key string) *entry {
	if e := p.book.records[c.query.Get("id")]; e != nil {
		return e
	}
	if held := p.book.under(key); key != "" && len(held) > 0 {
		return held[0]
	}
	if !p.Switches.SelectByForm || key != "" {
		return nil
	}
	for _, e := range p.book.records {
		held := e.fields()
		for _, name := range []string{"phone", "email"} {
			if v := c.get(name); v != "" && clearedText(orNull(held[name])) == v {
				return e
			}
		}
	}
	return nil
}

// judge returns what is wrong with a customer's fields.
func (p *VirtualPOS) judge(c *posCall) string {
	number := func(name string, least, most int) bool {
		n, err := strconv.Atoi(c.get(name))
		return c.get(name) == "" || err == nil && n >= least && n <= most
	}
	flag := func(name string) bool { return slices.Contains([]string{"", "0", "1", "true", "false"}, c.get(name)) }
	switch {
	case c.has("age") && !p.Switches.IgnoreAge:
		return "Поле age передавать нельзя"
	case !slices.Contains([]string{"", "F", "M"}, c.get("gender")):
		return "Неверное значение gender"
	case !number("birth_day", 1, 31), !number("birth_month", 1, 12), !number("birth_year", 1900, 2100):
		return "Неверная дата рождения"
	case !flag("send_push"), !flag("send_email"), !flag("send_sms"):
		return "Неверное значение подписки"
	case !number("group_id", 1, 1<<31):
		return "Неверное значение group_id"
	}
	if _, err := time.Parse(time.DateTime, c.get("register_date")); c.get("register_date") != "" && err != nil {
		return "Неверное значение register_date"
	}
	if p.Switches.CheckFields {
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, c.get("phone"))
		if c.get("phone") != "" && len(digits) < 7 {
			return "Неверный телефон"
		}
		if c.get("email") != "" && !mail([]byte(c.get("email"))) {
			return "Неверный email"
		}
	}
	return ""
}

// row writes the fields as the book keeps them. An empty value is kept as empty.
func (p *VirtualPOS) row(c *posCall, key string) (row []byte, version int64) {
	kept := make(map[string]string)
	for _, name := range posFields {
		if c.has(name) && name != "age" {
			kept[name] = c.get(name)
		}
	}
	if kept["group_name"] == "" && !c.has("group_id") {
		delete(kept, "group_name") // only a name that is given counts
	}
	if name := kept["group_name"]; name != "" && kept["group_id"] == "" {
		if p.groups == nil {
			p.groups = make(map[string]int)
		}
		if p.groups[name] == 0 {
			p.groups[name] = len(p.groups) + 1
		}
		kept["group_id"] = strconv.Itoa(p.groups[name])
	}
	if key != "" {
		kept["external_id"] = key
	}
	version = -1
	if v := c.get(cmp.Or(p.Switches.VersionField, "custom_information")); v != "" {
		version = versionIn([]byte(strconv.Quote(v)))
	}
	row, _ = json.Marshal(kept)
	return row, version
}

// list answers the customers that are asked for.
func (p *VirtualPOS) list(c *posCall) (int, posAnswer) {
	found := slices.SortedFunc(maps.Values(p.book.records), func(a, b *entry) int { return cmp.Compare(a.serial, b.serial) })
	found = slices.DeleteFunc(found, func(e *entry) bool {
		held := e.fields()
		value := func(name string) string { return clearedText(orNull(held[name])) }
		with := func(param, name string) bool {
			return c.get(param) == "true" && value(name) == "" || c.get(param) == "false" && value(name) != ""
		}
		differs := func(name string) bool { return c.get(name) != "" && c.get(name) != value(name) }
		return c.query.Get("id") != "" && c.query.Get("id") != e.id || c.query.Get("external_id") != "" && c.query.Get("external_id") != e.owner.key ||
			differs("phone") || differs("email") || with("with_phone", "phone") || with("with_email", "email")
	})
	total := len(found)
	page, size := 0, 0
	if c.has("page") {
		page, _ = strconv.Atoi(c.get("page"))
		size, _ = strconv.Atoi(cmp.Or(c.get("page_size"), "200"))
		if page < 1 || size < 1 {
			return http.StatusBadRequest, posError("Неверная страница")
		}
		found = found[min((page-1)*size, total):]
		found = found[:min(size, len(found))]
	}
	var customers posAnswer
	for _, e := range found {
		customers = append(customers, posField{"customer", p.customer(e, c)})
	}
	a := posAnswer{{"success", 1}, {"type", "customer"}, {"count", len(found)}, {"customers", customers}}
	if page > 0 {
		a = append(a, posField{"page", page}, posField{"page_size", size}, posField{"total_count", total})
	}
	return http.StatusOK, a
}

// customer writes one as the documented sample does.
func (p *VirtualPOS) customer(e *entry, c *posCall) posAnswer {
	held := e.fields()
	id, _ := strconv.Atoi(e.id)
	one := posAnswer{{"id", id}}
	for _, name := range posFields {
		one = append(one, posField{name, clearedText(orNull(held[name]))})
	}
	if c.get("cards") == "true" {
		var cards posAnswer
		for _, card := range p.cards {
			if card.fields["customer_id"] == e.id {
				cards = append(cards, posField{"card", card.answer()})
			}
		}
		one = append(one, posField{"cards", cards})
	}
	if c.get("bonuses") == "true" {
		var bonuses posAnswer
		for _, programme := range slices.Sorted(maps.Keys(p.bonuses[e.id])) {
			bonuses = append(bonuses, posField{"bonus", posAnswer{{"bonus_id", programme}, {"amount", p.bonuses[e.id][programme]}}})
		}
		one = append(one, posField{"bonuses", bonuses})
	}
	return one
}
