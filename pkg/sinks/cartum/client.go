package cartum

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

type client struct {
	caller          *sinks.Caller
	login, password string
}

// errToken marks an answer that refuses the token. It was not applied.
var errToken = errors.New("token refused")

// call makes a call of the API and reads its envelope. rows is the number of
// rows whose outcomes the answer's log is to hold. The reply is there whenever
// the shop answered JSON, beside an error too.
func (c *client) call(ctx context.Context, op, path string, body []byte, rows int) (*reply, error) {
	answer, err := c.caller.Do(ctx, &sinks.Call{Op: op, Method: http.MethodPost, Path: path, Body: body, Want: sinks.JSON})
	if answer == nil || err != nil && retry.Of(err).Code == "cut" {
		return nil, err
	}
	r, bad := readReply(answer.Body, rows)
	switch {
	case bad != nil && err == nil:
		return nil, sinks.NotJSON(op)
	case bad != nil && answer.Status == http.StatusUnauthorized, bad == nil && r.refusesToken(answer.Status):
		return r, &retry.Error{Class: retry.Blocked, Unsent: true, Over: true, Code: "unauthorized", Err: &opError{op, errToken}}
	case bad != nil:
		return nil, err
	case err != nil:
		if r.logged < 0 {
			r.rows = nil // a status that says no is not outdone by a bare OK
		}
		return r, err
	}
	return r, r.err(op)
}

// opError puts the operation before an error's text.
type opError struct {
	op  string
	err error
}

func (e *opError) Error() string { return e.op + ": " + e.err.Error() }
func (e *opError) Unwrap() error { return e.err }

// open logs in. Whatever goes wrong, nothing was imported.
func (c *client) open(ctx context.Context) (token string, err error) {
	const op = "log in"
	body, err := json.Marshal(map[string]string{"login": c.login, "password": c.password})
	if err != nil {
		return "", err
	}
	r, err := c.call(ctx, op, "/auth/", body, 0)
	switch {
	case err == nil && r.token != "":
		return r.token, nil
	case err == nil:
		err = &retry.Error{Code: "no_token", Err: errors.New(op + ": answered without a token")}
	case errors.Is(err, errToken), retry.Of(err).Code == errorCode, retry.Of(err).Class == retry.Permanent:
		// ERROR is what a wrong password is answered with (doc).
		err = &retry.Error{Class: retry.Blocked, Code: "login_refused", Err: errors.New(op + ": login and password are refused")}
	}
	e := *retry.Of(err)
	e.Unsent, e.Over = true, true
	return "", &e
}

// importUsers makes the call for a batch's rows.
func (c *client) importUsers(ctx context.Context, token string, rows []sinks.Row) (*reply, error) {
	size := len(head) + len(token) + 2 + len(users) + len(tail)
	n := 0
	for i := range rows {
		size += len(rows[i].Body) + 1
	}
	b := append(make([]byte, 0, size), head...)
	b = scan.AppendText(b, token)
	b = append(b, users...)
	for i := range rows {
		if rows[i].Delete {
			continue
		}
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, rows[i].Body...)
		n++
	}
	return c.call(ctx, "import users", "/users/import/", append(b, tail...), n)
}

// exportOne asks for one user, to try a token.
func (c *client) exportOne(ctx context.Context, token string) error {
	body, err := json.Marshal(map[string]any{"token": token, "offset": 0, "limit": 1})
	if err != nil {
		return err
	}
	_, err = c.call(ctx, "export users", "/users/export/", body, 0)
	return err
}

// Probe tries the address, the login and the token with calls that change nothing.
func (s *Sink) Probe(ctx context.Context) error {
	token, err := s.session.get(ctx, "")
	if err != nil {
		return err
	}
	if err = s.client.exportOne(ctx, token); !errors.Is(err, errToken) {
		return err
	}
	if token, err = s.session.get(ctx, token); err != nil {
		return err
	}
	return s.client.exportOne(ctx, token)
}

// Deliver imports the rows.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	outcomes := make([]sinks.Outcome, len(rows))
	var sent []int
	for i := range rows {
		if rows[i].Delete {
			outcomes[i] = sinks.Outcome{Verdict: sinks.Skipped, Reason: "no_delete"}
		} else {
			sent = append(sent, i)
		}
	}
	if len(sent) == 0 {
		return outcomes, nil
	}
	r, err := s.importOnce(ctx, rows)
	if r != nil && len(r.rows) == len(sent) {
		for n, i := range sent {
			outcomes[i] = r.rows[n]
		}
	}
	return outcomes, s.alone(err, r, sent, outcomes)
}

// importOnce imports with the session that there is, and once more with a new
// one if that is refused: a refused call was not applied.
func (s *Sink) importOnce(ctx context.Context, rows []sinks.Row) (*reply, error) {
	token, err := s.token(ctx, "")
	if err != nil {
		return nil, err
	}
	r, err := s.client.importUsers(ctx, token, rows)
	if !errors.Is(err, errToken) {
		return r, err
	}
	if token, err = s.token(ctx, token); err != nil {
		return nil, err
	}
	return s.client.importUsers(ctx, token, rows)
}

// token returns the session's token. Whatever goes wrong with it, no row was sent.
func (s *Sink) token(ctx context.Context, refused string) (string, error) {
	token, err := s.session.get(ctx, refused)
	if err == nil {
		return token, nil
	}
	if _, marked := errors.AsType[*retry.Error](err); marked {
		return "", err
	}
	e := retry.FromTransport(err) // ended while it waited for another's login
	e.Unsent, e.Over = true, true
	return "", e.In("log in")
}

// alone rejects the one row of a call that was refused as a whole for what it
// carried, with the shop's words, beside the error.
func (s *Sink) alone(err error, r *reply, sent []int, outcomes []sinks.Outcome) error {
	if err == nil || r == nil || len(sent) != 1 || retry.Of(err).Class != retry.Permanent {
		return err
	}
	if o := &outcomes[sent[0]]; o.Verdict == sinks.Unknown {
		*o = sinks.Outcome{Verdict: sinks.Rejected, Message: r.message}
	}
	return err
}
