package virtualpos

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

type client struct {
	caller      *sinks.Caller
	key, format string
}

// post makes a call that writes: what is "get only" in the query, the key and the
// rest in the form.
func (c *client) post(ctx context.Context, op, path string, query, form url.Values) (*reply, error) {
	query.Set("format", c.format)
	form.Set("apikey", c.key)
	return c.do(ctx, &sinks.Call{
		Op: op, Method: http.MethodPost, Path: path, Query: query,
		Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode()),
	})
}

// get makes a call that reads. It is printed with the key in the query, and no
// other way of reading is.
func (c *client) get(ctx context.Context, op string, query url.Values) (*reply, error) {
	query.Set("format", c.format)
	query.Set("apikey", c.key)
	return c.do(ctx, &sinks.Call{Op: op, Method: http.MethodGet, Query: query})
}

// do makes a call and reads its answer. The reply is there whenever the answer
// could be read, beside an error too. That success is 0 is no error.
func (c *client) do(ctx context.Context, call *sinks.Call) (*reply, error) {
	answer, err := c.caller.Do(ctx, call)
	if answer == nil || err != nil && retry.Of(err).Code == "cut" {
		return nil, err
	}
	root, ok := readTree(answer.Body)
	switch {
	case err != nil && !ok:
		return nil, err
	case !ok:
		return nil, (&retry.Error{Code: "unreadable", Err: errors.New("answer is neither XML nor JSON")}).In(call.Op)
	}
	r := readReply(root)
	r.info = c.withoutKey(r.info)
	if err == nil && !r.said {
		return nil, sinks.NoVerdict(call.Op, "no_success")
	}
	return r, err
}

// withoutKey hides the key in VirtualPOS' words, which may repeat what was asked.
func (c *client) withoutKey(info string) string {
	return strings.NewReplacer(c.key, "•••", url.QueryEscape(c.key), "•••", url.PathEscape(c.key), "•••").Replace(info)
}

// Probe tries the address and the key with a call that changes nothing.
func (s *Sink) Probe(ctx context.Context) error {
	const op = "list customers"
	r, err := s.client.get(ctx, op, url.Values{"page": {"1"}, "page_size": {"1"}})
	if err == nil && !r.success {
		return &retry.Error{Class: retry.Blocked, Unsent: true, Over: true, Code: "refused", Err: errors.New(op + ": refused")}
	}
	return err
}
