package aplaut

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// mediaType is wanted in Content-Type and Accept (doc). It has no parameters.
const mediaType = "application/vnd.api+json"

const (
	head = `{"data":{"type":"consumers","attributes":`
	tail = `}}`
)

// Deliver sends the rows, one after the other. A row that is refused is rejected
// with Aplaut's words, beside the error.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	outcomes := make([]sinks.Outcome, len(rows))
	var refused error
	for i := range rows {
		var err error
		outcomes[i], err = s.deliver(ctx, &rows[i])
		switch {
		case err == nil:
		case outcomes[i].Verdict == sinks.Rejected:
			refused = err
		default:
			return outcomes, err
		}
	}
	return outcomes, refused
}

func (s *Sink) deliver(ctx context.Context, row *sinks.Row) (sinks.Outcome, error) {
	if row.Delete {
		return s.remove(ctx, row)
	}
	sent, err := sinks.ReadRecord(row.Body)
	if err != nil || len(row.Body) == 0 || row.Body[0] != '{' {
		return sinks.Outcome{Verdict: sinks.Rejected, Errors: []sinks.FieldError{{Message: "the row is not a JSON object"}}}, nil
	}
	id := externalIDIn(&sent)
	if id == "" {
		id = s.externalIDOf(row.Shop, row.Customer)
	}
	if message := unfit(id); message != "" {
		return sinks.Outcome{Verdict: sinks.Rejected, Errors: []sinks.FieldError{{Field: "external_id", Message: message}}}, nil
	}
	w := write{sink: s, row: row, sent: &sent, id: id}
	return w.run(ctx)
}

// write is the delivery of one customer.
type write struct {
	sink *Sink
	row  *sinks.Row
	sent *sinks.Record
	id   string // the external id
}

func (w *write) run(ctx context.Context) (sinks.Outcome, error) {
	if w.isNew() && w.sink.options.Create == createPost {
		outcome, answer, err := w.post(ctx)
		if answer == nil || answer.Status != http.StatusUnprocessableEntity || !mayBeTaken(answer.Body) {
			return outcome, err
		}
	}
	outcome, answer, err := w.put(ctx)
	if answer == nil || answer.Status != http.StatusNotFound && answer.Status != http.StatusGone {
		return outcome, err
	}
	// PUT creates what isn't there, so it is the address that isn't found. One
	// without an id in it tells whether that is all of them or this one.
	outcome, _, err = w.post(ctx)
	return outcome, err
}

// isNew reports whether nothing is known of the customer at Aplaut.
func (w *write) isNew() bool {
	return !w.row.Held && w.row.ProviderID == "" && !w.row.Doubt && w.row.Attempt <= 1
}

func (w *write) put(ctx context.Context) (sinks.Outcome, *sinks.Answer, error) {
	return w.call(ctx, "put a consumer", http.MethodPut, "/consumers/"+url.PathEscape(w.id), w.row.Body)
}

// post creates. The external id is in the body there and nowhere else.
func (w *write) post(ctx context.Context) (sinks.Outcome, *sinks.Answer, error) {
	body := w.row.Body
	if externalIDIn(w.sent) == "" {
		named := sinks.Record{}
		named.Text("external_id", w.id)
		for _, f := range w.sent.Fields() {
			if f.Group != "" || f.Name != "external_id" {
				named.Set(f)
			}
		}
		body = named.AppendJSON(nil)
	}
	return w.call(ctx, "create a consumer", http.MethodPost, "/consumers", body)
}

func (w *write) call(ctx context.Context, op, method, path string, attributes []byte) (sinks.Outcome, *sinks.Answer, error) {
	body := make([]byte, 0, len(head)+len(attributes)+len(tail))
	body = append(append(append(body, head...), attributes...), tail...)
	answer, err := w.sink.caller.Do(ctx, &sinks.Call{
		Op: op, Method: method, Path: path, Header: w.sink.header, Type: mediaType, Body: body, Want: sinks.JSON,
	})
	if err != nil {
		return refusal(answer, err, w.row), answer, err
	}
	got, ok := readConsumer(answer.Body)
	switch {
	case !ok && !json.Valid(answer.Body):
		return sinks.Outcome{}, answer, sinks.NotJSON(op)
	case !ok:
		return sinks.Outcome{}, answer, sinks.NoVerdict(op, "no_consumer")
	}
	outcome := sinks.Outcome{Verdict: sinks.Delivered, ProviderID: got.id}
	if answer.Status == http.StatusOK {
		outcome.Reason = kept(w.sent, got.attributes)
	}
	return outcome, answer, nil
}

// refusal rejects a row that was refused for what it carried. Any other error
// says nothing of the row.
func refusal(answer *sinks.Answer, err error, row *sinks.Row) sinks.Outcome {
	if answer == nil || retry.Of(err).Class != retry.Permanent {
		return sinks.Outcome{}
	}
	words, broken := readErrors(answer.Body)
	for i := range broken {
		broken[i].Message = sinks.ScrubMessage(broken[i].Message, row)
	}
	if words == "" && len(broken) == 0 {
		broken = []sinks.FieldError{{Message: err.Error()}} // or a person would be told nothing
	}
	return sinks.Outcome{Verdict: sinks.Rejected, Message: words, Errors: broken}
}

// remove deletes by the external id, and by Aplaut's own where that isn't found:
// the consumer may have been created under an id that map made.
func (s *Sink) remove(ctx context.Context, row *sinks.Row) (sinks.Outcome, error) {
	if s.nowhere(row) {
		return sinks.Outcome{Verdict: sinks.Unchanged}, nil
	}
	id := s.externalIDOf(row.Shop, row.Customer)
	message := unfit(id)
	if message != "" && row.ProviderID == "" {
		return sinks.Outcome{Verdict: sinks.Rejected, Errors: []sinks.FieldError{{Field: "external_id", Message: message}}}, nil
	}
	if message == "" {
		gone, outcome, err := s.removeOne(ctx, id, row)
		if !gone || row.ProviderID == "" || row.ProviderID == id {
			return outcome, err
		}
	}
	_, outcome, err := s.removeOne(ctx, row.ProviderID, row)
	return outcome, err
}

func (s *Sink) removeOne(ctx context.Context, id string, row *sinks.Row) (gone bool, _ sinks.Outcome, _ error) {
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: "delete a consumer", Method: http.MethodDelete, Path: "/consumers/" + url.PathEscape(id),
		Header: s.header, Want: sinks.JSONOrEmpty,
	})
	gone = answer != nil && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone)
	if err == nil || gone {
		return gone, sinks.Outcome{Verdict: sinks.Delivered}, nil
	}
	return false, refusal(answer, err, row), err
}

// Probe tries the address and the token with a call that changes nothing: the
// list of consumers, or, since the reference calls that deprecated, one consumer
// who is not there.
func (s *Sink) Probe(ctx context.Context) error {
	const op = "list consumers"
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: op, Method: http.MethodGet, Path: "/consumers", Query: url.Values{"page": {"1"}, "per_page": {"5"}},
		Header: s.header, Want: sinks.JSON,
	})
	if answer == nil || answer.Status != http.StatusNotFound && answer.Status != http.StatusGone && answer.Status != http.StatusMethodNotAllowed {
		return err
	}
	one, oneErr := s.caller.Do(ctx, &sinks.Call{
		Op: "read a consumer", Method: http.MethodGet, Path: "/consumers/custsync-probe", Header: s.header, Want: sinks.JSON,
	})
	if one != nil && one.Status == http.StatusNotFound {
		if words, broken := readErrors(one.Body); words != "" || len(broken) > 0 {
			return nil // aplaut itself says that there is no such consumer
		}
	}
	return oneErr
}
