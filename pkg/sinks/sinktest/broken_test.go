package sinktest_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/retry"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
)

// broken is a sink with one fault of ours.
type broken struct {
	sinktest.Sink
	deliver
}

func (b *broken) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	return b.deliver(ctx, rows, b.Sink.Deliver)
}

func (b *broken) Lane(row *sinks.Row) sinks.Lane { return b.Sink.(sinks.Planner).Lane(row) }

type honest = func(context.Context, []sinks.Row) ([]sinks.Outcome, error)

// deliver stands in for Deliver and calls the honest one.
type deliver = func(context.Context, []sinks.Row, honest) ([]sinks.Outcome, error)

// mistakes are what a sink may get wrong, each with the part of the suite that
// has to find it.
var mistakes = map[string]struct {
	part string // of the suite's tests, as -run has it
	deliver
}{
	"ignores doubt": {"faults", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		rows = slices.Clone(rows)
		for i := range rows {
			rows[i].Doubt, rows[i].Attempt = false, 1
		}
		return honest(ctx, rows)
	}},
	"calls lost rows delivered": {"lost", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		for i := range outcomes {
			if err == nil && outcomes[i].Verdict == sinks.Unknown {
				outcomes[i].Verdict = sinks.Delivered
			}
		}
		return outcomes, err
	}},
	"calls an outage a rejection": {"faults", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		if err != nil {
			for i := range outcomes {
				outcomes[i].Verdict = sinks.Rejected
			}
		}
		return outcomes, nil
	}},
	"claims that lost calls were not sent": {"faults", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		if mark, ok := errors.AsType[*retry.Error](err); ok {
			mark.Unsent = true
		}
		return outcomes, err
	}},
	"forgets the class": {"faults", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		if err != nil {
			return outcomes, errors.New("it did not work")
		}
		return outcomes, nil
	}},
	"mixes up the rows": {"order", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		slices.Reverse(outcomes)
		return outcomes, err
	}},
	"retries by itself": {"faults", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		if err != nil {
			return honest(ctx, rows)
		}
		return outcomes, nil
	}},
	"changes bodies": {"deliver", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		outcomes, err := honest(ctx, rows)
		rows[0].Body[0] = ' '
		return outcomes, err
	}},
	"speaks of customers": {"faults", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		body := string(rows[0].Body)
		outcomes, err := honest(ctx, rows)
		if err != nil {
			mark := *retry.Of(err)
			mark.Err = errors.New("refused: " + body)
			err = &mark
		}
		return outcomes, err
	}},
	"outlives its context": {"context/while", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		return honest(late, rows)
	}},
	"leaves out what is to be cleared": {"clears", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		rows = slices.Clone(rows)
		for i := range rows {
			rec, err := sinks.ReadRecord(rows[i].Body)
			if err != nil {
				return nil, err
			}
			var kept sinks.Record
			for _, f := range rec.Fields() {
				if f.Kind != sinks.KindNull && (f.Kind != sinks.KindText || f.Text != "") && string(f.Raw) != "{}" {
					kept.Set(f)
				}
			}
			rows[i].Body = kept.AppendJSON(nil)
		}
		return honest(ctx, rows)
	}},
	"leaves goroutines behind": {"deliver", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		go func() { select {} }()
		return honest(ctx, rows)
	}},
	"says nothing at all": {"deliver", func(ctx context.Context, rows []sinks.Row, honest honest) ([]sinks.Outcome, error) {
		honest(ctx, rows)
		return nil, nil
	}},
}

const mistakeVariable = "SINKTEST_MISTAKE"

// TestBroken runs the suite on a sink with the mistake that TestSuiteCanFail asks
// for, in a process of its own; by itself it does nothing.
func TestBroken(t *testing.T) {
	m, ok := mistakes[os.Getenv(mistakeVariable)]
	if !ok {
		return
	}
	c := thuliumCase()
	open := c.New
	c.New = func(t *testing.T, url string, client *http.Client) sinktest.Sink {
		return &broken{Sink: open(t, url, client), deliver: m.deliver}
	}
	sinktest.Run(t, c)
}

// TestSuiteCanFail has the suite find each mistake.
func TestSuiteCanFail(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), self, "-test.run=^TestBroken$/^"+strings.ReplaceAll(m.part, "/", "/^"), "-test.timeout=60s")
			run.Env = append(os.Environ(), mistakeVariable+"="+name)
			out, err := run.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), "--- FAIL: TestBroken/"+m.part) {
				t.Errorf("the suite finds nothing wrong: %v\n%s", err, out)
			}
		})
	}
}
