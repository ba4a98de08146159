package intake

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/events"
)

// Maker makes events of documents. It is for one goroutine.
type Maker struct {
	// Shop is whose customers these are. Empty: events and bare customers name
	// their own; else none may name another.
	Shop string
	// ID is the event id of bare customers; empty: one is derived from what they say.
	ID string
	// Clock gives bare customers their time where Make is given none.
	Clock *Clock
	// Now tells the time; nil: time.Now.
	Now func() time.Time

	event events.Event
	bare  events.Customer
}

// Made is an event that is ready to be sent.
type Made struct {
	events.Raw
	Type    events.Type
	Version int64
}

// Make makes an event of a document: an event stands as it is, a bare customer
// gets what it lacks, with the given time, or, where that is zero, the Clock's. shop, unless empty, is named beside the document. The
// event may share memory with the document.
func (m *Maker) Make(doc []byte, shop string, at time.Time) (Made, error) {
	h, err := readHead(doc)
	if err != nil {
		return Made{}, err
	}
	made := Made{}
	if h.isEvent {
		made, err = m.asItStands(doc, h)
	} else {
		made, err = m.wrap(doc, h, shop, at)
	}
	if err != nil {
		return Made{}, err
	}
	return made, made.Check()
}

var (
	errNoShop    = errors.New("shop: missing: name it with --shop, or as shop in the customer")
	errOtherShop = errors.New("shop: is not the one that customers are published for")
)

func (m *Maker) asItStands(doc []byte, h head) (Made, error) {
	shop, ok := strings.CutPrefix(h.source, "/shops/")
	switch {
	case h.subject == "" || h.source == "":
		// Decode says it better, given names that agree with nothing.
		shop, h.subject = "-", "-"
	case !ok || shop == "":
		return Made{}, errors.New("source: want /shops/ and the shop's name")
	case m.Shop != "" && shop != m.Shop:
		return Made{}, errOtherShop
	}
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	ev := &m.event
	if err := events.Decode(doc, events.EscapeToken(shop), events.EscapeToken(h.subject), now(), ev); err != nil {
		return Made{}, err
	}
	raw := events.Raw{Shop: ev.Shop, Customer: ev.Customer.ID, ID: ev.ID, Data: doc, TraceParent: h.trace}
	return Made{Raw: raw, Type: ev.Type, Version: ev.Version}, nil
}

func (m *Maker) wrap(doc []byte, h head, shop string, at time.Time) (Made, error) {
	for _, named := range []string{h.shop, m.Shop} {
		if shop != "" && named != "" && shop != named {
			return Made{}, errOtherShop
		}
		if shop == "" {
			shop = named
		}
	}
	if shop == "" {
		return Made{}, errNoShop
	}
	if at.IsZero() {
		at = m.Clock.Next()
	}
	raw, err := events.WrapCustomer(doc, shop, at, &m.bare)
	if err == nil && m.ID != "" {
		raw, err = (&events.Publisher{}).Prepare(&events.Event{ID: m.ID, Shop: shop, Time: at, Customer: m.bare, Data: doc})
	}
	if err != nil {
		return Made{}, err
	}
	made := Made{Raw: raw, Type: events.Changed, Version: at.UnixMicro()}
	if m.bare.Version.Has() {
		made.Version = m.bare.Version.V
	}
	return made, nil
}

// Clock tells times that serve as versions: never the same twice, nor going back,
// whoever asks.
type Clock struct{ last atomic.Int64 }

// Next returns the time in microseconds, moved on where the clock stands still.
func (c *Clock) Next() time.Time {
	now := time.Now().UnixMicro()
	for {
		last := c.last.Load()
		if next := max(now, last+1); c.last.CompareAndSwap(last, next) {
			return time.UnixMicro(next).UTC()
		}
	}
}

// head is what tells an event from a bare customer, and whose it is.
type head struct {
	isEvent               bool
	source, subject, shop string
	trace                 string
}

// readHead looks through a document once. An event that lacks its specversion
// must not pass for a customer, so other marks of events count too.
func readHead(doc []byte) (head, error) {
	var h head
	var kind string
	var hasData bool
	s := scan.New(doc)
	text := func(v *string) {
		if s.Kind() != scan.String {
			s.Skip()
			return
		}
		*v = s.Text()
	}
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		switch key {
		case "specversion":
			h.isEvent = true
			s.Skip()
		case "type":
			text(&kind)
		case "source":
			text(&h.source)
		case "subject":
			text(&h.subject)
		case "traceparent":
			text(&h.trace)
		case "data":
			hasData = s.Kind() == scan.Object
			s.Skip()
		case "shop":
			if h.shop != "" {
				s.Fail("shop is given twice")
			}
			h.shop = s.Text()
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		if len(doc) == 0 || doc[0] != '{' {
			return head{}, errors.New("want a JSON object, on one line")
		}
		return head{}, err
	}
	h.isEvent = h.isEvent || hasData && h.source != "" || kind == string(events.Changed) || kind == string(events.Deleted)
	return h, nil
}
