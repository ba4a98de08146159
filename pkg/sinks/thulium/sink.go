// Package thulium delivers customers to a Thulium contact centre.
//
// Promises: a customer is created once. Creating is apart from updating at
// Thulium and knows no duplicates, so a row whose creation is in doubt is looked
// up by its identifier before anything is written, and where several customers
// carry the identifier a person is asked. A row's outcome is what Thulium says
// under the row's index, whatever the order of the answer; a row that the answer
// leaves out has no verdict. An empty identifier is never searched for.
//
// How a row goes out:
//
//   - without an id and never tried: POST /api/batch/customers;
//   - with the id that the ledger keeps: PUT /api/batch/customers; when Thulium
//     doesn't know the id any more, by the identifier as below;
//   - in doubt, or held without an id: GET /api/customers?identifier=…; one is
//     updated, none created, several are rejected in doubt;
//   - a deletion: DELETE /api/customers/{id}; not found is done.
//
// What is known of Thulium, with its source (seed: the published document of
// POST batch/customers; doc: Thulium's other pages; inferred: nobody says):
//
//   - answers are keyed by the row's index as text, a missing key is possible
//     (seed; the missing key is inferred);
//   - customer_id is text in a batch's answer and a number in GET (seed, doc);
//     both are read everywhere, and text is sent, as the batch API prints it;
//   - the sample answer refuses a row without surname for its phone number, which
//     is numeric (seed): messages say nothing about which rule comes first and
//     are never classified;
//   - surname is required to create (seed) and optional to update (doc); here it
//     is required always, since an update may have to create;
//   - phone numbers are digits only (seed, by the sample's message), several go as
//     a list (seed "number or numbers", the list is inferred);
//   - an unknown custom field is created (seed): a slip in a mapping makes a new
//     field for every agent to see;
//   - an empty custom field is deleted (seed). What null does, and what either does
//     to other fields, is not written: see Options.ClearWith;
//   - GET with an empty identifier selects the customers that have none (doc);
//   - the shape of GET's list, the answer of PUT, per-row 404, the bounds of a
//     batch, rate limits, the formats of gender and birthdate are not written
//     anywhere (inferred): the list is read bare, wrapped or keyed; the rest are
//     options;
//   - an API user may lack the batch methods (doc): that blocks the destination.
package thulium

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/custsync/custsync/pkg/sinks"
)

// Config says how to reach a Thulium system.
type Config struct {
	URL      string // https://acme.thulium.com; the API is below /api
	Username string // of an API user, not an agent
	Password string
	Options  Options
	Caller   sinks.Caller
}

// Sink delivers to one Thulium system.
type Sink struct {
	options   Options
	birthdate string // layout of package time
	caller    *sinks.Caller
	header    http.Header
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Mapper  = (*Sink)(nil)
	_ sinks.Planner = (*Sink)(nil)
)

// New returns a sink, or says what is wrong with its configuration.
func New(cfg Config) (*Sink, error) {
	if cfg.Username == "" || cfg.Password == "" {
		return nil, errors.New("thulium: username and password are required")
	}
	if broken := cfg.Options.Validate(); len(broken) > 0 {
		return nil, errors.New("thulium: options." + broken[0].Field + ": " + broken[0].Message)
	}
	// Some of Thulium's pages print the address with /api and some without.
	caller, err := cfg.Caller.Open(strings.TrimSuffix(strings.TrimRight(cfg.URL, "/"), "/api") + "/api")
	if err != nil {
		return nil, errors.New("thulium: " + err.Error())
	}
	login := base64.StdEncoding.EncodeToString([]byte(cfg.Username + ":" + cfg.Password))
	options := cfg.Options.withDefaults()
	return &Sink{
		options:   options,
		birthdate: layout(options.BirthdateFormat),
		caller:    caller,
		header:    http.Header{"Authorization": {"Basic " + login}},
	}, nil
}

// Limits are ours, not Thulium's: it names none. PerRow is the room for an id,
// a brace and a comma.
func (s *Sink) Limits() sinks.Limits {
	return sinks.Limits{MaxRows: s.options.MaxBatch, Frame: len(head) + len(tail), PerRow: len(`"customer_id":"",`) + 20}
}

// lookupRows bounds the rows that are looked up in one delivery: each costs a call
// of its own, one after another, and all have to be through before the time of one
// delivery is over. Deliveries beside each other are what makes many fast.
const lookupRows = 1

// Lane keeps apart what goes out by different calls. Whatever may create is
// marked in the ledger before, so an update in whose place a customer may have
// to be created is no longer a plain one.
func (s *Sink) Lane(row *sinks.Row) sinks.Lane {
	switch planOf(row, &s.options) {
	case nothing:
		return sinks.Lane{Name: "none", Local: true}
	case remove:
		return sinks.Lane{Name: "delete", MaxRows: 1}
	case update:
		if mayCreate(row) {
			return sinks.Lane{Name: "renew", Once: true}
		}
		return sinks.Lane{Name: "update"}
	case lookup:
		return sinks.Lane{Name: "lookup", MaxRows: lookupRows, Once: true}
	case create:
	}
	return sinks.Lane{Name: "create", Once: true}
}

// plan is what a row needs first.
type plan uint8

const (
	create  plan = iota // it was never tried
	update              // its id at Thulium is known
	lookup              // it may be there, under an id that is not known
	remove              // it is to go
	nothing             // it is to go and was never there
)

func planOf(row *sinks.Row, o *Options) plan {
	switch {
	case row.Delete && row.ProviderID == "" && !row.Held && !row.Doubt && row.Attempt <= 1:
		return nothing
	case row.Delete:
		return remove
	case row.ProviderID != "":
		return update
	case row.Held, mayCreateTwice(row), o.LookBeforeCreate:
		return lookup
	}
	return create
}

// mayCreateTwice reports whether creating the row blindly could make a second
// customer. A later attempt is looked up too, though no doubt was noted: a
// look-up costs a call, a duplicate costs a person.
func mayCreateTwice(row *sinks.Row) bool { return row.Doubt || row.Attempt > 1 }

// mayCreate reports whether the row's delivery may end in creating: then its
// lane is marked in the ledger before the call. The first attempt of an update
// isn't, and comes again when Thulium doesn't know its id any more.
func mayCreate(row *sinks.Row) bool { return row.ProviderID == "" || mayCreateTwice(row) }
