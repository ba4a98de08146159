package integration

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/rogpeppe/go-internal/testscript"
)

// standinOf is the stand-in of a provider that a script names.
func standinOf(ts *testscript.TestScript, provider string) standin {
	variable, ok := providers[provider]
	if !ok {
		ts.Fatalf("no provider %q", provider)
	}
	return standin{ts.Getenv(variable)}
}

// failCommand is fail with faults and heal without.
func failCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1 || len(args) == 2, "fail PROVIDER FAULTS, or heal PROVIDER")
	faults := ""
	if len(args) == 2 {
		faults = args[1]
	}
	ts.Check(standinOf(ts, args[0]).fail(context.Background(), faults))
}

func inStepCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3, "in-step PROVIDER N VERSION")
	s := standinOf(ts, args[0])
	ts.Check(s.awaitInStep(context.Background(), number(ts, args[1]), int64(number(ts, args[2]))))
}

func countedCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3 || len(args) == 4, "counted PROVIDER NAME [OP] N")
	answer, err := standinOf(ts, args[0]).call(context.Background(), http.MethodGet, "counters", "")
	ts.Check(err)
	counters := make(map[string]any)
	ts.Check(json.Unmarshal(answer, &counters))
	value, ok := counters[args[1]].(float64)
	if !ok {
		ts.Fatalf("no counter %q in %s", args[1], answer)
	}
	op, limit := "=", args[len(args)-1]
	if len(args) == 4 {
		op = args[2]
	}
	n := number(ts, limit)
	got := int(value)
	if op == "=" && got != n || op == "<=" && got > n || op == ">=" && got < n {
		ts.Fatalf("%s: got %s %d, want %s %d", args[0], args[1], got, op, n)
	}
}
