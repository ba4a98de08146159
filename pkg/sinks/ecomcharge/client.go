package ecomcharge

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
)

// Deliver sends the rows, one after the other. A row that is refused is rejected
// with eComCharge's words, beside the error.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	outcomes := make([]sinks.Outcome, len(rows))
	var all *list
	var refused error
	for i := range rows {
		var err error
		plan := s.planOf(&rows[i])
		if plan == lookup && all == nil {
			if all, err = s.list(ctx); err != nil {
				return outcomes, err
			}
		}
		switch plan {
		case skipDelete:
			outcomes[i] = sinks.Outcome{Verdict: sinks.Skipped, Reason: "no_delete"}
		case skipChange:
			outcomes[i] = sinks.Outcome{Verdict: sinks.Skipped, Reason: "create_only"}
		case ask:
			outcomes[i] = undecided("lost_answer", "an earlier call may have created the customer; look there, and replay if it did not")
		case lookup:
			outcomes[i], err = s.lookUp(ctx, &rows[i], all)
		case create:
			outcomes[i], err = s.create(ctx, &rows[i])
		}
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

// undecided hands a row to a person.
func undecided(reason, message string) sinks.Outcome {
	return sinks.Outcome{Verdict: sinks.Rejected, InDoubt: true, Reason: reason, Errors: []sinks.FieldError{{Message: message}}}
}

func (s *Sink) create(ctx context.Context, row *sinks.Row) (sinks.Outcome, error) {
	const op = "create a customer"
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: op, Method: http.MethodPost, Path: "/customers", Header: s.header, Type: "application/json", Body: row.Body, Want: sinks.JSON,
	})
	if err != nil {
		return refusal(answer, err, row), err
	}
	if !json.Valid(answer.Body) {
		return sinks.Outcome{}, sinks.NotJSON(op)
	}
	id := readCreated(answer.Body)
	if id == "" {
		return sinks.Outcome{}, sinks.NoVerdict(op, "no_id")
	}
	return sinks.Outcome{Verdict: sinks.Delivered, ProviderID: id}, nil
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

// list reads all customers. Reading changes nothing, however it ends. A list that
// is longer than can be read finds nobody and is not all there is.
func (s *Sink) list(ctx context.Context) (*list, error) {
	const op = "list customers"
	answer, err := s.caller.Do(ctx, &sinks.Call{Op: op, Method: http.MethodGet, Path: "/customers", Header: s.header, Want: sinks.JSON})
	if err == nil {
		all, ok := readList(answer.Body)
		switch {
		case ok:
			return all, nil
		case !json.Valid(answer.Body):
			err = sinks.NotJSON(op)
		default:
			err = sinks.NoVerdict(op, "unknown_list")
		}
	}
	mark := *retry.Of(err)
	if mark.Code == "too_long" {
		return &list{partial: true}, nil
	}
	mark.Unsent, mark.Over = true, true
	return nil, &mark
}

// Probe tries the address and the credentials with a call that changes nothing:
// it reads a customer who is not there, since the list is all customers. What is
// written of the answer is too little to tell a wrong address from a customer who
// is not there, unless the answer is in the API's form; then the list decides.
func (s *Sink) Probe(ctx context.Context) error {
	answer, err := s.caller.Do(ctx, &sinks.Call{
		Op: "read a customer", Method: http.MethodGet, Path: "/customers/cst_0000000000000000", Header: s.header, Want: sinks.JSON,
	})
	if answer == nil || answer.Status != http.StatusNotFound {
		return err
	}
	if words, broken := readErrors(answer.Body); words != "" || len(broken) > 0 {
		return nil
	}
	_, err = s.list(ctx)
	return err
}
