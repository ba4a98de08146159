package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Aplaut stands in for Aplaut's Platform API; its base is the root, so that the
// stand-in is reached at .../consumers.
//
// Documented: POST creates (201, 422 for what is taken), PUT updates what it is
// given or creates (200, 201), DELETE (204), 404; two calls a second for one
// address, what is beyond them being delayed; 429 with its headers. Observed by the
// vendor's own tool: the errors object, both kinds of 401, the text of 429 and the
// form of its reset time, null clearing a field, the mail address and the phone
// frozen after creation, external ids that end at a dot, names in title case,
// phones as digits.
type Aplaut struct {
	Front

	Token    string // empty: any
	Switches AplautSwitches

	taken time.Time         // until when the address's calls are used up
	mails map[string]*entry // by the mail address that they were created with
}

// AplautSwitches are what is not known of Aplaut, and its pace. The zero value is
// the most likely, without the pace.
type AplautSwitches struct {
	VersionField   string  `json:"version_field,omitempty"`   // an attribute; custom_attributes.version
	PerSecond      float64 `json:"per_second,omitempty"`      // calls beyond are delayed; the document says 2; 0: none
	ResetWithT     bool    `json:"reset_with_t,omitempty"`    // X-RateLimit-Reset as documented and not as observed
	NoLegacyToken  bool    `json:"no_legacy_token,omitempty"` // Authorization: Token token=… is refused
	RequireType    bool    `json:"require_type,omitempty"`    // another Content-Type than vnd.api+json is refused with 415
	ThawContacts   bool    `json:"thaw_contacts,omitempty"`   // PUT changes mail address and phone too
	RequireContact bool    `json:"require_contact,omitempty"` // name and email are required, as in the schema
	CheckMail      bool    `json:"check_mail,omitempty"`      // a malformed mail address is refused
	KeepWholeIDs   bool    `json:"keep_whole_ids,omitempty"`  // dots in a path's id are taken as they are
	SchemaErrors   bool    `json:"schema_errors,omitempty"`   // errors in the shape of the schema, a list
	AnyMailOnce    bool    `json:"any_mail_once,omitempty"`   // mail addresses need not be unique
	EchoNothing    bool    `json:"echo_nothing,omitempty"`    // answers have no attributes
	MissingAs200   bool    `json:"missing_as_200,omitempty"`  // DELETE of nobody answers 204
}

const vndJSON = "application/vnd.api+json; charset=utf-8"

func (a *Aplaut) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.front(w, r, a) }

func (a *Aplaut) switches() any { return &a.Switches }

// refuse answers as Aplaut does for a call as a whole.
func (a *Aplaut) refuse(w http.ResponseWriter, status int, after retryAfter) {
	h := w.Header()
	h.Set("X-Request-Id", "6f8e2b9c-0000-4000-8000-000000000000")
	after.set(h)
	switch status {
	case http.StatusUnauthorized: // a token that is well formed and not good: no body at all
		h.Set("WWW-Authenticate", `Bearer realm="Doorkeeper", error="invalid_token", error_description="The access token is invalid"`)
		answer(w, status, "", nil)
	case http.StatusTooManyRequests:
		layout := "2006-01-02 15:04:05 -0700"
		if a.Switches.ResetWithT {
			layout = time.RFC3339
		}
		h.Set("X-RateLimit-Limit", "1")
		h.Set("X-RateLimit-Period", "60")
		if after.wait > 0 {
			h.Set("X-RateLimit-Reset", time.Now().Add(after.wait+time.Second).UTC().Format(layout))
		}
		answer(w, status, "text/plain; charset=utf-8", []byte("Throttled\n"))
	default:
		answer(w, status, vndJSON, a.errors(status, http.StatusText(status), map[string]any{"message": http.StatusText(status)}))
	}
}

// errors writes the errors object.
func (a *Aplaut) errors(status int, title string, details map[string]any) []byte {
	var body any = map[string]any{"errors": map[string]any{
		"status": status, "title": title, "details": details,
		"readme": map[string]any{"link": "https://aplaut.com/docs/api-references/platform/"},
	}}
	if a.Switches.SchemaErrors {
		var list []string
		for field, text := range details {
			list = append(list, fmt.Sprint(field, " ", text))
		}
		body = map[string]any{"errors": []any{map[string]any{"status": fmt.Sprint(status), "title": title, "details": list}}}
	}
	data, _ := json.Marshal(body)
	return data
}

func (a *Aplaut) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	if !a.pace(r) {
		return
	}
	a.book.mu.Lock()
	status, contentType, data := a.handle(w, r, body)
	a.book.mu.Unlock()
	w.Header().Set("X-Request-Id", "6f8e2b9c-0000-4000-8000-000000000000")
	if status == http.StatusUnauthorized && data == nil {
		a.refuse(w, status, retryAfter{})
		return
	}
	answer(w, status, contentType, data)
}

// pace delays a call until its turn; false if its caller leaves before.
func (a *Aplaut) pace(r *http.Request) bool {
	a.book.mu.Lock()
	wait1 := time.Duration(0)
	if s := a.Switches.PerSecond; s > 0 {
		now := time.Now()
		if a.taken.Before(now) {
			a.taken = now
		}
		wait1 = a.taken.Sub(now)
		a.taken = a.taken.Add(time.Duration(float64(time.Second) / s))
	}
	a.book.mu.Unlock()
	return wait(r, wait1, false)
}

// handle applies a call under the lock.
func (a *Aplaut) handle(w http.ResponseWriter, r *http.Request, body []byte) (status int, contentType string, data []byte) {
	if status, contentType, data, ok := a.admit(w, r); !ok {
		return status, contentType, data
	}
	// The id is cut from the escaped path: an escaped slash is no route.
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	id, one := strings.CutPrefix(path, "/consumers/")
	if one && (strings.Contains(id, "/") || strings.Contains(strings.ToUpper(id), "%2F")) {
		return http.StatusNotFound, vndJSON, a.errors(404, "Not found", map[string]any{"message": "No route matches"})
	}
	id, _ = url.PathUnescape(id)
	if dot := strings.IndexByte(id, '.'); dot >= 0 && !a.Switches.KeepWholeIDs {
		id = id[:dot] // the rest is taken for a format
	}
	fault := faultOf(r)
	switch {
	case path == "/consumers" && r.Method == http.MethodPost:
		a.book.route("POST consumers")
		return a.write(fault, "", body)
	case path == "/consumers" && r.Method == http.MethodGet:
		a.book.route("GET consumers")
		return a.list(r.URL.Query())
	case one && id != "" && r.Method == http.MethodPut:
		a.book.route("PUT consumers/:id")
		return a.write(fault, id, body)
	case one && id != "" && r.Method == http.MethodGet:
		a.book.route("GET consumers/:id")
		if e := a.find(id); e != nil {
			return http.StatusOK, vndJSON, a.consumer(e)
		}
		return a.missing(id)
	case one && id != "" && r.Method == http.MethodDelete:
		a.book.route("DELETE consumers/:id")
		a.book.carried(1)
		e := a.find(id)
		switch {
		case e != nil:
			a.book.remove(e)
		case !a.Switches.MissingAs200:
			return a.missing(id)
		}
		return http.StatusNoContent, "", nil
	}
	return http.StatusNotFound, vndJSON, a.errors(404, "Not found", map[string]any{"message": "No route matches"})
}

// admit checks the token and the content type.
func (a *Aplaut) admit(w http.ResponseWriter, r *http.Request) (status int, contentType string, data []byte, ok bool) {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme == "Token" && !a.Switches.NoLegacyToken {
		scheme, credentials = "Bearer", strings.Trim(strings.TrimPrefix(credentials, "token="), `"`)
	}
	switch {
	case scheme != "Bearer" || credentials == "":
		a.book.count().Unauthorized++
		w.Header().Set("WWW-Authenticate", `Token realm="Aplaut Platform API v4"`)
		return http.StatusUnauthorized, "text/plain; charset=utf-8", []byte("HTTP Token: Access denied.\n"), false
	case a.Token != "" && credentials != a.Token:
		a.book.count().Unauthorized++
		return http.StatusUnauthorized, "", nil, false
	case a.Switches.RequireType && (r.Method == http.MethodPost || r.Method == http.MethodPut) && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/vnd.api+json"):
		return http.StatusUnsupportedMediaType, vndJSON, a.errors(415, "Unsupported media type", map[string]any{"message": "want application/vnd.api+json"}), false
	}
	return 0, "", nil, true
}

func (a *Aplaut) missing(id string) (int, string, []byte) {
	return http.StatusNotFound, vndJSON, a.errors(404, "Document not found", map[string]any{"message": "Document(s) not found for class Consumer with id(s) " + id + "."})
}
