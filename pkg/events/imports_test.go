package events_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A shop that publishes takes in nats.go with what that needs, and nothing else.
func TestImports(t *testing.T) {
	deps := func(packages ...string) []string {
		t.Helper()
		args := append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, packages...)
		out, err := exec.CommandContext(t.Context(), "go", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	allowed := append(deps("github.com/nats-io/nats.go", "github.com/nats-io/nats.go/jetstream"),
		"github.com/custsync/custsync/pkg/events", "github.com/custsync/custsync/internal/scan")
	for _, dep := range deps("github.com/custsync/custsync/pkg/events") {
		if !slices.Contains(allowed, dep) {
			t.Errorf("it imports %s", dep)
		}
	}
}
