// Package events is the contract with shops: a customer-changed event, how it
// is written, read and addressed, and the Publisher that shops use. It needs
// nothing but nats.go and the standard library.
//
// Promises: what this package publishes it also reads, unchanged; an event that
// it can't read is an error that says what is wrong and where, and nothing in
// it is guessed at; errors never repeat a customer's data.
package events

import "time"

// Type is the kind of an event.
type Type string

const (
	Changed Type = "customer.changed.v1" // data is the customer's whole state
	Deleted Type = "customer.deleted.v1" // data holds id and version only
)

// Bounds of the contract.
const (
	MaxSize        = 512 << 10           // bytes of one event
	MaxVersion     = 1<<53 - 1           // the largest version
	MinTimeVersion = 100_000_000_000_000 // 10^14: versions made of time lie above, explicit ones below
	MaxClockAhead  = 10 * time.Minute    // how far a time version may lie ahead of now
)

// Event is a customer's whole state at one version, as published.
//
// Strings of a decoded Event share memory with the bytes it was decoded from,
// which must not change while it is in use.
//
// To publish one, Shop and Customer are enough; the Publisher fills in the rest.
// Data, where it is set, is what is published, so that fields which Customer does
// not name go along; it must not contradict Customer. After changing a decoded
// Customer, set Data to nil.
type Event struct {
	ID          string
	Type        Type
	Shop        string // unescaped, from source
	Time        time.Time
	Version     int64 // explicit, or Time in microseconds since 1970
	TimeVersion bool  // Version was made of Time
	Customer    Customer
	Data        []byte // the data object's raw JSON, for fields that Customer does not name
	TraceParent string // W3C trace context; travels as a header, not in the document
}

// reset empties the event and keeps the room of its lists.
func (ev *Event) reset() {
	c := ev.Customer
	c.reset()
	*ev = Event{Customer: c}
}

func (c *Customer) reset() {
	emails, phones, cards, bonuses, attributes := c.Emails.V[:0], c.Phones.V[:0], c.Cards.V[:0], c.Bonuses.V[:0], c.Attributes.V[:0]
	*c = Customer{}
	c.Emails.V, c.Phones.V, c.Cards.V, c.Bonuses.V, c.Attributes.V = emails, phones, cards, bonuses, attributes
}
