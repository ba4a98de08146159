package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config/suggest"
	"github.com/custsync/custsync/internal/ops"
)

// exchange is one request and its answer.
type exchange struct {
	server   *Server
	w        http.ResponseWriter
	req      *http.Request
	began    time.Time
	by       string            // who asks, for the record
	name     string            // who asks, as that one says it
	admitted bool              // by a token or a session, where one is needed
	given    map[string]string // query parameters
	status   int               // answered; 0: nothing yet
}

// problem is an answer that refuses (RFC 9457).
type problem struct {
	Title  string           `json:"title"`
	Status int              `json:"status"`
	Detail string           `json:"detail"`
	Errors []ops.FieldError `json:"errors,omitempty"`
}

func (p *problem) Error() string { return p.Detail }

// refused is a problem with what to do.
func refused(status int, format string, args ...any) error {
	return &problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// problemOf tells what went wrong.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	status, detail := http.StatusInternalServerError, err.Error()
	if unknown, ok := errors.AsType[*ops.UnknownDestination](err); ok {
		status = http.StatusNotFound
		if hint := suggest.Hint(unknown.Name, unknown.Known); hint != "" {
			detail = unknown.Error() + "; " + hint
		}
	} else if _, ok := errors.AsType[*ops.Misuse](err); ok {
		status = http.StatusBadRequest
	} else if errors.Is(err, ops.ErrUnknownCustomer) {
		status = http.StatusNotFound
	} else if foreign, ok := errors.AsType[*ops.ForeignStreams](err); ok {
		status = http.StatusConflict
		detail = foreign.Destination + " can't go on: " + foreign.Reason + `; put it back, or go on with what is there: {"accept":true}`
	}
	return &problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

func (x *exchange) fail(err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		x.server.Log.Error().Err(err).Str("path", x.req.Pattern).Msg("request failed")
	}
	if x.status != 0 {
		return // the answer has begun
	}
	x.w.Header().Set("Content-Type", "application/problem+json")
	x.begin(p.Status)
	x.write(p)
}

// later has whoever is refused come back in a second.
func (x *exchange) later(err error) error {
	x.w.Header().Set("Retry-After", "1")
	return err
}

func (x *exchange) answer(v any) error {
	x.w.Header().Set("Content-Type", "application/json")
	x.begin(http.StatusOK)
	x.write(v)
	return nil
}

// write writes one document, as the commands do.
func (x *exchange) write(v any) {
	_ = cli.WriteJSON(x.w, v) // whoever asked may be gone
}

func (x *exchange) begin(status int) {
	x.status = status
	x.w.WriteHeader(status)
}

// query takes in the query parameters, each of which has to be one of those
// known, and to be there once: what selects is not guessed at.
func (x *exchange) query(known []string) error {
	x.given = map[string]string{}
	// URL.Query leaves out what it can't read, and would select more than was asked for.
	given, err := url.ParseQuery(x.req.URL.RawQuery)
	if err != nil {
		return refused(http.StatusBadRequest, "the parameters can't be read: part them by &, and write %% as %%25 and ; as %%3B")
	}
	for name, values := range given {
		if !slices.Contains(known, name) {
			hint := suggest.Hint(name, known)
			if hint == "" {
				hint = "it takes none"
			}
			return refused(http.StatusBadRequest, "there is no parameter %q; %s", name, hint)
		}
		if len(values) != 1 {
			return refused(http.StatusBadRequest, "parameter %q is given %d times: give it once", name, len(values))
		}
		x.given[name] = values[0]
	}
	return nil
}

// whole reads a parameter that is a whole number, from least to most.
func (x *exchange) whole(name string, absent, least, most int) (int, error) {
	given, there := x.given[name]
	if !there {
		return absent, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < least || n > most {
		return 0, refused(http.StatusBadRequest, "parameter %q: want a whole number from %d to %d", name, least, most)
	}
	return n, nil
}

// yes reads a parameter that is true or false.
func (x *exchange) yes(name string) (bool, error) {
	switch x.given[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, refused(http.StatusBadRequest, "parameter %q: want true or false", name)
}

// hurry gives the body bodyTime to come, also where nobody reads it: the server waits
// for its rest before it answers.
func (x *exchange) hurry() {
	if x.req.Body != http.NoBody {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(bodyTime)) // a test's recorder has none
	}
}

// unhurried takes that back once the body is there, since the server then listens for
// the end of the line, and an answer may take long.
func (x *exchange) unhurried() {
	if x.req.Body != http.NoBody {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Time{})
	}
}

// body reads the request's JSON object into v. One that may be missing leaves v
// as it is.
func (x *exchange) body(v any, required bool) error {
	data, err := io.ReadAll(http.MaxBytesReader(x.w, x.req.Body, maxBody))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refused(http.StatusRequestTimeout, "the body did not come within %s: send it again", bodyTime)
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return refused(http.StatusRequestEntityTooLarge, "the body is larger than %d KiB", maxBody>>10)
	}
	if err != nil {
		return refused(http.StatusBadRequest, "the body could not be read: send it again")
	}
	x.unhurried()
	if len(data) == 0 && !required {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(x.req.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refused(http.StatusUnsupportedMediaType, "want a JSON object with the header Content-Type: application/json")
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	err = d.Decode(v)
	if _, end := d.Token(); err == nil && !errors.Is(end, io.EOF) {
		err = errors.New("something follows the object")
	}
	if err != nil {
		return refused(http.StatusBadRequest, "the body is not as documented in %s/openapi.json%s", base, unknownField(err))
	}
	return nil
}

// unknownField is what may be repeated of a decoding error: the name of a field.
func unknownField(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return ": there is no field " + name
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return ": field " + strconv.Quote(wrong.Field) + " is of another type"
	}
	return ""
}
