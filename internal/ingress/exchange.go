package ingress

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// exchange is one request and its answer.
type exchange struct {
	s      *Server
	w      http.ResponseWriter
	req    *http.Request
	id     string
	began  time.Time
	status int // answered; 0: nothing yet
	lines  int // of the request
}

// problem is an answer that refuses (RFC 9457).
type problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
	// Of an event that may be stored later: what to send it again with.
	ID      string `json:"id,omitzero"`
	Version int64  `json:"version,omitzero"`
}

func (x *exchange) refuse(status int, detail string) {
	x.tell(problem{Status: status, Detail: detail})
}

func (x *exchange) tell(p problem) {
	p.Title, p.RequestID = http.StatusText(p.Status), x.id
	x.w.Header().Set("Content-Type", "application/problem+json")
	x.write(p.Status, p)
}

// unavailable refuses what may be stored later.
func (x *exchange) unavailable(detail string) {
	x.later(problem{Detail: detail})
}

// later refuses an event that may be stored later.
func (x *exchange) later(p problem) {
	p.Status = http.StatusServiceUnavailable
	x.w.Header().Set("Retry-After", "2") // a lost connection is tried again every second
	x.tell(p)
}

func (x *exchange) answer(status int, body any) {
	x.w.Header().Set("Content-Type", "application/json")
	x.write(status, body)
}

func (x *exchange) write(status int, body any) {
	x.begin(status)
	e := json.NewEncoder(x.w)
	e.SetEscapeHTML(false)
	e.Encode(body) //nolint:errcheck // whoever asked is gone
}

func (x *exchange) begin(status int) {
	x.status = status
	x.w.WriteHeader(status)
}

// admitted checks the token, or refuses.
func (x *exchange) admitted() bool {
	scheme, given, _ := strings.Cut(x.req.Header.Get("Authorization"), " ")
	ok := strings.EqualFold(scheme, "Bearer") // as RFC 9110 has it, and some clients
	known, allowed := x.s.Tokens().check(strings.TrimSpace(given), x.req.PathValue("shop"))
	switch {
	case !ok || !known:
		x.w.Header().Set("WWW-Authenticate", `Bearer realm="custsync"`)
		x.refuse(http.StatusUnauthorized, "want the header Authorization: Bearer with a token of the shop")
		return false
	case !allowed:
		x.refuse(http.StatusForbidden, "the token is another shop's")
		return false
	}
	return true
}

// requestID is the caller's if it is fit to stand in a log, else a new one.
func requestID(req *http.Request) string {
	id := req.Header.Get("X-Request-Id")
	fit := id != "" && len(id) <= 128
	for _, c := range id {
		fit = fit && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:/+=", c))
	}
	if fit {
		return id
	}
	return rand.Text()
}

// traceParent is the caller's W3C trace context, empty if it is not one.
func traceParent(req *http.Request) string {
	var version, trace, span, flags string
	given := req.Header.Get("Traceparent")
	if n, err := fmt.Sscanf(strings.ReplaceAll(given, "-", " "), "%2s %32s %16s %2s", &version, &trace, &span, &flags); n != 4 || err != nil || len(given) != 55 {
		return ""
	}
	if strings.Trim(version+trace+span+flags, "0123456789abcdef") != "" || len(trace) != 32 || len(span) != 16 {
		return ""
	}
	return given
}
