package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// The codes of the import's log, as documented.
const (
	cartumDone      = 0
	cartumMissing   = 1
	cartumInvalid   = 2
	cartumUnhandled = 3
)

// cartumUser is what the stand-in needs to know of a row.
type cartumUser struct {
	raw     []byte
	email   string
	title   string
	broken  string // the first field that broke a rule
	version int64
}

// importUsers applies the rows one by one and logs each.
func (c *Cartum) importUsers(w http.ResponseWriter, r *http.Request, body []byte) func() {
	c.book.route("POST users/import")
	rows := c.rows[:0]
	listed, token, err := listIn(body, "users", "token", func() func(name, value []byte) {
		rows = append(rows, cartumUser{version: -1})
		return rows[len(rows)-1].visitor(&c.Switches)
	}, func(raw []byte, isObject bool) { rows[len(rows)-1].done(raw, isObject) })
	c.rows = rows
	if err != nil {
		return c.notJSON(w)
	}
	if refusal := c.admitted(w, token); refusal != nil {
		return refusal
	}
	switch {
	case !listed:
		return func() { cartumAnswer(w, http.StatusOK, "ERROR", map[string]any{"message": "users is not set"}) }
	case len(rows) == 0:
		return func() { cartumAnswer(w, http.StatusOK, "EMPTY", map[string]any{"log": []any{}}) }
	case c.Switches.MaxRows > 0 && len(rows) > c.Switches.MaxRows:
		return func() { c.refuse(w, http.StatusRequestEntityTooLarge, retryAfter{}) }
	}
	c.book.carried(len(rows))
	log, failed := c.importRows(faultOf(r), rows)
	status := "OK"
	switch {
	case failed == len(rows) && c.Switches.ErrorWhenNone:
		status = "ERROR"
	case failed > 0:
		status = "WARNING"
	case c.Switches.NoLogWhenOK:
		return func() { cartumAnswer(w, http.StatusOK, status, map[string]any{}) }
	}
	data := append(make([]byte, 0, len(log)+64), `{"status":"`+status+`","response":{"log":[`...)
	data = append(append(data, log...), "]}}"...)
	return func() { answer(w, http.StatusOK, "application/json; charset=utf-8", data) }
}

func (c *Cartum) importRows(fault *Fault, rows []cartumUser) (log []byte, failed int) {
	log = make([]byte, 0, 96*len(rows))
	var seen map[string]bool
	if c.Switches.RefuseTwins {
		seen = make(map[string]bool, len(rows))
	}
	for i := range rows {
		u := &rows[i]
		code := u.judge()
		if _, yes := fault.refuses(i, len(rows), []byte(u.email)); yes {
			code = cartumUnhandled
		}
		if seen != nil && code == cartumDone {
			if seen[u.email] {
				code, u.broken = cartumInvalid, "email"
			}
			seen[u.email] = true
		}
		if code == cartumDone {
			c.upsert(u)
		} else {
			failed++
			c.book.count().Refused++
		}
		if fault.loses(i, len(rows), []byte(u.email)) {
			continue
		}
		if len(log) > 0 {
			log = append(log, ',')
		}
		log = c.appendEntry(log, code, u)
	}
	return log, failed
}

// visitor reads the row's fields and judges each by itself.
func (u *cartumUser) visitor(s *CartumSwitches) func(quoted, value []byte) {
	carrier := s.VersionField
	if carrier == "" {
		carrier = "note"
	}
	return func(quoted, value []byte) {
		name := quoted[1 : len(quoted)-1]
		good := true
		switch string(name) {
		case "email":
			u.email = strings.ToLower(clearedText(value))
			good = value[0] == '"' || value[0] == 'n'
		case "title":
			u.title = strings.TrimSpace(clearedText(value))
			good = value[0] == '"' || value[0] == 'n'
		case "phone":
			p := cleared(value)
			good = len(p) == 0 || value[0] == '"' && (s.AnyPhone || international(p))
		case "country", "city", "address", "note", "site_link", "company", "role", "balance_currency":
			good = value[0] == '"' || value[0] == 'n'
		case "balance", "customer_group_id", "manager_id":
			_, err := strconv.ParseFloat(text(value), 64)
			good = err == nil || value[0] == 'n'
		case "newsletter_subscription":
			flag := text(value)
			good = flag == "0" || flag == "1" || flag == "null"
		case "discount_card":
			good = discountCard(value)
		}
		if !good && u.broken == "" {
			u.broken = string(name)
		}
		if string(name) == carrier {
			u.version = versionIn(value)
		}
	}
}

func (u *cartumUser) done(raw []byte, isObject bool) {
	u.raw = raw
	if !isObject {
		u.broken = "users"
	}
}

// judge returns the code of a row. That a malformed mail address counts as a
// missing field where the title is missing too is the documented example's way.
func (u *cartumUser) judge() int {
	switch {
	case u.broken == "users":
		return cartumInvalid
	case u.email == "" || u.title == "":
		return cartumMissing
	case !mail([]byte(u.email)):
		u.broken = "email"
		return cartumInvalid
	case u.broken != "":
		return cartumInvalid
	}
	return cartumDone
}

// upsert imports a user by the mail address.
func (c *Cartum) upsert(u *cartumUser) {
	if held := c.book.under(u.email); len(held) > 0 {
		c.book.update(held[0], u.raw, u.version, c.Switches.OmittedClears)
		return
	}
	c.book.create(u.email, strconv.Itoa(c.book.count().Created+1), u.raw, u.version, nil)
}

// appendEntry writes one row's entry of the log.
func (c *Cartum) appendEntry(b []byte, code int, u *cartumUser) []byte {
	if c.Switches.FlatLog {
		b = append(b, `{"code":`...)
	} else {
		b = append(b, `{"info":[{"code":`...)
	}
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"message":`...)
	b = appendText(b, c.words(code, u))
	if c.Switches.FlatLog {
		return append(b, '}')
	}
	return append(b, "}]}"...)
}

func (c *Cartum) words(code int, u *cartumUser) string {
	if c.Switches.Russian {
		switch {
		case code == cartumDone:
			return "Обновление пользователя " + u.email + " завершено успешно!"
		case code == cartumUnhandled:
			return "Неизвестная ошибка!"
		case code == cartumMissing && u.email != "" && mail([]byte(u.email)):
			return "Поле title не задано!"
		}
		return "Поле email (" + u.email + ") задано некорректно!"
	}
	switch {
	case code == cartumDone:
		return "User " + u.email + " update completed successfully!"
	case code == cartumUnhandled:
		return "Unhandled error!"
	case code == cartumMissing && u.email != "" && mail([]byte(u.email)):
		return "The title field is not set!"
	case code == cartumInvalid && u.broken != "email":
		return "The " + u.broken + " field is set incorrectly!"
	}
	return "The email field (" + u.email + ") is set incorrectly!"
}

// appendText writes a JSON text; plain ones, which are nearly all, without help.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == '"' || s[i] == '\\' {
			words, _ := json.Marshal(s)
			return append(b, words...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// international accepts a phone with a country code, as the documented sample.
func international(s []byte) bool {
	digits, ok := bytes.CutPrefix(s, []byte("+"))
	return ok && numeric(digits) && len(digits) >= 8 && len(digits) <= 15 && digits[0] != '0'
}

// discountCard judges the documented fields of a personal discount.
func discountCard(value []byte) bool {
	if value[0] != '{' {
		return value[0] == 'n'
	}
	good := true
	fields(value, func(quoted, v []byte) {
		switch string(quoted) {
		case `"discount"`:
			n, err := strconv.ParseFloat(text(v), 64)
			good = good && err == nil && n >= 0 && n <= 100
		case `"active"`:
			good = good && (v[0] == 't' || v[0] == 'f' || string(v) == "0" || string(v) == "1")
		case `"date_limit"`:
			good = good && date(cleared(v))
		case `"status"`:
			s := text(v)
			good = good && (s == "1" || s == "2" || s == "3" || s == "null")
		default:
			good = false
		}
	})
	return good
}
