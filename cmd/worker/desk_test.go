package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/natsd"
	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
)

// TestDesk runs the scripts of operators' verbs, each with a NATS server at $NATS
// and a stand-in at $THULIUM that refuses the customer "refused".
func TestDesk(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/desk",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			server, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", StoreDir: filepath.Join(e.WorkDir, ".nats"), Unsynced: true, Log: zerolog.Nop()})
			if err != nil {
				return err
			}
			e.Defer(func() {
				if err := server.Shutdown(); err != nil {
					t.Error(err)
				}
			})
			thulium := new(sandbox.Thulium)
			thulium.Faults().Set(sandbox.Fault{Kind: sandbox.RowError, Key: "refused", Status: 422})
			provider := httptest.NewServer(thulium)
			e.Defer(provider.Close)
			e.Setenv("NATS", server.URL())
			e.Setenv("THULIUM", provider.URL)
			e.Values["thulium"] = thulium
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"envsubst": func(ts *testscript.TestScript, _ bool, args []string) {
				for _, file := range args {
					ts.Check(os.WriteFile(ts.MkAbs(file), []byte(os.Expand(ts.ReadFile(file), ts.Getenv)), 0o600))
				}
			},
			"publish": publishCommand,
			"mend":    mendCommand,
			"lose":    loseCommand,
			"until":   untilCommand,
		},
	})
}

// publishCommand: publish SHOP CUSTOMER VERSION [SURNAME].
func publishCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: publish SHOP CUSTOMER VERSION [SURNAME]")
	}
	version, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	c := events.Customer{ID: args[1], Version: events.Some(version)}
	if len(args) > 3 {
		c.LastName = events.Some(args[3])
	}
	nc, err := nats.Connect(ts.Getenv("NATS"))
	ts.Check(err)
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = (&events.Publisher{Conn: nc}).Publish(ctx, args[0], c)
	ts.Check(err)
}

// mendCommand has the stand-in take every customer from now on.
func mendCommand(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value("thulium").(*sandbox.Thulium).Faults().Clear()
}

// loseCommand: lose DESTINATION SHOP CUSTOMER takes a customer out of the ledger
// behind the product's back.
func loseCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: lose DESTINATION SHOP CUSTOMER")
	}
	nc, err := nats.Connect(ts.Getenv("NATS"))
	ts.Check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, "KV_LEDGER")
	ts.Check(err)
	ts.Check(stream.Purge(ctx, jetstream.WithPurgeSubject("$KV.LEDGER."+args[0]+".*."+args[1]+"."+args[2])))
}

// untilCommand: until REGEXP PROGRAM ARG... runs a program again and again, until
// its output matches.
func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARG...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); ; {
		_ = ts.Exec(args[1], args[2:]...) // fails as long as the program isn't so far
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			ts.Fatalf("waited too long for %q", args[0])
		}
	}
}
