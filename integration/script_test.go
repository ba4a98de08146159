package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestManual runs the scripts. Each has stand-ins of its own at $THULIUM,
// $CARTUM, $APLAUT, $VIRTUALPOS and $ECOMCHARGE, free addresses for NATS at $NATS
// and $NATS2 and for the workers' HTTP at $HTTP and $HTTP2. Beside testscript's own
// commands there are:
//
//	start NAME PROGRAM ARG...     runs a program beside the script
//	signal NAME TERM|KILL|...     sends it a signal
//	exits NAME CODE|"killed"      waits for its end and compares how it ended
//	says NAME REGEXP              waits until it has written that
//	! says NAME REGEXP            it has not, up to now
//	await REGEXP URL              asks with GET until the answer matches
//	customers N VERSION FILE      writes a file of so many customers
//	fail PROVIDER FAULTS          gives a stand-in faults, as JSON
//	heal PROVIDER                 ends them
//	in-step PROVIDER N VERSION    waits until it holds so many, once each, at that
//	                              version, after a history without a step back
//	counted PROVIDER NAME [OP] N  compares one of the stand-in's counters
func TestManual(t *testing.T) {
	var free ports
	free.last.Store(rand.Int32N(manyPorts)) // another run may be under way
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:              func(e *testscript.Env) error { return setUp(e, &free) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":     startCommand,
			"signal":    signalCommand,
			"exits":     exitsCommand,
			"says":      saysCommand,
			"await":     awaitCommand,
			"customers": customersCommand,
			"fail":      failCommand,
			"heal":      failCommand,
			"in-step":   inStepCommand,
			"counted":   countedCommand,
		},
	})
}

// processes is the key of what a script has started, by name.
type processes struct{}

// addresses are the variables that hold free ones.
var addresses = []string{"NATS", "NATS2", "HTTP", "HTTP2"}

var providers = map[string]string{
	"thulium": "THULIUM", "cartum": "CARTUM", "aplaut": "APLAUT", "virtualpos": "VIRTUALPOS", "ecomcharge": "ECOMCHARGE",
}

func setUp(e *testscript.Env, free *ports) error {
	e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
	p, err := launch("standin", e.WorkDir, os.Environ(), bin+"/standin")
	if err != nil {
		return err
	}
	e.Defer(p.kill)
	url, err := p.says(context.Background(), `^http://.*$`)
	if err != nil {
		return err
	}
	for name, variable := range providers {
		e.Setenv(variable, url[0]+"/"+name)
	}
	for _, variable := range addresses {
		address, err := free.free()
		if err != nil {
			return err
		}
		e.Setenv(variable, address)
	}
	e.Values[processes{}] = make(map[string]*process)
	return nil
}

// ports gives out ports of 127.0.0.1 that nobody listens at, none of them twice:
// a server that is started again needs to know its own beforehand. They are below
// those that the system gives to outgoing connections, which could take them in
// between.
type ports struct{ last atomic.Int32 }

const firstPort, manyPorts = 12_000, 18_000

func (p *ports) free() (string, error) {
	for range manyPorts {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+p.last.Add(1)%manyPorts)
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no port is free")
}

func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 2, "start NAME PROGRAM ARG...")
	all := ts.Value(processes{}).(map[string]*process)
	env := append(os.Environ(), "HOME="+ts.Getenv("WORK"))
	for _, variable := range addresses {
		env = append(env, variable+"="+ts.Getenv(variable))
	}
	for _, variable := range providers {
		env = append(env, variable+"="+ts.Getenv(variable))
	}
	p, err := launch(args[0], ts.MkAbs("."), env, bin+"/"+args[1], args[2:]...)
	ts.Check(err)
	all[args[0]] = p
	ts.Defer(func() {
		p.kill()
		ts.Logf("%s wrote:\n%s", p.name, &p.out)
	})
}

// named is a process that the script has started.
func named(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2 && signals[args[1]] != nil, "signal NAME TERM|KILL|STOP|CONT")
	ts.Check(named(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2, "exits NAME CODE")
	got, err := named(ts, args[0]).exits()
	ts.Check(err)
	if got != args[1] {
		ts.Fatalf("%s: got end %q, want %q", args[0], got, args[1])
	}
}

func saysCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, len(args) == 2, "says NAME REGEXP")
	p := named(ts, args[0])
	if neg {
		if found := regexp.MustCompile("(?m)" + args[1]).FindString(p.out.String()); found != "" {
			ts.Fatalf("%s says %q", p.name, found)
		}
		return
	}
	_, err := p.says(context.Background(), args[1])
	ts.Check(err)
}

func awaitCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2, "await REGEXP URL")
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ts.Check(eventually(context.Background(), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[1], nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && !re.Match(body) {
			err = fmt.Errorf("%s answers no %q but %s\n%s", args[1], args[0], resp.Status, body)
		}
		return err
	}))
}

func customersCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3, "customers N VERSION FILE")
	text := customers(number(ts, args[0]), int64(number(ts, args[1])))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// want ends the script where a command is not used as it is meant.
func want(ts *testscript.TestScript, neg, used bool, usage string) {
	if neg || !used {
		ts.Fatalf("usage: %s", usage)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}
