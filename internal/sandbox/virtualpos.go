package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// VirtualPOS stands in for VirtualPOS' customers below /api/customer.
//
// Documented: parameters in the query and, but for those marked "get only", in a
// form; apikey on every call; XML and JSON; success and info; isnew; groups and card
// types made when their name is new; age never to be passed; cards found by id,
// number, external id, barcode in this order; bonuses that are added unless
// overwrite is set. Inferred: the paths of cards and bonuses, the shape of JSON,
// status 200 for all errors, the selectors of update.
type VirtualPOS struct {
	Front

	APIKey   string // empty: any
	Switches VirtualPOSSwitches

	lastCard int
	cards    []*posCard
	groups   map[string]int
	bonuses  map[string]map[string]float64 // by customer and programme
}

// VirtualPOSSwitches are what is not known of VirtualPOS. The zero value is the
// most likely.
type VirtualPOSSwitches struct {
	VersionField  string `json:"version_field,omitempty"`  // where rows carry their version; custom_information
	StatusCodes   bool   `json:"status_codes,omitempty"`   // errors have status 4xx and not 200
	IgnoreAge     bool   `json:"ignore_age,omitempty"`     // age is ignored and not refused
	DefaultJSON   bool   `json:"default_json,omitempty"`   // a call without format is answered in JSON and not in XML
	StringNumbers bool   `json:"string_numbers,omitempty"` // JSON has its numbers as texts
	RefuseForeign bool   `json:"refuse_foreign,omitempty"` // get-only parameters in the form are refused and not ignored
	SelectByForm  bool   `json:"select_by_form,omitempty"` // update finds customers by phone and email too
	CheckFields   bool   `json:"check_fields,omitempty"`   // malformed phones and mail addresses are refused
}

// posAnswer is an answer in the order in which it is written, XML or JSON.
type posAnswer []posField

type posField struct {
	name  string
	value any // text, int, float64, or a posAnswer
}

func posError(info string) posAnswer { return posAnswer{{"success", 0}, {"info", info}} }

func (p *VirtualPOS) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.front(w, r, p) }

func (p *VirtualPOS) switches() any { return &p.Switches }

// refuse answers as the server in front of the API might.
func (p *VirtualPOS) refuse(w http.ResponseWriter, status int, after retryAfter) {
	after.set(w.Header())
	answer(w, status, "application/xml; charset=utf-8", posError(http.StatusText(status)).xml())
}

func (p *VirtualPOS) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	query := r.URL.Query()
	form := url.Values{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ = url.ParseQuery(string(body))
	}
	p.book.mu.Lock()
	asJSON := query.Get("format") == "json" || query.Get("format") == "" && p.Switches.DefaultJSON
	status, a := p.handle(r, &posCall{query: query, form: form, fault: faultOf(r)})
	if !p.Switches.StatusCodes && status < 500 {
		status = http.StatusOK
	}
	numbers := p.Switches.StringNumbers
	p.book.mu.Unlock()
	if asJSON {
		answer(w, status, "application/json; charset=utf-8", a.json(numbers))
		return
	}
	answer(w, status, "application/xml; charset=utf-8", a.xml())
}

// posCall is a call's parameters.
type posCall struct {
	query, form url.Values
	fault       *Fault
}

// get returns a parameter that may come either way.
func (c *posCall) get(name string) string {
	if c.form.Has(name) {
		return c.form.Get(name)
	}
	return c.query.Get(name)
}

func (c *posCall) has(name string) bool { return c.form.Has(name) || c.query.Has(name) }

// getOnly are the documented parameters that count only in the query.
var getOnly = []string{"id", "external_id", "format", "create_if_not_exist", "card_id", "uid", "card_barcode"}

// handle applies a call under the lock.
func (p *VirtualPOS) handle(r *http.Request, c *posCall) (int, posAnswer) {
	if key := c.get("apikey"); key == "" || p.APIKey != "" && key != p.APIKey {
		p.book.count().Unauthorized++
		return http.StatusUnauthorized, posError("Неверный apikey")
	}
	if f := c.query.Get("format"); f != "" && f != "xml" && f != "json" {
		return http.StatusBadRequest, posError("Неизвестный формат")
	}
	if p.Switches.RefuseForeign {
		for _, name := range getOnly {
			if c.form.Has(name) {
				return http.StatusBadRequest, posError("Параметр " + name + " передается только через get")
			}
		}
	}
	action, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/api/customer")
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodPost {
		return http.StatusNotFound, posError("Метод не найден")
	}
	switch action {
	case "":
		p.book.route("GET customer")
		return p.list(c)
	case "/update":
		p.book.route("update")
		return p.update(c)
	case "/updateCard", "/insertCard":
		p.book.route(action[1:])
		return p.writeCard(c, action == "/insertCard")
	case "/deleteCard":
		p.book.route("deleteCard")
		return p.deleteCard(c)
	case "/updateBonus":
		p.book.route("updateBonus")
		return p.updateBonus(c)
	}
	return http.StatusNotFound, posError("Метод не найден")
}

// xml writes the answer as the documented samples have it.
func (a posAnswer) xml() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<root>")
	a.elements(&b)
	b.WriteString("</root>")
	return b.Bytes()
}

func (a posAnswer) elements(b *bytes.Buffer) {
	for _, f := range a {
		nested, isNested := f.value.(posAnswer)
		text := fmt.Sprint(f.value)
		if !isNested && text == "" {
			fmt.Fprintf(b, "<%s/>", f.name)
			continue
		}
		fmt.Fprintf(b, "<%s>", f.name)
		if isNested {
			nested.elements(b)
		} else {
			xml.EscapeText(b, []byte(text))
		}
		fmt.Fprintf(b, "</%s>", f.name)
	}
}

// json writes the answer as an object; elements of one name in a row, which XML
// has as a list, are a list.
func (a posAnswer) json(textNumbers bool) []byte {
	b := []byte{'{'}
	for i, f := range a {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"`+f.name+`":`...)
		nested, isNested := f.value.(posAnswer)
		switch {
		case isNested && strings.HasSuffix(f.name, "s"): // customers, cards, bonuses
			b = append(b, '[')
			for j, one := range nested {
				if j > 0 {
					b = append(b, ',')
				}
				b = append(b, one.value.(posAnswer).json(textNumbers)...)
			}
			b = append(b, ']')
		case isNested:
			b = append(b, nested.json(textNumbers)...)
		default:
			var v any = f.value
			if textNumbers {
				v = fmt.Sprint(v)
			}
			text, _ := json.Marshal(v)
			b = append(b, text...)
		}
	}
	return append(b, '}')
}
