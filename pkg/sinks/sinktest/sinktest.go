// Package sinktest is the suite that every sink passes. It runs a sink against
// the provider's stand-in, over real connections, through every fault that a
// provider and a network have, and drives it as the destination loop does.
//
// A sink that passes keeps the contract of sinks.Sink: whatever happens, a row
// that is called delivered is there; a row without a verdict is never called
// anything else; errors say truly whether a call may have been applied and what
// it takes to go on; and when all is over the provider holds each customer once,
// at the newest version, having never gone back.
package sinktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sample"
	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// Sink is what the suite runs: a sink that maps its own rows. Where it is a
// sinks.Planner too, its lanes are kept.
type Sink interface {
	sinks.Sink
	sinks.Mapper
}

// Case is what the suite has to know of a sink. Fields without a note are
// required.
type Case struct {
	// New makes a sink that makes its calls to url through the client.
	New func(t *testing.T, url string, client *http.Client) Sink
	// Provider makes a new stand-in that takes the credentials that New sets.
	Provider func() sandbox.Provider
	// Key is the external key under which the provider holds the event's customer.
	Key func(ev *events.Event) string
	// Stamp writes a version into a record, where the stand-in reads it. nil: the
	// provider's rows carry none, and order is not checked.
	Stamp func(rec *sinks.Record, version int64)

	Writes   string // part of the paths of all calls that write
	Login    string // part of the path by which a session is opened; empty: there is none
	IDInPath bool   // a 404 on a writing call is the customer's and not the address's
	// NoLookUp says that the provider can't be asked whether a create was applied:
	// a row in doubt may end rejected in doubt.
	NoLookUp bool
	// CreateOnly says that the provider has no update: later versions are skipped.
	CreateOnly bool
	// MuteThrottle says that the provider's 429 never names a time.
	MuteThrottle bool
	// Secrets are texts of the credentials, which no error may hold.
	Secrets []string
}

// Run runs the whole suite.
func Run(t *testing.T, c Case) {
	t.Run("deliver", c.deliver)
	t.Run("update", c.update)
	t.Run("repeat", c.repeat)
	t.Run("delete", c.remove)
	t.Run("sample", c.accepts)
	t.Run("clears", c.clears)
	t.Run("twins", c.twins)
	t.Run("bad row", c.badRow)
	t.Run("order of results", c.reorder)
	t.Run("lost result", c.lostResult)
	t.Run("context", c.context)
	t.Run("at once", c.atOnce)
	t.Run("login", c.login)
	t.Run("faults", c.faults)
}

// bench is a sink, its stand-in and the connection between.
type bench struct {
	Case
	t        *testing.T
	sink     Sink
	provider sandbox.Provider
	texts    []string // of the rows: what no error may hold
}

// open starts a stand-in and a sink. When the test ends, as many goroutines run
// as before.
func (c Case) open(t *testing.T) *bench {
	t.Helper()
	before := runtime.NumGoroutine()
	provider := c.Provider()
	server := httptest.NewServer(provider)
	transport := &http.Transport{}
	b := &bench{Case: c, t: t, provider: provider}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		settle(t, before)
	})
	b.sink = c.New(t, server.URL, &http.Client{Transport: transport})
	return b
}

// settle waits until no more goroutines run than before.
func settle(t *testing.T, before int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); <-tick.C {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("goroutines: got %d, want %d as before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

// customers returns events at version 1 of n sample customers that the sink
// finds nothing wrong with.
func (b *bench) customers(n int) []*events.Event {
	b.t.Helper()
	var list []*events.Event
	for i := 0; len(list) < n; i++ {
		if i > 100*n {
			b.t.Fatalf("the sink's Check admits %d of %d sample customers", len(list), i)
		}
		ev := event(i)
		if _, broken := b.row(ev); len(broken) == 0 {
			list = append(list, ev)
		}
	}
	return list
}

// event makes an event at version 1 of a sample customer.
func event(i int) *events.Event {
	shop, c := sample.Customer(11, i)
	return wrap(shop, c)
}

func wrap(shop string, c events.Customer) *events.Event {
	return &events.Event{
		ID: fmt.Sprint(c.ID, "-", c.Version.V), Type: events.Changed, Shop: shop,
		Time: time.Date(2026, time.November, 22, 10, 0, 0, 0, time.UTC), Version: c.Version.V, Customer: c,
	}
}

// next is the customer's event at a later version.
func next(ev *events.Event, version int64) *events.Event {
	return wrap(ev.Shop, sample.Change(ev.Customer, version))
}

// row maps an event as the destination loop does.
func (b *bench) row(ev *events.Event) (sinks.Row, []sinks.FieldError) {
	var rec sinks.Record
	b.sink.Map(ev, &rec)
	if b.Stamp != nil {
		b.Stamp(&rec, ev.Version)
	}
	broken := b.sink.Check(&rec)
	b.remember(&rec)
	return sinks.Row{Shop: ev.Shop, Customer: ev.Customer.ID, Version: ev.Version, Body: rec.AppendJSON(nil), Apart: rec.ApartKey(), Attempt: 1}, broken
}
