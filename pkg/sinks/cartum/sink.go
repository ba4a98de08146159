// Package cartum delivers customers to a Cartum (Horoshop) shop.
//
// Promises: a row's outcome is the code that the shop logs for it; a log that
// can't be matched to the rows one by one gives no row a verdict. No outcome is
// read out of a message, whose language follows the shop. The session that all
// deliveries share is opened by one of them while the others wait, and a refused
// one is renewed once.
//
// A batch goes out by POST /api/users/import/, which creates or updates by the
// mail address, so that it can be repeated. Two customers with one mail address
// are one user at Cartum, where the later one wins; they never share a batch. A
// customer whose mail address changes becomes another user, and the old one stays:
// Cartum gives no ids and deletes no users (observed by others), so deletions are
// skipped as "no_delete".
//
// What is known of Cartum, with its source (seed: the published document of
// users/import; doc: the vendor's other pages; others: clients of third parties;
// inferred: nobody says):
//
//   - a session's token stands in the body of every call and lasts 600 s (doc).
//     Whether a login ends earlier sessions is not known: several workers on one
//     login may then take turns refusing each other, which the renewal bears;
//   - a refused token is told as HTTP 401, as status UNAUTHORIZED (doc) or
//     AUTHORIZATION_ERROR, or as ERROR with a message about the token (others). That
//     message is the only one that is ever read;
//   - the log has its codes in log[i].info[] by its sample and in log[i] by its
//     text (seed): both are read. Entries are in the order of the rows and name no
//     row (seed); several infos of which one is not 0 are a refusal (inferred);
//   - the sample logs code 1, a mandatory field missing, where a mail address is
//     malformed (seed), so the codes 1 and 2 are not told apart;
//   - OK says that all rows were imported (seed), so an OK without a log delivers
//     all; WARNING without a log says nothing of any;
//   - UNDEFINED_FUNCTION comes with status 200 and a list for a response (observed):
//     the shop has no such API, which blocks;
//   - a shop that is down, or hides behind a bot filter, answers an HTML page with
//     status 200 (observed): that is no answer;
//   - what happens to fields that are left out, and what null does, is not written;
//   - the bounds of a batch and rate limits are not written; others send 50 users.
package cartum

import (
	"errors"
	"strings"

	"github.com/custsync/custsync/pkg/sinks"
)

// Config says how to reach a shop.
type Config struct {
	URL      string // https://shop.example; the API is below /api
	Login    string // of an admin user of the shop
	Password string
	Options  Options
	Caller   sinks.Caller
}

// Sink delivers to one shop.
type Sink struct {
	options Options
	client  client
	session session
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Mapper  = (*Sink)(nil)
	_ sinks.Planner = (*Sink)(nil)
)

// New returns a sink, or says what is wrong with its configuration.
func New(cfg Config) (*Sink, error) {
	if cfg.Login == "" || cfg.Password == "" {
		return nil, errors.New("cartum: login and password are required")
	}
	if broken := cfg.Options.Validate(); len(broken) > 0 {
		return nil, errors.New("cartum: options." + broken[0].Field + ": " + broken[0].Message)
	}
	caller, err := cfg.Caller.Open(strings.TrimSuffix(strings.TrimRight(cfg.URL, "/"), "/api") + "/api")
	if err != nil {
		return nil, errors.New("cartum: " + err.Error())
	}
	s := &Sink{options: cfg.Options.withDefaults(), client: client{caller: caller, login: cfg.Login, password: cfg.Password}}
	s.session.open = s.client.open
	return s, nil
}

const (
	head      = `{"token":`
	users     = `,"users":[`
	tail      = `]}`
	tokenRoom = 128 // a token has 32 digits as far as is known
)

// Limits are ours, not Cartum's: it names none.
func (s *Sink) Limits() sinks.Limits {
	return sinks.Limits{MaxRows: s.options.MaxBatch, Frame: len(head) + tokenRoom + len(users) + len(tail), PerRow: 1}
}

// Lane sets deletions apart, for which there is no call.
func (s *Sink) Lane(row *sinks.Row) sinks.Lane {
	if row.Delete {
		return sinks.Lane{Name: "delete", Local: true}
	}
	return sinks.Lane{}
}
