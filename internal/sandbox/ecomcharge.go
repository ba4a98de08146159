package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// EComCharge stands in for the customers of eComCharge and bePaid.
//
// Documented: POST creates (201, the object; 422 with message and errors), GET of
// one and of all as a bare list, the rules of zip and state, email and ip
// required, ids of cst_ and sixteen digits; no update and no delete. Inferred: a
// second customer is made for a mail address that is there; the bodies of 401 and
// 404; 429 has no headers.
type EComCharge struct {
	Front

	ShopID, SecretKey string // Basic; both empty: any
	Switches          EComChargeSwitches
}

// EComChargeSwitches are what is not known of eComCharge. The zero value is the
// most likely.
type EComChargeSwitches struct {
	VersionField string `json:"version_field,omitempty"` // where rows carry their version; empty: nowhere
	KeyByID      bool   `json:"key_by_id,omitempty"`     // external_id is the key, not email: bePaid
	RefuseID     bool   `json:"refuse_id,omitempty"`     // external_id is refused: not in eComCharge's document
	UniqueEmail  bool   `json:"unique_email,omitempty"`  // a mail address that is there is refused with 422
	WrappedList  bool   `json:"wrapped_list,omitempty"`  // GET answers {"customers":[…]}
	Update       bool   `json:"update,omitempty"`        // PUT /customers/:id works; documented nowhere
	NestedErrors bool   `json:"nested_errors,omitempty"` // errors are objects, as the family's other APIs have them
	AnyState     bool   `json:"any_state,omitempty"`     // a state may be given for any country
}

func (c *EComCharge) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.front(w, r, c) }

func (c *EComCharge) switches() any { return &c.Switches }

// refuse answers with a message. A 429 has no headers, whatever is asked for.
func (c *EComCharge) refuse(w http.ResponseWriter, status int, after retryAfter) {
	if status != http.StatusTooManyRequests {
		after.set(w.Header())
	}
	answer(w, status, "application/json; charset=utf-8", c.message(http.StatusText(status), nil))
}

func (c *EComCharge) message(text string, errors map[string][]string) []byte {
	body := map[string]any{"message": text}
	if errors != nil {
		body["errors"] = errors
		if c.Switches.NestedErrors {
			body["errors"] = map[string]any{"customer": errors}
		}
	}
	data, _ := json.Marshal(body)
	return data
}

func (c *EComCharge) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	c.book.mu.Lock()
	status, data := c.handle(r, body)
	c.book.mu.Unlock()
	answer(w, status, "application/json; charset=utf-8", data)
}

// handle applies a call under the lock.
func (c *EComCharge) handle(r *http.Request, body []byte) (int, []byte) {
	user, password, _ := r.BasicAuth()
	if c.ShopID+c.SecretKey != "" && (user != c.ShopID || password != c.SecretKey) {
		c.book.count().Unauthorized++
		return http.StatusUnauthorized, c.message("Unauthorized", nil)
	}
	id, one := strings.CutPrefix(r.URL.Path, "/customers/")
	switch {
	case r.URL.Path == "/customers" && r.Method == http.MethodPost:
		c.book.route("POST customers")
		return c.write(faultOf(r), nil, body)
	case r.URL.Path == "/customers" && r.Method == http.MethodGet:
		c.book.route("GET customers")
		return http.StatusOK, c.list()
	case one && r.Method == http.MethodGet:
		c.book.route("GET customers/:id")
		if e := c.book.records[id]; e != nil {
			return http.StatusOK, ecomCustomer(e)
		}
	case one && r.Method == http.MethodPut && c.Switches.Update:
		c.book.route("PUT customers/:id")
		if e := c.book.records[id]; e != nil {
			return c.write(faultOf(r), e, body)
		}
	}
	return http.StatusNotFound, c.message("Record not found", nil)
}

// write creates a customer, or changes e.
func (c *EComCharge) write(fault *Fault, e *entry, body []byte) (int, []byte) {
	c.book.carried(1)
	var row map[string]json.RawMessage
	if fields(body, nil) != nil || json.Unmarshal(body, &row) != nil {
		return http.StatusBadRequest, c.message("Request body is not valid JSON", nil)
	}
	key := strings.ToLower(clearedText(orNull(row["email"])))
	if c.Switches.KeyByID {
		key = cmp.Or(clearedText(orNull(row["external_id"])), key)
	}
	if status, yes := fault.refuses(0, 1, []byte(key)); yes {
		return status, c.message(http.StatusText(status), nil)
	}
	if errors := c.judge(row, e == nil, key); len(errors) > 0 {
		c.book.count().Refused++
		return http.StatusUnprocessableEntity, c.message(fullMessages(errors), errors)
	}
	version := int64(-1)
	if c.Switches.VersionField != "" {
		version = versionIn(orNull(row[c.Switches.VersionField]))
	}
	status := http.StatusOK
	if e == nil {
		status = http.StatusCreated
		e = c.book.create(key, fmt.Sprintf("cst_%016x", 0x7aee5afb954c7ef7^uint64(c.book.count().Created)*0x9e3779b97f4a7c15), body, version, nil)
	} else {
		c.book.update(e, body, version, false)
	}
	if fault.loses(0, 1, []byte(key)) {
		return status, []byte("{}")
	}
	return status, ecomCustomer(e)
}

var (
	usZip     = regexp.MustCompile(`^\d{5}(-\d{4})?$`)
	twoUppers = regexp.MustCompile(`^[A-Z]{2}$`)
)

// judge returns what is wrong, by field.
func (c *EComCharge) judge(row map[string]json.RawMessage, whole bool, key string) map[string][]string {
	errors := make(map[string][]string)
	value := func(name string) string { return clearedText(orNull(row[name])) }
	for name, v := range row {
		if v[0] != '"' && v[0] != 'n' {
			errors[name] = append(errors[name], "is invalid")
		}
	}
	switch ip := value("ip"); {
	case ip == "" && (whole || row["ip"] != nil): // the document's sample, word for word
		errors["ip"] = []string{"address is invalid", "can't be blank"}
	case ip != "":
		if _, err := netip.ParseAddr(ip); err != nil {
			errors["ip"] = []string{"address is invalid"}
		}
	}
	switch email := value("email"); {
	case email == "" && (whole || row["email"] != nil):
		errors["email"] = []string{"can't be blank"}
	case email != "" && !mail([]byte(email)):
		errors["email"] = []string{"is invalid"}
	case whole && c.Switches.UniqueEmail && len(c.book.under(key)) > 0:
		errors["email"] = []string{"has already been taken"}
	}
	country, state := value("country"), value("state")
	if country != "" && !twoUppers.MatchString(country) {
		errors["country"] = []string{"is invalid"}
	}
	if zip := value("zip"); zip != "" && country == "US" && !usZip.MatchString(zip) {
		errors["zip"] = []string{"is invalid"}
	}
	abroad := country != "" && country != "US" && country != "CA"
	if state != "" && !c.Switches.AnyState && (abroad || !twoUppers.MatchString(state)) {
		errors["state"] = []string{"is invalid"}
	}
	if id := value("external_id"); id != "" && (c.Switches.RefuseID || len([]rune(id)) > 255) {
		errors["external_id"] = []string{"is invalid"}
	}
	return errors
}

// fullMessages joins messages as the documented sample does: "Ip address is
// invalid. Ip can't be blank".
func fullMessages(errors map[string][]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(errors)) {
		title := strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
		for _, text := range errors[name] {
			all = append(all, title+" "+text)
		}
	}
	return strings.Join(all, ". ")
}

func (c *EComCharge) list() []byte {
	all := slices.SortedFunc(maps.Values(c.book.records), func(a, b *entry) int { return cmp.Compare(a.serial, b.serial) })
	list := make([]json.RawMessage, len(all))
	for i, e := range all {
		list[i] = ecomCustomer(e)
	}
	var body any = list
	if c.Switches.WrappedList {
		body = map[string]any{"customers": list}
	}
	data, _ := json.Marshal(body)
	return data
}

// ecomCustomer writes a customer in the order of the documented sample.
func ecomCustomer(e *entry) []byte {
	whole := e.fields()
	b := append([]byte(`{"id":"`), e.id...)
	b = append(b, '"')
	for _, name := range []string{"first_name", "last_name", "address", "country", "city", "zip", "state", "phone", "email", "ip", "external_id"} {
		v, ok := whole[name]
		if !ok && name == "external_id" {
			continue
		}
		b = append(b, `,"`+name+`":`...)
		b = append(b, orNull(v)...)
	}
	return append(b, '}')
}
