package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/custsync/custsync/internal/sandbox"
)

// standin is where one provider's stand-in is served.
type standin struct{ url string }

// call asks the sandbox below a stand-in and returns its answer.
func (s standin) call(ctx context.Context, method, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+"/_sandbox/"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, err
}

// fail gives the stand-in a plan of faults; an empty one heals it.
func (s standin) fail(ctx context.Context, faults string) error {
	method := http.MethodPut
	if faults == "" {
		method = http.MethodDelete
	}
	_, err := s.call(ctx, method, "faults", faults)
	return err
}

func (s standin) counters(ctx context.Context) (sandbox.Counters, error) {
	var c sandbox.Counters
	answer, err := s.call(ctx, http.MethodGet, "counters", "")
	if err == nil {
		err = json.Unmarshal(answer, &c)
	}
	return c, err
}

// held returns what the provider holds, by the customer's key there.
func (s standin) held(ctx context.Context) (map[string]sandbox.Held, error) {
	answer, err := s.call(ctx, http.MethodGet, "state", "")
	if err != nil {
		return nil, err
	}
	all := make(map[string]sandbox.Held)
	for line := range strings.Lines(string(answer)) {
		var h sandbox.Held
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			return nil, err
		}
		all[h.Key] = h
	}
	return all, nil
}

// errNever is what waiting doesn't mend.
var errNever = errors.New("never to happen")

// inStep tells what keeps the provider from holding exactly so many customers,
// each once and at that version, after a history in which no version ever went
// back.
func (s standin) inStep(ctx context.Context, customers int, version int64) error {
	c, err := s.counters(ctx)
	if err != nil {
		return err
	}
	if c.Duplicates > 0 || c.BackSteps > 0 {
		return fmt.Errorf("%w: %d duplicates, %d steps back", errNever, c.Duplicates, c.BackSteps)
	}
	held, err := s.held(ctx)
	if err != nil {
		return err
	}
	if len(held) != customers {
		return fmt.Errorf("got %d customers, want %d", len(held), customers)
	}
	for key, h := range held {
		if len(h.Records) != 1 || len(h.Versions) == 0 {
			return fmt.Errorf("%s: got %d records with versions %v, want one", key, len(h.Records), h.Versions)
		}
		if !slices.IsSorted(h.Versions) {
			return fmt.Errorf("%w: %s: versions went back: %v", errNever, key, h.Versions)
		}
		if got := h.Versions[len(h.Versions)-1]; got != version {
			return fmt.Errorf("%s: got version %d, want %d", key, got, version)
		}
	}
	return nil
}

// awaitInStep waits until the provider is in step.
func (s standin) awaitInStep(ctx context.Context, customers int, version int64) error {
	var never error
	err := eventually(ctx, func(ctx context.Context) error {
		err := s.inStep(ctx, customers, version)
		if errors.Is(err, errNever) {
			never = err
			return nil
		}
		return err
	})
	return errors.Join(err, never)
}

// customers is NDJSON of so many customers at one version, as a shop's backend
// would publish them. None of them exists.
func customers(n int, version int64) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"c%05d","version":%d,"email":"c%05d@example.com","phone":"+48555%06d","first_name":"Ada","last_name":"Test","full_name":"Ada Test","company":"Version %d"}`+"\n",
			i, version, i, i, version)
	}
	return b.String()
}
