// Package virtualpos delivers customers to a VirtualPOS till system, with their
// loyalty cards and bonuses.
//
// Promises: a customer is known by the external id, which is the shop's id of the
// customer, and is created once. Every call can be repeated: a delivery that breaks
// off half-way starts anew and adds nothing twice. Bonuses are set and never added
// to. The key is in no error, no log and no dead letter, even where VirtualPOS
// repeats it; where the document lets it, it is in the form and not in the address.
//
// How a row goes out, one customer in several calls, in this order:
//
//   - POST /api/customer/update?external_id=…&create_if_not_exist=1;
//   - where the shop manages cards, GET /api/customer?external_id=…&cards=true, unless
//     the customer was created just now: then updateCard with create_if_not_exist=1
//     for each card that is missing or differs (by option insertCard for one that
//     is missing), and deleteCard for each that left;
//   - updateBonus with overwrite=true for each programme;
//   - a deletion: skipped as "no_delete", since there is no call; its cards that
//     custsync may delete are deleted first.
//
// When a call fails, the error and the outcome name it. A row of which a call is
// refused is rejected, and what the calls before it changed stays until the next
// version, which is sent even where the ledger says that it is there.
//
// Each call has the destination's timeout for itself. Where cards are inserted, the
// calls of a row have to be through within one, since they are noted before; what is
// in step when a delivery is tried again needs no call, as far as the list of cards tells.
//
// Which cards leave: those of the customer that carry an external id and are not in
// the row. A card that was issued at a till has none and is never touched. A card
// that the shop gives no id goes by its number. VirtualPOS may tell external ids of
// another system too: then Options.DeleteCards is to be none. A list that tells
// nothing of cards lets none leave; the ledger says "cards_not_listed" then. A card that goes over
// from one customer to another while both change may be deleted after it arrived;
// the next version of the new owner brings it back.
//
// What is known of VirtualPOS, with its source (seed: the published page on
// customers; doc: the vendor's other pages; inferred: nobody says):
//
//   - parameters are form fields or in the query; some are "get only", in the query
//     (seed). The key may be either way (doc);
//   - every answer has success, 1 or 0, and info on 0 (seed), whatever the HTTP
//     status, a wrong key included (inferred). No text of info is written anywhere:
//     it is the row's fault unless Options.Blocked or Options.Retryable say otherwise;
//   - XML answers are printed (seed), JSON answers are not: XML is asked for, and
//     whichever comes is read. Numbers may be texts (inferred);
//   - which customer update selects, and what create_if_not_exist does there, is
//     written for cards only (seed) and printed in an address for customers (doc);
//   - the paths of cards and bonuses, and the shape of cards in the list, are not
//     printed (inferred: like update; external_id and uid as the parameters are called);
//   - cards are found by card_id, uid, external_id, barcode in this order (seed);
//   - a group or a card type of a new name is made (seed): a slip in a mapping makes
//     a new one for everybody to see. An id counts before a name (seed);
//   - age must not be passed (seed): it never is;
//   - adding to a bonus is the default (seed), which repeats would add again;
//   - dates are YYYY-MM-DD HH:MM:SS (seed) in a zone that is not written anywhere;
//   - that an empty value clears a field is inferred, F and M for gender half of it:
//     the sample has F. A group is cleared by its id and its name, since only a name
//     that is given counts (seed);
//   - a 404 with words of VirtualPOS' own about a card or a programme is the row's
//     (inferred); any other is the address's;
//   - limits, sizes and status codes are not written anywhere.
package virtualpos

import (
	"errors"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/sinks"
)

// Config says how to reach a company's VirtualPOS.
type Config struct {
	URL     string // https://acme.myvirtualpos.ru; the API is below /api
	APIKey  string
	Options Options
	Caller  sinks.Caller
}

// Sink delivers to one company.
type Sink struct {
	options Options
	zone    *time.Location
	client  client
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Mapper  = (*Sink)(nil)
	_ sinks.Planner = (*Sink)(nil)
)

// New returns a sink, or says what is wrong with its configuration.
func New(cfg Config) (*Sink, error) {
	if cfg.APIKey == "" {
		return nil, errors.New("virtualpos: apikey is required")
	}
	if broken := cfg.Options.Validate(); len(broken) > 0 {
		return nil, errors.New("virtualpos: options." + broken[0].Field + ": " + broken[0].Message)
	}
	caller, err := cfg.Caller.Open(strings.TrimSuffix(strings.TrimRight(cfg.URL, "/"), "/api") + "/api/customer")
	if err != nil {
		return nil, errors.New("virtualpos: " + err.Error())
	}
	options := cfg.Options.withDefaults()
	zone, _ := zoneOf(options.UTCOffset)
	return &Sink{options: options, zone: zone, client: client{caller: caller, key: cfg.APIKey, format: options.Format}}, nil
}

// Limits: every delivery is about one customer.
func (s *Sink) Limits() sinks.Limits { return sinks.Limits{MaxRows: 1} }

// Lane sets apart the deletions for which there is nothing to do, and marks
// deliveries that may insert a card: that can't be repeated while an earlier call
// may still arrive.
func (s *Sink) Lane(row *sinks.Row) sinks.Lane {
	switch {
	case row.Delete && s.nothingToDelete(row):
		return sinks.Lane{Name: "none", Local: true}
	case row.Delete:
		return sinks.Lane{Name: "delete", Calls: mostCalls}
	case s.options.Cards == cardsInsert:
		return sinks.Lane{Name: "insert", Once: true}
	}
	return sinks.Lane{Calls: mostCalls}
}

// mostCalls bounds what one customer's cards and programmes may take.
const mostCalls = 1000

// nothingToDelete reports whether a deletion has no cards to delete: they are kept,
// or the customer was never there, not even in part.
func (s *Sink) nothingToDelete(row *sinks.Row) bool {
	never := !row.Held && row.ProviderID == "" && !row.Doubt && row.Attempt <= 1
	return never || s.options.DeleteCards == deleteNone || s.options.Cards == cardsNone
}
