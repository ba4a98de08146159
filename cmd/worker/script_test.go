package main

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/custsync/custsync/internal/sandbox"
)

// The scripts in testdata run the worker as an operator does.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"worker": main})
}

// TestScripts gives each script stand-ins of its own, at $THULIUM and $CARTUM.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			thulium := httptest.NewServer(&sandbox.Thulium{Username: "api", Password: "right"})
			e.Defer(thulium.Close)
			cartum := httptest.NewServer(&sandbox.Cartum{Login: "api", Password: "right"})
			e.Defer(cartum.Close)
			e.Setenv("THULIUM", thulium.URL)
			e.Setenv("CARTUM", cartum.URL)
			return nil
		},
	})
}
