package events

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/custsync/custsync/internal/scan"
)

// Encode returns the event as it is published. Whatever it returns, Decode reads
// as the same event; what Decode would refuse is an error here.
func Encode(ev *Event) ([]byte, error) { return AppendEvent(nil, ev) }

// AppendEvent is Encode onto the end of b, which comes back unchanged beside an
// error.
func AppendEvent(b []byte, ev *Event) ([]byte, error) {
	e := encoder{b: b}
	e.event(ev)
	if size := len(e.b) - len(b); e.err == nil && size > MaxSize {
		e.err = fmt.Errorf("larger than %d KiB", MaxSize>>10)
	}
	if e.err != nil {
		return b, fmt.Errorf("encode event: %w", e.err)
	}
	return e.b, nil
}

// encoder appends JSON and keeps the first error.
type encoder struct {
	b   []byte
	in  string // path of the object being written, with a dot; for errors
	err error
}

func (e *encoder) event(ev *Event) {
	version := e.envelope(ev)
	e.in = "data."
	if ev.Data != nil {
		e.data(ev, version)
	} else {
		e.customer(&ev.Customer, version, ev.Type)
	}
	e.b = append(e.b, '}')
}

// envelope writes all that stands before the data, and returns the version that
// the data names.
func (e *encoder) envelope(ev *Event) Opt[int64] {
	e.b = append(e.b, `{"specversion":"1.0"`...)
	e.must("id", ev.ID)
	e.must("source", ev.Shop)
	if ev.Type != Changed && ev.Type != Deleted {
		e.fail("type", "want customer.changed.v1 or customer.deleted.v1")
	}
	e.must("type", string(ev.Type))
	e.must("subject", ev.Customer.ID)
	version := ev.explicitVersion(e)
	if !version.Has() || !ev.Time.IsZero() {
		if ev.Time.IsZero() {
			e.fail("time", "missing, and there is no version")
		} else if !version.Has() && ev.Time.UnixMicro() < 0 {
			e.fail("time", "lies before 1970 and has to serve as the version")
		}
		e.time("time", ev.Time)
	}
	e.b = append(e.b, `,"datacontenttype":"application/json","data":`...)
	return version
}

// explicitVersion is the version that data names, if any.
func (ev *Event) explicitVersion(e *encoder) Opt[int64] {
	version := ev.Customer.Version
	switch {
	case ev.TimeVersion || ev.Version == 0:
	case !version.Has():
		version = Some(ev.Version)
	case version.V != ev.Version:
		e.fail("version", "differs from the customer's version")
	}
	if version.Has() && (version.V < 0 || version.V > MaxVersion) {
		e.fail("version", "want a whole number from 0 to 2^53-1")
	}
	return version
}

// data writes the raw data, having seen that it says the same as the Customer.
func (e *encoder) data(ev *Event, version Opt[int64]) {
	d := decoder{s: scan.New(ev.Data)}
	var c Customer
	d.customer(&c, ev.Type)
	d.s.End()
	if err := d.failure(); err != nil {
		e.fail(err.Field, err.Message)
		return
	}
	raw, own := encoder{in: e.in}, encoder{in: e.in}
	raw.customer(&c, c.Version, ev.Type)
	own.customer(&ev.Customer, version, ev.Type)
	switch {
	case e.err != nil:
	case own.err != nil:
		e.err = own.err
	case !bytes.Equal(raw.b, own.b):
		e.err = errors.New("data differs from the customer: set it to nil to publish the customer")
	}
	e.b = append(e.b, ev.Data...)
}

func (e *encoder) fail(name, message string) {
	if e.err == nil {
		e.err = fmt.Errorf("%s%s: %s", e.in, name, message)
	}
}

// name begins a field, after a comma unless an object was just opened.
func (e *encoder) name(name string) {
	if e.b[len(e.b)-1] != '{' {
		e.b = append(e.b, ',')
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, name...)
	e.b = append(e.b, '"', ':')
}

// begin begins a field that may be left out, and reports whether it has a value
// to be written.
func (e *encoder) begin(name string, state State) bool {
	if state == Absent {
		return false
	}
	e.name(name)
	if state == Null {
		e.b = append(e.b, "null"...)
	}
	return state == Set
}

// must writes an attribute of the envelope that decides and can't be empty.
func (e *encoder) must(name, value string) {
	if value == "" {
		e.fail(name, "empty")
	}
	e.name(name)
	if name == "source" {
		value = "/shops/" + value
	}
	e.string(name, value)
}

func (e *encoder) string(name, value string) {
	if !utf8.ValidString(value) {
		e.fail(name, "invalid UTF-8")
	}
	e.b = scan.AppendText(e.b, value)
}

func (e *encoder) text(name string, o Opt[string]) {
	if e.begin(name, o.State) {
		e.string(name, o.V)
	}
}

func (e *encoder) texts(name string, o Opt[[]string]) {
	if !e.begin(name, o.State) {
		return
	}
	e.list(len(o.V), func(i int) { e.string(name, o.V[i]) })
}

func (e *encoder) list(n int, write func(i int)) {
	e.b = append(e.b, '[')
	for i := range n {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		write(i)
	}
	e.b = append(e.b, ']')
}

func (e *encoder) bool(name string, o Opt[bool]) {
	if e.begin(name, o.State) {
		e.b = strconv.AppendBool(e.b, o.V)
	}
}

func (e *encoder) number(name string, o Opt[float64]) {
	if !e.begin(name, o.State) {
		return
	}
	if o.V-o.V != 0 {
		e.fail(name, "is no number that JSON has")
	}
	e.b = scan.AppendFloat(e.b, o.V)
}

func (e *encoder) time(name string, t time.Time) {
	e.name(name)
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		e.fail(name, "RFC 3339 has no such year")
	}
	e.b = append(e.b, '"')
	e.b = t.AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, '"')
}
