// Package ecomcharge delivers customers to eComCharge, to bePaid and to the other
// brands of their platform, which have the same API.
//
// Promises: a customer is created once. Creating knows no duplicates there, and
// there is no way to change or to delete, so what may have been created already is
// looked for before anything is written, or handed to a person; it is never
// created blindly. The id that eComCharge gives is kept in the ledger, since
// subscriptions are linked to it.
//
// How a row goes out, one customer a call:
//
//   - never delivered: POST /customers;
//   - delivered before: skipped as "create_only", without a call; by option created
//     anew, under another id;
//   - in doubt: rejected in doubt, for a person to look; by option GET /customers,
//     where one is taken for the customer, none is created, and several are
//     rejected in doubt;
//   - a deletion: skipped as "no_delete", without a call.
//
// How a customer is found in the list: by the external id where both have one,
// else by mail address, first and last name. Somebody with the same mail address
// and other names may be the customer before a change, or may be someone else: a
// person is asked. What was found and holds other values than the row is named in
// the ledger, such as "kept phone".
//
// What is known of eComCharge, with its source (seed: the published page on
// customers; doc: other pages of the platform's brands; others: clients of third
// parties; inferred: nobody says):
//
//   - POST creates (201, the customer with its id) or refuses (422, a message and
//     errors by field); GET answers all customers as a bare list (seed). Nothing
//     about updating or deleting is written by any brand, and no client has it;
//   - mail address and ip are required; country is two letters of ISO 3166-1; a zip
//     in the US is NNNNN or NNNNN-NNNN; state is two letters, for US and CA only (seed);
//   - external_id, of 255 characters, is in bePaid's document (doc) and not in
//     eComCharge's: see Options.ExternalID;
//   - the header against repetition that other calls of the platform have is said
//     not to count for this one (doc): it is not sent;
//   - a second customer with the same mail address is created, presumably (inferred);
//   - errors of sister calls have objects where this one has lists, "base" for
//     what is no field, and sometimes stand in a "response" (doc): all are read;
//   - the list may be wrapped, and in pages (others): a wrapped one that says more of
//     itself is not taken for all there is;
//   - 429 has no time to wait: the interval is to grow (doc). Bodies of 401, 403,
//     404 and 5xx are not written anywhere.
package ecomcharge

import (
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/custsync/custsync/pkg/sinks"
)

// Config says how to reach a shop's account.
type Config struct {
	URL       string // https://api.ecomcharge.com, https://api.bepaid.by
	ShopID    string
	SecretKey string
	Options   Options
	Caller    sinks.Caller
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

// maxList is the most that is read of a list of all customers: some 300,000.
const maxList = 64 << 20

// New returns a sink, or says what is wrong with its configuration.
func New(cfg Config) (*Sink, error) {
	if cfg.ShopID == "" || cfg.SecretKey == "" {
		return nil, errors.New("ecomcharge: shop_id and secret_key are required")
	}
	if broken := cfg.Options.Validate(); len(broken) > 0 {
		return nil, errors.New("ecomcharge: options." + broken[0].Field + ": " + broken[0].Message)
	}
	if cfg.Caller.MaxAnswer == 0 {
		cfg.Caller.MaxAnswer = maxList
	}
	caller, err := cfg.Caller.Open(cfg.URL)
	if err != nil {
		return nil, errors.New("ecomcharge: " + err.Error())
	}
	login := base64.StdEncoding.EncodeToString([]byte(cfg.ShopID + ":" + cfg.SecretKey))
	return &Sink{
		options: cfg.Options.withDefaults(),
		caller:  caller,
		header:  http.Header{"Authorization": {"Basic " + login}, "Accept": {"application/json"}},
	}, nil
}

// Limits: every call is about one customer.
func (s *Sink) Limits() sinks.Limits { return sinks.Limits{MaxRows: 1} }

// lookupRows bounds the rows that share one list: each may need a call of its
// own, and they have to be through before the delivery's time is.
const lookupRows = 10

// Lane keeps apart what goes out by different calls. Whatever may create is
// marked in the ledger before.
func (s *Sink) Lane(row *sinks.Row) sinks.Lane {
	switch s.planOf(row) {
	case skipDelete, skipChange, ask:
		return sinks.Lane{Name: "none", Local: true}
	case lookup:
		return sinks.Lane{Name: "lookup", MaxRows: lookupRows, Once: true}
	case create:
	}
	return sinks.Lane{Name: "create", Once: true}
}

// plan is what a row needs.
type plan uint8

const (
	create     plan = iota
	lookup          // it may be there
	ask             // it may be there, and only a person can look
	skipChange      // it is there, and can't be changed
	skipDelete      // it can't be deleted
)

// planOf trusts the mark of doubt alone and not the number of the attempt: what
// was throttled or refused before has an attempt behind it and created nothing.
func (s *Sink) planOf(row *sinks.Row) plan {
	held := row.Held || row.ProviderID != ""
	switch {
	case row.Delete:
		return skipDelete
	case held && s.options.OnChange == changeSkip:
		return skipChange
	case row.Doubt && s.options.LookUp:
		return lookup
	case row.Doubt:
		return ask
	}
	return create
}
