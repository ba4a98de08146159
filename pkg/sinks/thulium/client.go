package thulium

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// batchKind is one of the two batch calls.
type batchKind uint8

const (
	createBatch batchKind = iota
	updateBatch
)

func (k batchKind) op() string {
	if k == createBatch {
		return "create customers"
	}
	return "update customers"
}

func (k batchKind) method() string {
	if k == createBatch {
		return http.MethodPost
	}
	return http.MethodPut
}

const (
	head = `{"customers":[`
	tail = `]}`
)

// batch makes the call for the rows in set and returns an item for each, in that
// order. Items count beside an error.
func (s *Sink) batch(ctx context.Context, kind batchKind, d *delivery, set []int) ([]item, error) {
	body, err := s.body(kind, d, set)
	if err != nil {
		return nil, err
	}
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: kind.op(), Method: kind.method(), Path: "/batch/customers",
		Header: s.header, Body: body, Want: sinks.JSON,
	})
	if answer == nil {
		return nil, err
	}
	if err != nil && retry.Of(err).Code == "cut" {
		return nil, err
	}
	// A status that says no, over a body that judges row by row, is judged by the
	// rows: else what was created would be sent again.
	items, bad := readItems(answer.Body, len(set))
	switch {
	case err == nil && bad != nil:
		return nil, sinks.NotJSON(kind.op())
	case err != nil && bad != nil:
		return nil, refused(err, answer.Body)
	case err != nil:
		return items, refused(err, answer.Body)
	}
	return items, nil
}

// body writes the request. Rows are copied as they are, with their ids put in
// front for an update.
func (s *Sink) body(kind batchKind, d *delivery, set []int) ([]byte, error) {
	size := len(head) + len(tail)
	for _, i := range set {
		size += len(d.rows[i].Body) + len(d.ids[i]) + len(`"customer_id":"",`) + 1
	}
	b := append(make([]byte, 0, size), head...)
	for n, i := range set {
		if n > 0 {
			b = append(b, ',')
		}
		row, err := s.cleared(d.rows[i].Body)
		if err != nil || len(row) < 2 {
			return nil, &retry.Error{Class: retry.Permanent, Unsent: true, Over: true, Code: "row", Err: errors.New(kind.op() + ": a row is not a JSON object")}
		}
		b = append(b, '{')
		if kind == updateBatch {
			b = append(b, `"customer_id":`...)
			b = scan.AppendText(b, d.ids[i])
			if len(row) > 2 {
				b = append(b, ',')
			}
		}
		b = append(b, row[1:]...)
	}
	return append(b, tail...), nil
}

// addresses are the groups that clear field by field, and their fields.
var addressFields = [...]string{"street", "building", "flat", "postcode", "city", "country"}

func isAddress(name string) bool {
	return name == "address" || name == "invoice_address" || name == "mail_drop_address"
}

// cleared returns the row with its nulls written as Options.ClearWith says.
func (s *Sink) cleared(body []byte) ([]byte, error) {
	if s.options.ClearWith == clearNull || !bytes.Contains(body, []byte("null")) {
		return body, nil
	}
	row, err := sinks.ReadRecord(body)
	if err != nil {
		return nil, err
	}
	var out sinks.Record
	for _, f := range row.Fields() {
		switch {
		case f.Kind != sinks.KindNull:
			out.Set(f)
		case f.Group == "" && isAddress(f.Name):
			for _, part := range addressFields {
				out.Set(sinks.Field{Group: f.Name, Name: part, Kind: sinks.KindText})
			}
		case f.Group == "" && f.Name == "vip":
			out.Set(sinks.Field{Name: f.Name, Kind: sinks.KindBool})
		case f.Group == "" && f.Name == "custom_fields": // which ones is not known
		default:
			out.Set(sinks.Field{Group: f.Group, Name: f.Name, Kind: sinks.KindText})
		}
	}
	return out.AppendJSON(nil), nil
}

// identifier returns what the row's customer is found by: what the row itself
// says, or for a deletion what the row would have said.
func (s *Sink) identifier(row *sinks.Row) (string, error) {
	if row.Delete {
		return s.identifierOf(row.Shop, row.Customer), nil
	}
	rec, err := sinks.ReadRecord(row.Body)
	if err != nil {
		return "", err
	}
	return identifierIn(&rec), nil
}

// identifierIn returns the identifier of a record, empty if it has none.
func identifierIn(rec *sinks.Record) string {
	f := rec.Get("", "identifier")
	if f == nil {
		return ""
	}
	switch f.Kind {
	case sinks.KindText:
		return f.Text
	case sinks.KindNumber:
		return string(scan.AppendFloat(nil, f.Number))
	case sinks.KindNull, sinks.KindBool, sinks.KindRaw:
	}
	return ""
}

func (s *Sink) identifierOf(shop, customer string) string {
	if s.options.IdentifierWithShop {
		return shop + "/" + customer
	}
	return customer
}

// find returns the ids of the customers with this identifier, which is not empty.
func (s *Sink) find(ctx context.Context, identifier string) ([]string, error) {
	const op = "look up a customer"
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: op, Method: http.MethodGet, Path: "/customers", Query: url.Values{"identifier": {identifier}},
		Header: s.header, Want: sinks.JSON,
	})
	if err != nil {
		return nil, err
	}
	ids, ok := readFound(answer.Body, identifier)
	if !ok {
		return nil, sinks.NoVerdict(op, "unknown_list")
	}
	return ids, nil
}

// remove deletes the customer and reports whether Thulium didn't know it any more.
func (s *Sink) remove(ctx context.Context, id string) (gone bool, err error) {
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: "delete a customer", Method: http.MethodDelete, Path: "/customers/" + url.PathEscape(id),
		Header: s.header, Want: sinks.JSONOrEmpty,
	})
	if answer != nil && slices.Contains([]int{http.StatusNotFound, http.StatusGone}, answer.Status) {
		return true, nil
	}
	if answer != nil && err != nil {
		return false, refused(err, answer.Body)
	}
	return false, err
}

// Probe tries the address and the credentials with a call that changes nothing.
func (s *Sink) Probe(ctx context.Context) error {
	_, err := s.caller.Do(ctx, &sinks.Call{
		Op: "list customers", Method: http.MethodGet, Path: "/customers", Query: url.Values{"limit": {"1"}},
		Header: s.header, Want: sinks.JSON,
	})
	return err
}

// refusal is the error of a call that was answered with no, with Thulium's words
// for the one row that it may be about. Its text is without them.
type refusal struct {
	err   error // a *retry.Error
	words string
	codes []sinks.FieldError
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refused(err error, body []byte) error {
	r := &refusal{err: err}
	r.words, r.codes = readRefusal(body)
	return r
}
