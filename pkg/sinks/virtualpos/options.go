package virtualpos

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/sinks"
)

// Options are VirtualPOS' own switches. The zero value has the defaults given at
// each field.
type Options struct {
	// Format is what answers are asked for: xml, which is printed in the document, or
	// json, which it names and doesn't print; xml. Whichever comes is read.
	Format string `yaml:"format"`
	// Groups gives the id of each customer group; what is not in it goes by its name,
	// which makes a group where there is none (documented).
	Groups map[string]int `yaml:"groups"`
	// CardTypes gives the id of each type of card, as Groups does.
	CardTypes map[string]int `yaml:"card_types"`
	// Cards says how a card goes out that is not there: update (updateCard with
	// create_if_not_exist, which can be repeated), insert (insertCard, after a look
	// at the customer's cards), or none (cards are not sent); update.
	Cards string `yaml:"cards"`
	// DeleteCards deletes cards that left the customer: external (those that carry an
	// external id) or none; external.
	DeleteCards string `yaml:"delete_cards"`
	// Blocked and Retryable are parts of info, in any case, that mean that nothing
	// will work until a person acts, and that the row is to be tried again. No text
	// of info is documented. Blocked: apikey, api key, api_key; Retryable: none. In
	// whatever else VirtualPOS refuses the row is at fault.
	Blocked   []string `yaml:"blocked"`
	Retryable []string `yaml:"retryable"`
	// UTCOffset is the zone of dates, such as +03:00; +00:00. The document names none.
	UTCOffset string `yaml:"utc_offset"`
	// ExternalIDWithShop makes the external id "<shop>/<customer>", for several shops
	// in one VirtualPOS whose ids may be equal. Use this rather than mapping
	// external_id: a deletion doesn't know what map would have made. Off.
	ExternalIDWithShop bool `yaml:"external_id_with_shop"`
}

const (
	formatXML      = "xml"
	formatJSON     = "json"
	cardsUpdate    = "update"
	cardsInsert    = "insert"
	cardsNone      = "none"
	deleteExternal = "external"
	deleteNone     = "none"
)

func (o Options) withDefaults() Options {
	if o.Format == "" {
		o.Format = formatXML
	}
	if o.Cards == "" {
		o.Cards = cardsUpdate
	}
	if o.DeleteCards == "" {
		o.DeleteCards = deleteExternal
	}
	if o.Blocked == nil {
		o.Blocked = []string{"apikey", "api key", "api_key"}
	}
	if o.UTCOffset == "" {
		o.UTCOffset = "+00:00"
	}
	return o
}

// Validate returns one FieldError per mistake; Field is the option's name.
func (o Options) Validate() []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	set := o.withDefaults()
	if set.Format != formatXML && set.Format != formatJSON {
		add("format", "want xml or json")
	}
	if set.Cards != cardsUpdate && set.Cards != cardsInsert && set.Cards != cardsNone {
		add("cards", "want update, insert or none")
	}
	if set.DeleteCards != deleteExternal && set.DeleteCards != deleteNone {
		add("delete_cards", "want external or none")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Groups)) {
		if o.Groups[name] <= 0 {
			add("groups."+name, "want the group's id, 1 or more")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.CardTypes)) {
		if o.CardTypes[name] <= 0 {
			add("card_types."+name, "want the type's id, 1 or more")
		}
	}
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	if slices.ContainsFunc(o.Blocked, blank) {
		add("blocked", "an empty text is part of everything")
	}
	if slices.ContainsFunc(o.Retryable, blank) {
		add("retryable", "an empty text is part of everything")
	}
	if _, ok := zoneOf(set.UTCOffset); !ok {
		add("utc_offset", "want an offset such as +03:00")
	}
	return broken
}

// zoneOf reads an offset. Zones by name would need a database of them.
func zoneOf(offset string) (*time.Location, bool) {
	at, err := time.Parse("-07:00", offset)
	if err != nil {
		return time.UTC, false
	}
	_, seconds := at.Zone()
	return time.FixedZone(offset, seconds), true
}
