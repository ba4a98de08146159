package cartum

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// The words of an answer's status.
const (
	statusOK           = "OK"
	statusWarning      = "WARNING"
	statusEmpty        = "EMPTY"
	statusUnauthorized = "UNAUTHORIZED"
	statusAuthError    = "AUTHORIZATION_ERROR"
	statusError        = "ERROR"
	statusException    = "EXCEPTION"
	statusUndefined    = "UNDEFINED_FUNCTION"
	statusHTTPError    = "HTTP_ERROR"
)

const errorCode = "error" // of an ERROR that is about neither rows nor the token

// reply is an answer of the API: a status, and a response of which each function
// has its own part.
type reply struct {
	status  string
	message string
	code    int
	token   string
	want    int             // rows that were sent
	logged  int             // entries of the log; -1: it has none
	rows    []sinks.Outcome // one per row sent; nil: no row has a verdict
}

// readReply reads an answer in one pass, with the outcomes of so many rows. An
// error means that it is not JSON; then no part of it counts.
func readReply(body []byte, rows int) (*reply, error) {
	r := &reply{want: rows, logged: -1}
	s := scan.New(body)
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		switch {
		case key == "status":
			r.status = strings.Clone(scalar(&s))
		case key == "response" && s.Kind() == scan.Object:
			r.readResponse(&s)
		default: // a response may be an empty list, as PHP writes an empty object
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	r.settle()
	return r, nil
}

func (r *reply) readResponse(s *scan.Scanner) {
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		switch {
		case key == "message":
			r.message = strings.Clone(scalar(s))
		case key == "code":
			r.code, _ = strconv.Atoi(scalar(s))
		case key == "token":
			r.token = strings.Clone(scalar(s))
		case key == "log" && s.Kind() != scan.Null:
			r.readLog(s)
		default:
			s.Skip()
		}
	}
}

func (r *reply) readLog(s *scan.Scanner) {
	r.logged = 0
	if s.Kind() != scan.Array {
		s.Skip()
		return
	}
	r.rows = make([]sinks.Outcome, r.want)
	for more := s.Array(); more; more = s.More() {
		if r.logged < r.want {
			var e entry
			e.read(s)
			r.rows[r.logged] = e.outcome()
		} else {
			s.Skip()
		}
		r.logged++
	}
}

// settle keeps the outcomes only where the status and the log's length let them
// count, and gives those that a bare OK gives.
func (r *reply) settle() {
	switch {
	case r.status == statusOK && r.logged < 0 && r.want > 0:
		r.rows = make([]sinks.Outcome, r.want)
		for i := range r.rows {
			r.rows[i].Verdict = sinks.Delivered
		}
	case r.logged != r.want, r.status != statusOK && r.status != statusWarning && r.status != statusError:
		r.rows = nil
	}
}

// heard reports whether any row has a verdict.
func (r *reply) heard() bool {
	for i := range r.rows {
		if r.rows[i].Verdict != sinks.Unknown {
			return true
		}
	}
	return false
}

// refusesToken reports whether the token is what is wrong.
func (r *reply) refusesToken(httpStatus int) bool {
	switch {
	case httpStatus == http.StatusUnauthorized, r.status == statusUnauthorized, r.status == statusAuthError,
		r.status == statusHTTPError && r.code == http.StatusUnauthorized:
		return true
	case r.status != statusError || r.heard():
		return false
	}
	words := strings.ToLower(r.message)
	for _, word := range []string{"token", "токен", "authoriz", "авториз"} {
		if strings.Contains(words, word) {
			return true
		}
	}
	return false
}

// err says why the rows have no verdict, or nil where they have one or there
// are none.
func (r *reply) err(op string) error {
	mark := func(class retry.Class, code string, unsent bool) error {
		return &retry.Error{Class: class, Unsent: unsent, Over: true, Code: code, Err: errors.New(op + ": answered with " + code)}
	}
	if r.heard() {
		return nil
	}
	switch r.status {
	case statusOK, statusWarning:
		switch {
		case r.want == 0:
			return nil
		case r.logged < 0:
			return sinks.NoVerdict(op, "no_log")
		case r.logged != r.want:
			return sinks.NoVerdict(op, "log_length")
		}
		return sinks.NoVerdict(op, "no_verdict")
	case statusEmpty:
		if r.want == 0 {
			return nil
		}
		return sinks.NoVerdict(op, "empty")
	case statusUndefined:
		return mark(retry.Blocked, "undefined_function", true)
	case statusHTTPError:
		if r.code >= 400 && r.code <= 599 {
			return retry.FromResponse(r.code, nil, time.Now()).In(op)
		}
		return mark(retry.Transient, "http_error", false)
	case statusError:
		return mark(retry.Transient, errorCode, false)
	case statusException:
		return mark(retry.Transient, "exception", false)
	}
	return sinks.NoVerdict(op, "unknown_status")
}

// entry is what the log says of one row: the worst of its codes.
type entry struct {
	done, missing, rejected, again bool // missing: there is a code that can't be read
	message                        string
}

// read reads an entry of either shape and reports whether it has a code. What
// has another form says nothing.
func (e *entry) read(s *scan.Scanner) (coded bool) {
	if s.Kind() != scan.Object {
		s.Skip()
		return false
	}
	var code []byte
	var message string
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		switch key {
		case "code":
			code = s.Skip()
		case "message":
			message = scalar(s)
		case "info":
			coded = e.readInfo(s) || coded
		default:
			s.Skip()
		}
	}
	if code != nil {
		e.add(code, message)
	}
	return coded || code != nil
}

func (e *entry) readInfo(s *scan.Scanner) (coded bool) {
	if s.Kind() != scan.Array {
		return e.read(s) // a single one without its list
	}
	for more := s.Array(); more; more = s.More() {
		if e.read(s) {
			coded = true
		} else {
			e.missing = true
		}
	}
	return coded
}

func (e *entry) add(code []byte, message string) {
	n, err := strconv.Atoi(string(bytes.Trim(code, `"`)))
	switch {
	case err != nil:
		e.missing = true
	case n == 0:
		e.done = true
		return
	case n == 1 || n == 2:
		e.rejected = true
	default: // 3, and codes that nobody has named: what is permanent has to be proved
		e.again = true
	}
	if e.message != "" && message != "" {
		e.message += " "
	}
	e.message += message
}

func (e *entry) outcome() sinks.Outcome {
	switch {
	case e.rejected:
		return sinks.Outcome{Verdict: sinks.Rejected, Message: strings.Clone(e.message)}
	case e.again:
		return sinks.Outcome{Verdict: sinks.Retryable, Message: strings.Clone(e.message)}
	case e.done && !e.missing:
		return sinks.Outcome{Verdict: sinks.Delivered}
	}
	return sinks.Outcome{}
}

// scalar reads a text or a number as text; anything else is empty.
func scalar(s *scan.Scanner) string {
	switch s.Kind() {
	case scan.String:
		return s.Text()
	case scan.Number:
		return string(s.Skip())
	case scan.Invalid, scan.Null, scan.Bool, scan.Array, scan.Object:
	}
	s.Skip()
	return ""
}
