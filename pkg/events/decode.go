package events

import (
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
)

// Reasons of a DecodeError, as they stand on dead letters.
const (
	Undecodable   = "undecodable"    // the event is not what the contract says
	VersionFuture = "version_future" // a version made of time lies too far ahead
)

// DecodeError says why an event can't be used. It never repeats the event's
// data, so it may be logged and stored.
type DecodeError struct {
	Reason  string // Undecodable or VersionFuture
	Field   string // path of the field at fault, such as data.address.city; empty: the document
	Message string
	Offset  int // byte at which the document stopped making sense; 0: none in particular

	// Versioned says that the event belongs to the customer it was published for
	// and has a version, so that it supersedes older ones although it is of no
	// use itself. Of the Event, ID, Type, Shop, Time, Version and TimeVersion are
	// filled then. A version that lies too far ahead supersedes nothing: it would
	// stand in the way of all that follow.
	Versioned bool
}

func (e *DecodeError) Error() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(e.Reason, "_", " "))
	b.WriteString(" event: ")
	if e.Field != "" {
		b.WriteString(e.Field)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Offset > 0 {
		b.WriteString(" at offset ")
		b.WriteString(strconv.Itoa(e.Offset))
	}
	return b.String()
}

// Decode reads an event that came by the subject with these tokens (escaped, as
// in the subject) into ev, replacing whatever ev held but using its slices again.
//
// It is strict where it decides: who the customer is, which version this is, of
// which kind, and every field that the contract names. Those that it does not
// name are passed over, here and in data. The order of fields does not matter.
// Every error is a *DecodeError. Beside VersionFuture ev is complete, beside
// Versioned it says whose it is and how new, else it is of no use.
func Decode(data []byte, shopToken, customerToken string, now time.Time, ev *Event) error {
	ev.reset()
	err := decode(data, shopToken, customerToken, ev)
	if err != nil {
		err.Versioned = salvage(data, shopToken, customerToken, ev) && !ev.ahead(now)
		return err
	}
	if ev.ahead(now) {
		return &DecodeError{Reason: VersionFuture, Field: "time", Message: "lies more than 10 minutes ahead"}
	}
	return nil
}

func (ev *Event) ahead(now time.Time) bool { return ev.TimeVersion && ev.Time.Sub(now) > MaxClockAhead }

func decode(data []byte, shopToken, customerToken string, ev *Event) *DecodeError {
	if len(data) > MaxSize {
		return undecodable("", "larger than 512 KiB")
	}
	shop, customer, err := tokens(shopToken, customerToken)
	if err != nil {
		return err
	}
	e := envelope{decoder: decoder{s: scan.New(data)}, data: data, ev: ev}
	if err := e.read(); err != nil {
		return err
	}
	switch {
	case e.source != "/shops/"+shop:
		return undecodable("source", "is not the shop of the NATS subject")
	case e.subject != customer:
		return undecodable("subject", "is not the customer of the NATS subject")
	case ev.Customer.ID != customer:
		return undecodable("data.id", "is not the customer of subject")
	}
	ev.Shop = e.source[len("/shops/"):]
	return ev.settleVersion()
}

// settleVersion makes the event's version: the one in data, else its time.
func (ev *Event) settleVersion() *DecodeError {
	if ev.Customer.Version.Has() {
		ev.Version = ev.Customer.Version.V
		return nil
	}
	if ev.Time.IsZero() {
		return undecodable("time", "missing, and so is data.version")
	}
	ev.Version, ev.TimeVersion = ev.Time.UnixMicro(), true
	if ev.Version < 0 {
		return undecodable("time", "lies before 1970 and has to serve as the version")
	}
	return nil
}

func tokens(shopToken, customerToken string) (shop, customer string, _ *DecodeError) {
	shop, err := UnescapeToken(shopToken)
	if err == nil {
		customer, err = UnescapeToken(customerToken)
	}
	if err != nil {
		return "", "", undecodable("", "NATS "+err.Error())
	}
	return shop, customer, nil
}

func undecodable(field, message string) *DecodeError {
	return &DecodeError{Reason: Undecodable, Field: field, Message: message}
}

// envelope reads a CloudEvents document.
type envelope struct {
	decoder
	data            []byte // the whole document
	ev              *Event
	source, subject string
	dataAt          int   // offset of data
	seen            uint8 // bit set of the fields read, one bit per field below
}

const (
	seenSpec uint8 = 1 << iota
	seenID
	seenSource
	seenType
	seenSubject
	seenTime
	seenData
	seenContentType
)

func (e *envelope) read() *DecodeError {
	s := &e.s
	for key, ok := s.Object(); ok; key, ok = s.Field() {
		switch key {
		case "specversion":
			e.once(seenSpec)
			if s.Text() != "1.0" {
				s.Fail("want 1.0")
			}
		case "id":
			e.once(seenID)
			e.ev.ID = e.filled()
		case "source":
			e.once(seenSource)
			e.source = e.filled()
		case "type":
			e.once(seenType)
			if e.ev.Type = Type(s.Text()); e.ev.Type != Changed && e.ev.Type != Deleted {
				s.Fail("want customer.changed.v1 or customer.deleted.v1")
			}
		case "subject":
			e.once(seenSubject)
			e.subject = e.filled()
		case "time": // optional in CloudEvents, as long as data has a version
			e.once(seenTime)
			if !s.Null() {
				e.ev.Time = e.time()
			}
		case "datacontenttype":
			e.once(seenContentType)
			if !s.Null() && !isJSON(s.Text()) {
				s.Fail("want application/json")
			}
		case "data":
			e.once(seenData)
			e.readData()
		default:
			s.Skip()
			continue
		}
		e.under(key)
	}
	if err := s.End(); err != nil {
		return e.failure()
	}
	for i, name := range [...]string{"specversion", "id", "source", "type", "subject", "", "data"} {
		if name != "" && e.seen&(1<<i) == 0 {
			return undecodable(name, "missing")
		}
	}
	if e.ev.Customer.ID == "" { // data stood before type
		e.decoder = decoder{s: scan.New(e.ev.Data)}
		e.customer(&e.ev.Customer, e.ev.Type)
		if e.under("data"); e.s.Err() != nil {
			err := e.failure()
			err.Offset += e.dataAt
			return err
		}
	}
	return nil
}

// readData reads the customer if the type says how, else only keeps the bytes.
func (e *envelope) readData() {
	if e.s.Kind() != scan.Object {
		e.s.Object() // fails
		return
	}
	e.dataAt = e.s.Offset()
	if e.seen&seenType == 0 {
		e.ev.Data = e.s.Skip()
		return
	}
	e.customer(&e.ev.Customer, e.ev.Type)
	if end := e.s.Offset(); e.s.Err() == nil {
		e.ev.Data = e.data[e.dataAt:end:end]
	}
}

func (e *envelope) once(field uint8) {
	if e.seen&field != 0 {
		e.s.Fail(twice)
	}
	e.seen |= field
}

// filled reads a string that must not be empty.
func (e *envelope) filled() string {
	v := e.s.Text()
	if v == "" {
		e.s.Fail("empty")
	}
	return v
}

func isJSON(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "application/json")
}
