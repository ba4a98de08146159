package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Cartum stands in for a Cartum (Horoshop) shop's API below /api.
//
// Documented: paths that end with a slash; the login, a token of 600 seconds in
// the body of every other call; the envelope of status and response; users
// imported by their unique mail address; the log in order, with several entries
// per user; its codes. Observed by others: UNDEFINED_FUNCTION with a list as its
// response. Contradictory and inferred: see the switches.
type Cartum struct {
	Front

	Login, Password string // both empty: any
	Switches        CartumSwitches

	tokens map[string]time.Time // when each one ends
	logins int
	rows   []cartumUser // of the call being applied; kept for its memory
}

// CartumSwitches are what is not known of Cartum. The zero value is the most
// likely.
type CartumSwitches struct {
	VersionField    string `json:"version_field,omitempty"`    // where rows carry their version; note
	Unauthorized401 bool   `json:"unauthorized_401,omitempty"` // a bad token is answered with status 401 and not 200
	TokenError      bool   `json:"token_error,omitempty"`      // a bad token is status ERROR with words about the token
	OneToken        bool   `json:"one_token,omitempty"`        // a login ends the tokens before it
	FlatLog         bool   `json:"flat_log,omitempty"`         // log[i].code in place of log[i].info[]
	Russian         bool   `json:"russian,omitempty"`          // messages in Russian
	NoLogWhenOK     bool   `json:"no_log_when_ok,omitempty"`   // status OK comes without a log
	ErrorWhenNone   bool   `json:"error_when_none,omitempty"`  // where no user was imported the status is ERROR
	OmittedClears   bool   `json:"omitted_clears,omitempty"`   // an update clears the fields that it leaves out
	RefuseTwins     bool   `json:"refuse_twins,omitempty"`     // a mail address may occur only once in a call
	AnyPhone        bool   `json:"any_phone,omitempty"`        // phones need no country code
	BotFilter       bool   `json:"bot_filter,omitempty"`       // a page in place of the API for what is no browser
	MaxRows         int    `json:"max_rows,omitempty"`         // larger calls are refused with 413; 0: none
	TokenSeconds    int    `json:"token_seconds,omitempty"`    // 600
	ExportLimit     int    `json:"export_limit,omitempty"`     // most users of one export; 500
	ModuleOff       bool   `json:"module_off,omitempty"`       // the shop has no API: a page with 404
	UndefinedImport bool   `json:"undefined_import,omitempty"` // users/import is an undefined function
}

func (c *Cartum) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.front(w, r, c) }

func (c *Cartum) switches() any { return &c.Switches }

// refuse answers with an envelope, as is observed of refusals that reach the API.
func (c *Cartum) refuse(w http.ResponseWriter, status int, after retryAfter) {
	after.set(w.Header())
	if status == http.StatusUnauthorized {
		cartumAnswer(w, status, "UNAUTHORIZED", map[string]any{"message": "Unauthorized"})
		return
	}
	cartumAnswer(w, status, "HTTP_ERROR", map[string]any{"code": status, "message": http.StatusText(status)})
}

func cartumAnswer(w http.ResponseWriter, httpStatus int, status string, response any) {
	data, _ := json.Marshal(struct {
		Status   string `json:"status"`
		Response any    `json:"response"`
	}{status, response})
	answer(w, httpStatus, "application/json; charset=utf-8", data)
}

func (c *Cartum) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	c.book.mu.Lock()
	handle := c.handler(r)
	now := handle(w, r, body)
	c.book.mu.Unlock()
	now()
}

// handler picks what applies a call under the lock; the answer is written
// outside of it.
func (c *Cartum) handler(r *http.Request) func(http.ResponseWriter, *http.Request, []byte) func() {
	function, ok := strings.CutPrefix(r.URL.Path, "/api/")
	switch {
	case c.Switches.ModuleOff || !ok:
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) func() {
			return func() { answer(w, http.StatusNotFound, "text/html; charset=utf-8", []byte(page)) }
		}
	case c.Switches.BotFilter && !strings.HasPrefix(r.UserAgent(), "Mozilla/"):
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) func() {
			return func() { answer(w, http.StatusOK, "text/html; charset=utf-8", []byte(page)) }
		}
	case !strings.HasSuffix(function, "/"):
		return func(w http.ResponseWriter, r *http.Request, _ []byte) func() {
			return func() {
				w.Header().Set("Location", r.URL.Path+"/")
				answer(w, http.StatusMovedPermanently, "text/html; charset=utf-8", nil)
			}
		}
	case function == "auth/" && r.Method == http.MethodPost:
		return c.login
	case function == "users/import/" && r.Method == http.MethodPost && !c.Switches.UndefinedImport:
		return c.importUsers
	case function == "users/export/" && r.Method == http.MethodPost:
		return c.exportUsers
	}
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) func() {
		return func() { cartumAnswer(w, http.StatusOK, "UNDEFINED_FUNCTION", []any{}) }
	}
}

// login gives a token.
func (c *Cartum) login(w http.ResponseWriter, _ *http.Request, body []byte) func() {
	c.book.route("POST auth")
	var ask struct{ Login, Password string }
	if json.Unmarshal(body, &ask) != nil {
		return c.notJSON(w)
	}
	if c.Login+c.Password != "" && (ask.Login != c.Login || ask.Password != c.Password) {
		c.book.count().Unauthorized++
		return func() {
			cartumAnswer(w, http.StatusOK, "ERROR", map[string]any{"message": "User with this login and password does not exist"})
		}
	}
	if c.tokens == nil || c.Switches.OneToken {
		c.tokens = make(map[string]time.Time)
	}
	life := 600
	if c.Switches.TokenSeconds > 0 {
		life = c.Switches.TokenSeconds
	}
	c.logins++
	token := fmt.Sprintf("3199c39700714eec%016x", c.logins)
	c.tokens[token] = c.now().Add(time.Duration(life) * time.Second)
	return func() { cartumAnswer(w, http.StatusOK, "OK", map[string]any{"token": token}) }
}

// EndSessions makes all tokens invalid, as when the shop restarts.
func (c *Cartum) EndSessions() {
	c.Change(func() { clear(c.tokens) })
}

// admitted reports whether the token is good; else it returns the answer to give.
func (c *Cartum) admitted(w http.ResponseWriter, token string) (refusal func()) {
	if ends, ok := c.tokens[token]; ok && c.now().Before(ends) {
		return nil
	}
	c.book.count().Unauthorized++
	status := http.StatusOK
	if c.Switches.Unauthorized401 {
		status = http.StatusUnauthorized
	}
	if c.Switches.TokenError {
		return func() {
			cartumAnswer(w, status, "ERROR", map[string]any{"message": "Invalid or expired token"})
		}
	}
	return func() { cartumAnswer(w, status, "UNAUTHORIZED", map[string]any{"message": "Unauthorized"}) }
}

func (c *Cartum) notJSON(w http.ResponseWriter) func() {
	return func() {
		cartumAnswer(w, http.StatusOK, "HTTP_ERROR", map[string]any{"code": 400, "message": "Payload is not json"})
	}
}
