package sinks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

// Caller makes the HTTP calls of one destination, so that every sink tells
// refusals, outages and doubts apart in the same way. It never follows a
// redirect and never repeats a call. A Caller that Open returned may be used
// from several goroutines at once.
//
// Its errors are *retry.Error. They name the operation and what happened, never
// an address, a body, or anything else that the provider wrote.
type Caller struct {
	// HTTP carries the calls; nil: one with NewTransport. Its CheckRedirect and
	// Jar are not used.
	HTTP *http.Client
	// Timeout bounds one call, from the moment that Before lets it go, and the wait
	// for that moment; 0: 30 s.
	Timeout time.Duration
	// MaxAnswer is the most bytes of an answer that are read; 0: 8 MiB.
	MaxAnswer int
	// Before is called before each call and may wait: the destination's rate
	// limit. When it returns an error the call is not made. nil: no limit.
	Before func(ctx context.Context) error

	base string
}

// NewTransport returns a transport that suits calls to a provider. It keeps
// connections alive, as many as there are calls at once; closes an idle one
// before common servers do (60 s and more), since a call that crosses with the
// closing is in doubt; speaks HTTP/1.1, where a broken connection costs one
// call and not all that share it; and writes nothing of a call that While no
// longer allows. It knows no proxy: set Proxy where there is one.
func NewTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:           dialWire(&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}),
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       50 * time.Second,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       64 << 10, // a body that is larger than it is copied through a buffer made for it
		DisableCompression:    true,     // answers are small, and a cut one is easier to tell
		Protocols:             &protocols,
	}
}

// Open returns a Caller for the provider's base address, with c's settings and
// their defaults.
func (c Caller) Open(base string) (*Caller, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, errors.New("url: not a URL") // url.Parse repeats what it was given
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, errors.New("url: want https://host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("url: want no user, query or fragment")
	}
	client := http.Client{Transport: NewTransport()}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	c.HTTP = &client
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, 8<<20)
	c.base = strings.TrimRight(base, "/")
	return &c, nil
}

// Want says what the body of a successful answer has to be.
type Want uint8

const (
	AnyBody     Want = iota
	JSON             // a JSON object or array; an HTML page with status 200 is no answer
	JSONOrEmpty      // the same, or nothing at all
)

// Call is one HTTP call.
type Call struct {
	Op     string // the operation, for errors: "create customers"
	Method string
	Path   string // below the base, escaped, with its leading slash
	Query  url.Values
	Header http.Header // besides Content-Type and User-Agent; read only
	Type   string      // of the body; "": application/json; charset=utf-8
	Body   []byte      // nil: none; must not change after the call either
	Want   Want
}

// Answer is what the provider answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // whole when the call returned no error, else what could be read of it
}

// Do makes the call. The error is nil when a whole answer with a status of
// success came that is what the call wants. The Answer is there whenever a
// status was, beside an error too.
func (c *Caller) Do(ctx context.Context, call *Call) (*Answer, error) {
	if c.Before != nil {
		if err := c.await(ctx); err != nil {
			e := retry.Error{Code: "no_turn"}
			if marked, ok := errors.AsType[*retry.Error](err); ok {
				e = *marked
			}
			e.Unsent, e.Over = true, true
			e.Err = fmt.Errorf("%s: wait for a turn: %w", call.Op, err)
			return nil, &e
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	t := newTurn(ctx)
	ctx = httptrace.WithClientTrace(ctx, t.trace())
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, &retry.Error{Class: retry.Permanent, Unsent: true, Over: true, Code: "request", Err: fmt.Errorf("%s: not a valid request", call.Op)}
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		e := retry.FromTransport(err)
		if refused := t.refused.Load(); refused != nil {
			e = refused.In("given up")
		}
		e.Unsent = !t.wrote.Load() || e.Unsent && t.refused.Load() == nil
		e.Over = e.Unsent
		return nil, e.In(call.Op)
	}
	defer resp.Body.Close() // reading is over; an error of closing changes nothing
	return c.read(resp, call)
}

// await waits for the call's turn, no longer than for its answer.
func (c *Caller) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return c.Before(ctx)
}

func (c *Caller) request(ctx context.Context, call *Call) (*http.Request, error) {
	target := c.base + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	var body io.Reader
	if call.Body != nil {
		body = bytes.NewReader(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range call.Header {
		req.Header[name] = values
	}
	if call.Body != nil {
		req.Header["Content-Type"] = []string{cmp.Or(call.Type, "application/json; charset=utf-8")}
	}
	if call.Want != AnyBody && req.Header["Accept"] == nil {
		req.Header["Accept"] = []string{"application/json"}
	}
	req.Header["User-Agent"] = []string{"custsync"}
	return req, nil
}

// read reads the answer. What its status says comes before what its body lacks:
// a refusal with a cut body is still a refusal.
func (c *Caller) read(resp *http.Response, call *Call) (*Answer, error) {
	a := &Answer{Status: resp.StatusCode, Header: resp.Header}
	body, err := readAtMost(resp.Body, resp.ContentLength, c.MaxAnswer)
	a.Body = bytes.TrimPrefix(body, []byte("\ufeff")) // some shops' PHP writes a byte order mark
	if e := retry.FromResponse(resp.StatusCode, resp.Header, time.Now()); e != nil {
		return a, e.In(call.Op)
	}
	if err != nil {
		return a, retry.FromTransport(err).In(call.Op)
	}
	if len(body) > c.MaxAnswer {
		return a, (&retry.Error{Code: "too_long", Err: fmt.Errorf("answer of more than %d bytes", c.MaxAnswer)}).In(call.Op)
	}
	if !call.Want.accepts(a.Body) {
		return a, NotJSON(call.Op)
	}
	return a, nil
}

// readAtMost reads the body to its end, but no more than one byte beyond the bound.
func readAtMost(body io.Reader, length int64, bound int) ([]byte, error) {
	buf := make([]byte, 0, min(max(length, 511), int64(bound))+1)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case len(buf) > bound:
			return buf, nil
		case len(buf) == cap(buf):
			buf = append(buf, 0)[:len(buf)]
			buf = buf[:len(buf):min(cap(buf), bound+1)]
		}
	}
}

// accepts judges by the first byte: whoever decodes the rest tells what is
// wrong further on.
func (w Want) accepts(body []byte) bool {
	if w == AnyBody {
		return true
	}
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 {
		return w == JSONOrEmpty
	}
	return trimmed[0] == '{' || trimmed[0] == '['
}

// NotJSON is the error of an answer with a status of success that is not the
// JSON that it should be: a maintenance page, a bot filter, a cut body. The call
// may have been applied.
func NotJSON(op string) *retry.Error {
	return (&retry.Error{Code: "not_json", Err: errors.New("answer is not JSON")}).In(op)
}

// NoVerdict is the error of an answer in which the provider says nothing of any
// row. The call may have been applied. The code is a word of the sink.
func NoVerdict(op, code string) *retry.Error {
	return (&retry.Error{Code: code, Over: true, Err: errors.New("answer without a verdict: " + code)}).In(op)
}
