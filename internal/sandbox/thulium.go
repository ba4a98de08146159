package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Thulium stands in for a Thulium system's API below /api.
//
// Documented: the batches of POST (create, surname required) and PUT (update,
// customer_id required); answers keyed by the row's index with an http_status
// each; ids as text in batches and as numbers in GET; searches, where an empty
// identifier or phone number means those without one; custom fields that are
// created when unknown and deleted when empty; the error envelope.
// Inferred: the PUT answer's shape, 404 for an unknown customer_id, statuses of
// whole refusals, that POST finds no duplicates.
type Thulium struct {
	Front

	Username, Password string // Basic; both empty: any
	Switches           ThuliumSwitches

	last int          // the last id given
	rows []thuliumRow // of the call being applied; kept for its memory
}

// ThuliumSwitches are what is not known of Thulium. The zero value is the most
// likely.
type ThuliumSwitches struct {
	VersionField     string   `json:"version_field,omitempty"`     // where rows carry their version; custom_fields.version
	UniqueIdentifier bool     `json:"unique_identifier,omitempty"` // POST refuses an identifier that is taken
	WrappedList      bool     `json:"wrapped_list,omitempty"`      // GET answers {"customers":[…]} and not a bare list
	NumberIDs        bool     `json:"number_ids,omitempty"`        // batches answer ids as numbers
	NoIDOnUpdate     bool     `json:"no_id_on_update,omitempty"`   // PUT answers without customer_id
	AnyBirthdate     bool     `json:"any_birthdate,omitempty"`     // birthdate need not be YYYY-MM-DD
	MaxRows          int      `json:"max_rows,omitempty"`          // larger batches are refused with 413; 0: none
	Groups           []string `json:"groups,omitempty"`            // the group names the system knows; empty: all
}

// thuliumRules: an empty custom field is deleted (documented).
var thuliumRules = &rules{EmptyClears: "custom_fields"}

func (t *Thulium) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.front(w, r, t) }

func (t *Thulium) switches() any { return &t.Switches }

// refuse answers with the documented error envelope.
func (t *Thulium) refuse(w http.ResponseWriter, status int, after retryAfter) {
	after.set(w.Header())
	thuliumError(w, status, http.StatusText(status))
}

func thuliumError(w http.ResponseWriter, status int, message string) {
	const request = "53678450401cf"
	w.Header().Set("X-Request-Id", request)
	words, _ := json.Marshal(message)
	answer(w, status, "application/json; charset=utf-8",
		[]byte(`{"request_id":"`+request+`","errors":[{"message":`+string(words)+`,"code":`+strconv.Itoa(status)+`}]}`))
}

func (t *Thulium) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	t.book.mu.Lock()
	user, password, _ := r.BasicAuth()
	if t.Username+t.Password != "" && (user != t.Username || password != t.Password) {
		t.book.count().Unauthorized++
		t.book.mu.Unlock()
		w.Header().Set("WWW-Authenticate", `Basic realm="Thulium API"`)
		thuliumError(w, http.StatusUnauthorized, "Unauthorized.")
		return
	}
	status, message, data := t.handle(r, body)
	t.book.mu.Unlock()
	if message != "" {
		thuliumError(w, status, message)
		return
	}
	answer(w, status, "application/json; charset=utf-8", data)
}

// handle applies a call under the lock. A message is a refusal of the whole call.
func (t *Thulium) handle(r *http.Request, body []byte) (status int, message string, data []byte) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/")
	id, one := strings.CutPrefix(path, "customers/")
	switch {
	case !ok:
		return http.StatusNotFound, "Not found.", nil
	case path == "batch/customers" && r.Method == http.MethodPost:
		t.book.route("POST batch/customers")
		return t.batch(r, body, true)
	case path == "batch/customers" && r.Method == http.MethodPut:
		t.book.route("PUT batch/customers")
		return t.batch(r, body, false)
	case path == "customers" && r.Method == http.MethodGet:
		t.book.route("GET customers")
		return t.search(r.URL.Query())
	case path == "customers" && r.Method == http.MethodPost:
		t.book.route("POST customers")
		return t.single(faultOf(r), body, "")
	case one && r.Method == http.MethodPut:
		t.book.route("PUT customers/:id")
		return t.single(faultOf(r), body, id)
	case one && r.Method == http.MethodGet:
		t.book.route("GET customers/:id")
		if e := t.book.records[id]; e != nil {
			return http.StatusOK, "", e.thulium()
		}
		return http.StatusNotFound, "Customer not found.", nil
	case one && r.Method == http.MethodDelete:
		t.book.route("DELETE customers/:id")
		return t.delete(faultOf(r), id)
	case path == "batch/customers" || path == "customers" || one:
		return http.StatusMethodNotAllowed, "Method not allowed.", nil
	}
	return http.StatusNotFound, "Not found.", nil
}

// batch applies the rows of a batch one by one and answers by their index.
func (t *Thulium) batch(r *http.Request, body []byte, create bool) (int, string, []byte) {
	rows := t.rows[:0]
	listed, _, err := listIn(body, "customers", "", func() func(name, value []byte) {
		rows = append(rows, thuliumRow{version: -1})
		return rows[len(rows)-1].visitor(&t.Switches, t.book.Lean)
	}, func(raw []byte, isObject bool) { rows[len(rows)-1].done(raw, isObject) })
	switch {
	case err != nil:
		return http.StatusBadRequest, "Request body is not valid JSON.", nil
	case !listed:
		return http.StatusBadRequest, "Parameter customers is required.", nil
	case t.Switches.MaxRows > 0 && len(rows) > t.Switches.MaxRows:
		return http.StatusRequestEntityTooLarge, "Too many customers.", nil
	}
	t.rows = rows
	t.book.carried(len(rows))
	fault := faultOf(r)
	parts := make([][]byte, 0, len(rows))
	buf := make([]byte, 0, 48*len(rows))
	for i := range rows {
		c := &rows[i]
		status, refusal := 0, ""
		if forced, yes := fault.refuses(i, len(rows), []byte(c.identifier)); yes {
			status, refusal = forced, http.StatusText(forced)
		} else {
			status, refusal = t.apply(c, create)
		}
		if refusal != "" {
			t.book.count().Refused++
		}
		if fault.loses(i, len(rows), []byte(c.identifier)) {
			continue
		}
		from := len(buf)
		buf = t.appendResult(buf, i, status, refusal, c.id, create)
		parts = append(parts, buf[from:])
	}
	return http.StatusOK, "", joinObject(parts, fault.reorders())
}

// appendResult writes one row's part of the answer.
func (t *Thulium) appendResult(b []byte, i, status int, refusal, id string, create bool) []byte {
	b = append(b, '"')
	b = strconv.AppendInt(b, int64(i), 10)
	b = append(b, `":{"http_status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	switch {
	case refusal != "":
		words, _ := json.Marshal(refusal)
		b = append(b, `,"message":`...)
		b = append(b, words...)
	case !create && t.Switches.NoIDOnUpdate:
	case t.Switches.NumberIDs:
		b = append(b, `,"customer_id":`...)
		b = append(b, id...)
	default:
		b = append(b, `,"customer_id":"`...)
		b = append(b, id...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// joinObject makes one object of its parts, the last one first where reversed.
func joinObject(parts [][]byte, reversed bool) []byte {
	size := 2
	for _, p := range parts {
		size += len(p) + 1
	}
	b := append(make([]byte, 0, size), '{')
	for i := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		if reversed {
			i = len(parts) - 1 - i
		}
		b = append(b, parts[i]...)
	}
	return append(b, '}')
}
