// Package aplaut delivers customers to Aplaut's Platform API, where they are
// called consumers.
//
// Promises: a customer is one consumer, known by the external id, which is the
// shop's id of the customer. An id that Aplaut's addresses can't carry is refused
// before anything is sent, since such a call may reach another consumer. What
// Aplaut silently keeps of its own (mail address and phone) is said in the ledger.
//
// How a row goes out, one customer a call:
//
//   - PUT /consumers/{external id}, which creates or updates, and can be repeated;
//   - by option, a customer who was never delivered: POST /consumers; what is
//     refused there as a duplicate goes out by PUT;
//   - not found by PUT: POST /consumers, whose address holds no id. Where that
//     isn't found either, the base address is wrong, which blocks;
//   - a deletion: DELETE /consumers/{external id}, and where that isn't found by
//     the id that Aplaut gave. Not found is done.
//
// What is known of Aplaut, with its source (seed: the published help page on
// importing consumers; doc: Aplaut's API reference; observed: what the vendor's own
// command line tool notes of the vendor's servers; inferred: nobody says):
//
//   - PUT of an id that is not there creates it (seed, doc): 201, else 200;
//   - PUT changes only what it is given (doc). Custom attributes are merged (doc),
//     null removes one, null clears an attribute (observed);
//   - mail address and phone are taken when the consumer is created and never
//     again: the answer is 200 all the same (observed). So the answer is compared
//     with what was sent;
//   - phones are stored as digits, names in title case, and first_name is made anew
//     whenever name is set (observed): see Options.FirstName;
//   - POST of an external id or a mail address that is there is refused with 422
//     (seed, observed);
//   - an external id is cut at its first dot, and a slash is not routed even when
//     it is escaped (observed). Everything else may be escaped;
//   - errors come as an object with details by field (observed) and not as the list
//     of the reference (doc): both are read, and the JSON:API form too;
//   - a token that is wrong is answered 401 without a body, or with a line of text
//     (observed);
//   - more than two calls a second from one address are delayed and not refused
//     (doc): a timeout has to bear it. 429 comes for limits of the token, with
//     Retry-After and X-RateLimit-Reset (doc), the latter in a form of its own, and
//     a body of text (observed);
//   - which attributes an answer repeats is not written anywhere. What is not
//     repeated is not compared;
//   - redirects are followed by nobody (observed): http:// in the help page is not
//     an address to use.
package aplaut

import (
	"errors"
	"net/http"
	"strings"

	"github.com/custsync/custsync/pkg/sinks"
)

// Config says how to reach an account at Aplaut.
type Config struct {
	URL     string // https://api.aplaut.io/v4
	Token   string // of the account's developer page
	Options Options
	Caller  sinks.Caller
}

// Sink delivers to one account.
type Sink struct {
	options Options
	caller  *sinks.Caller
	header  http.Header
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Mapper  = (*Sink)(nil)
	_ sinks.Planner = (*Sink)(nil)
)

// New returns a sink, or says what is wrong with its configuration.
func New(cfg Config) (*Sink, error) {
	if cfg.Token == "" {
		return nil, errors.New("aplaut: token is required")
	}
	if strings.ContainsAny(cfg.Token, " \t\r\n\"") {
		return nil, errors.New("aplaut: token: want the token alone, without a scheme or quotes")
	}
	if broken := cfg.Options.Validate(); len(broken) > 0 {
		return nil, errors.New("aplaut: options." + broken[0].Field + ": " + broken[0].Message)
	}
	caller, err := cfg.Caller.Open(cfg.URL)
	if err != nil {
		return nil, errors.New("aplaut: " + err.Error())
	}
	options := cfg.Options.withDefaults()
	credentials := "Bearer " + cfg.Token
	if options.TokenScheme == schemeToken {
		credentials = "Token token=" + cfg.Token
	}
	return &Sink{
		options: options,
		caller:  caller,
		header:  http.Header{"Authorization": {credentials}, "Accept": {mediaType}},
	}, nil
}

// Limits: every call is about one customer.
func (s *Sink) Limits() sinks.Limits {
	return sinks.Limits{MaxRows: 1, Frame: len(head) + len(tail)}
}

// Lane sets apart the deletions for which there can be no call.
func (s *Sink) Lane(row *sinks.Row) sinks.Lane {
	if row.Delete && s.nowhere(row) {
		return sinks.Lane{Name: "none", Local: true}
	}
	return sinks.Lane{}
}

// nowhere reports whether a deletion is of a customer who was never there: one
// whose id could not be sent.
func (s *Sink) nowhere(row *sinks.Row) bool {
	return row.ProviderID == "" && !row.Held && unfit(s.externalIDOf(row.Shop, row.Customer)) != ""
}
