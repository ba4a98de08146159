package ledger

import (
	"fmt"
	"strconv"
	"time"

	"github.com/custsync/custsync/internal/scan"
)

// Append appends the entry's wire form, the contract's JSON, to b. Entries that
// are equal are equal bytes.
func Append(b []byte, e *Entry) []byte {
	b = append(b, '{')
	if h := e.Held; h != nil {
		b = append(b, `"held":{"version":`...)
		b = strconv.AppendInt(b, h.Version, 10)
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, h.Seq, 10)
		b = appendText(b, `,"hash":`, h.Hash)
		b = appendText(b, `,"provider_id":`, h.ProviderID)
		b = appendTime(b, `,"at":`, h.At)
		b = append(b, '}')
	}
	if s := e.Settled; s != nil {
		if e.Held != nil {
			b = append(b, ',')
		}
		b = append(b, `"settled":{"version":`...)
		b = strconv.AppendInt(b, s.Version, 10)
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, s.Seq, 10)
		b = append(b, `,"outcome":`...)
		b = scan.AppendText(b, s.Outcome)
		b = appendText(b, `,"reason":`, s.Reason)
		b = appendTime(b, `,"at":`, s.At)
		b = appendText(b, `,"edit":`, s.Edit)
		b = append(b, '}')
	}
	if p := e.Pending; p != nil {
		if e.Held != nil || e.Settled != nil {
			b = append(b, ',')
		}
		b = appendPending(b, p)
	}
	return append(b, '}')
}

func appendPending(b []byte, p *Pending) []byte {
	b = append(b, `"pending":{"version":`...)
	b = strconv.AppendInt(b, p.Version, 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, p.Seq, 10)
	b = append(b, `,"attempts":`...)
	b = strconv.AppendInt(b, int64(p.Attempts), 10)
	if !p.First.IsZero() {
		b = appendTime(b, `,"first":`, p.First)
	}
	if !p.Next.IsZero() {
		b = appendTime(b, `,"next":`, p.Next)
	}
	if p.Doubt {
		b = append(b, `,"doubt":true`...)
	}
	if p.Delete {
		b = append(b, `,"delete":true`...)
	}
	b = appendText(b, `,"error":`, p.Error)
	return append(b, '}')
}

func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return scan.AppendText(append(b, name...), value)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	b = append(append(b, name...), '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// Parse reads an entry's wire form into e. Fields that it doesn't know are
// skipped, for what a later custsync may add. The entry's strings share memory
// with data, which must not change while the entry is in use.
func Parse(data []byte, e *Entry) error {
	*e = Entry{}
	s := scan.New(data)
	for name, ok := s.Object(); ok; name, ok = s.Field() {
		switch {
		case s.Null():
		case name == "held":
			e.Held = parseHeld(&s)
		case name == "settled":
			e.Settled = parseSettled(&s)
		case name == "pending":
			e.Pending = parsePending(&s)
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return fmt.Errorf("read a ledger entry: %w", err)
	}
	return nil
}

func parseHeld(s *scan.Scanner) *Held {
	h := new(Held)
	for name, ok := s.Object(); ok; name, ok = s.Field() {
		switch name {
		case "version":
			h.Version = s.Int()
		case "seq":
			h.Seq = uint64(s.Int())
		case "hash":
			h.Hash = s.Text()
		case "provider_id":
			h.ProviderID = s.Text()
		case "at":
			h.At = parseTime(s)
		default:
			s.Skip()
		}
	}
	return h
}

func parseSettled(s *scan.Scanner) *Settled {
	t := new(Settled)
	for name, ok := s.Object(); ok; name, ok = s.Field() {
		switch name {
		case "version":
			t.Version = s.Int()
		case "seq":
			t.Seq = uint64(s.Int())
		case "outcome":
			t.Outcome = s.Text()
		case "reason":
			t.Reason = s.Text()
		case "at":
			t.At = parseTime(s)
		case "edit":
			t.Edit = s.Text()
		default:
			s.Skip()
		}
	}
	return t
}

func parsePending(s *scan.Scanner) *Pending {
	p := new(Pending)
	for name, ok := s.Object(); ok; name, ok = s.Field() {
		switch name {
		case "version":
			p.Version = s.Int()
		case "seq":
			p.Seq = uint64(s.Int())
		case "attempts":
			p.Attempts = int(s.Int())
		case "first":
			p.First = parseTime(s)
		case "next":
			p.Next = parseTime(s)
		case "doubt":
			p.Doubt = s.Bool()
		case "delete":
			p.Delete = s.Bool()
		case "error":
			p.Error = s.Text()
		default:
			s.Skip()
		}
	}
	return p
}

// parseTime reads a time; one that can't be read is the zero time, since times
// decide nothing in an entry.
func parseTime(s *scan.Scanner) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s.Text())
	if err != nil {
		return time.Time{}
	}
	return t
}
