package ops

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

func TestJudge(t *testing.T) {
	at := func(version int64, seq uint64) *stream.State { return &stream.State{Version: version, Seq: seq} }
	unread := &stream.State{Seq: 9, Err: errors.New("no event")}
	end := func(version int64, seq uint64, outcome string) ledger.Entry {
		e := ledger.Entry{Settled: &ledger.Settled{Version: version, Seq: seq, Outcome: outcome}}
		if outcome == ledger.Delivered {
			e.Held = &ledger.Held{Version: version, Seq: seq}
		}
		return e
	}
	waits := func(e ledger.Entry, p ledger.Pending) ledger.Entry {
		e.Pending = &p
		return e
	}
	for name, test := range map[string]struct {
		newest *stream.State
		entry  ledger.Entry
		want   State
	}{
		"never given":                {at(1, 1), ledger.Entry{}, ""},
		"delivered":                  {at(1, 1), end(1, 1, ledger.Delivered), InStep},
		"unchanged":                  {at(2, 2), end(2, 2, ledger.Unchanged), InStep},
		"an older one delivered":     {at(2, 2), end(1, 1, ledger.Delivered), ""},
		"the same version again":     {at(2, 3), end(2, 2, ledger.Delivered), ""},
		"dead":                       {at(1, 1), end(1, 1, ledger.Dead), Dead},
		"discarded":                  {at(1, 1), end(1, 1, ledger.Discarded), Discarded},
		"filtered":                   {at(1, 1), end(1, 1, ledger.Filtered), Filtered},
		"skipped":                    {at(1, 1), end(1, 1, ledger.Skipped), Skipped},
		"waits for a retry":          {at(2, 2), waits(end(1, 1, ledger.Delivered), ledger.Pending{Version: 2, Seq: 2}), Retrying},
		"waits in doubt":             {at(2, 2), waits(end(1, 1, ledger.Delivered), ledger.Pending{Version: 2, Seq: 2, Doubt: true}), InDoubt},
		"an older one waits":         {at(3, 3), waits(end(1, 1, ledger.Delivered), ledger.Pending{Version: 2, Seq: 2}), ""},
		"only a doubt is left":       {at(1, 1), waits(end(1, 1, ledger.Dead), ledger.Pending{Doubt: true}), Dead},
		"given a newer one":          {at(1, 1), end(2, 1, ledger.Delivered), Regressed},
		"filtered a newer one":       {at(1, 1), end(2, 2, ledger.Filtered), Regressed},
		"a dead one of a version":    {at(1, 1), end(2, 2, ledger.Dead), Dead},
		"nothing is left":            {nil, end(2, 2, ledger.Delivered), Regressed},
		"nothing was ever":           {nil, ledger.Entry{}, ""},
		"no event, dead":             {unread, end(0, 9, ledger.Dead), Dead},
		"no event, not seen":         {unread, end(5, 8, ledger.Delivered), ""},
		"too far ahead, now in time": {at(1e15, 4), end(7, 4, ledger.Dead), Dead},
		"forgotten":                  {at(1, 1), ledger.Entry{Held: &ledger.Held{}}, ""},
		"a word of another version":  {at(1, 1), end(1, 1, "later"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judge(test.newest, &test.entry); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	newest := &stream.State{Version: 3, Seq: 30}
	layout := &stream.Layout{Generation: 1, Shards: 1}
	settled := func(outcome string) ledger.Entry {
		return ledger.Entry{Settled: &ledger.Settled{Version: 3, Seq: 30, Outcome: outcome}}
	}
	pending := ledger.Entry{Pending: &ledger.Pending{Version: 3, Seq: 30}}
	for name, test := range map[string]struct {
		sight sight
		entry ledger.Entry
		want  State
	}{
		"beyond the cursor":            {sight{layout: layout, settled: 29}, ledger.Entry{}, Waiting},
		"settled without an end":       {sight{layout: layout, settled: 30}, ledger.Entry{}, Lost},
		"a wake-up has come":           {sight{layout: layout, settled: 30, heard: 4, woken: stream.Woken{Fired: 5}}, ledger.Entry{}, Waiting},
		"a wake-up was settled":        {sight{layout: layout, settled: 30, heard: 5, woken: stream.Woken{Fired: 5}}, ledger.Entry{}, Lost},
		"a wake-up is to come":         {sight{layout: layout, settled: 30, woken: stream.Woken{Scheduled: true}}, ledger.Entry{}, Retrying},
		"pending, wake-up to come":     {sight{layout: layout, settled: 30, woken: stream.Woken{Scheduled: true}}, pending, Retrying},
		"pending, not settled":         {sight{layout: layout, settled: 29}, pending, Retrying},
		"pending, nobody comes back":   {sight{layout: layout, settled: 30}, pending, Lost},
		"dead with a letter":           {sight{layout: layout, settled: 30, letter: true}, settled(ledger.Dead), Dead},
		"dead without a letter":        {sight{layout: layout, settled: 30}, settled(ledger.Dead), Lost},
		"delivered":                    {sight{layout: layout, settled: 30}, settled(ledger.Delivered), InStep},
		"no layout yet":                {sight{}, ledger.Entry{}, Waiting},
		"before the start":             {sight{layout: &stream.Layout{Start: 30}, settled: 30}, ledger.Entry{}, NotOwed},
		"after the start":              {sight{layout: &stream.Layout{Start: 29}, settled: 30}, ledger.Entry{}, Lost},
		"given before it was owed not": {sight{layout: &stream.Layout{Start: 30}, settled: 30}, ledger.Entry{Held: &ledger.Held{Version: 1, Seq: 2}}, Lost},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.sight.decide(newest, &test.entry); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCustomer(t *testing.T) {
	f := newFleet(t, `, shops: [other]`)
	f.publish("x", 1, "Adams")
	if got := f.at("x", "one").State; got != Waiting {
		t.Errorf("before any worker: got %s, want waiting", got)
	}
	f.start()
	f.becomes("x", "one", InStep)
	f.becomes("x", "two", Filtered)
	if at := f.at("x", "one"); at.Ledger.Held == nil || at.Ledger.Held.Version != 1 || at.Ledger.Held.ProviderID == "" {
		t.Errorf("got ledger %+v", at.Ledger)
	}
	st, err := f.desk.Customer(testContext(t), "acme", "x")
	if err != nil || st.Newest == nil || *st.Newest != 1 || st.Deleted || st.Shop != "acme" || st.Customer != "x" {
		t.Errorf("got %+v and error %v", st, err)
	}
	data, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var form map[string]json.RawMessage
	if err := json.Unmarshal(data, &form); err != nil || len(form) != 5 {
		t.Errorf("got %s, want the five fields of the contract", data)
	}

	// The provider fails for a while: the row waits in memory.
	f.one.Faults().Set(sandbox.Fault{Kind: sandbox.Status, Status: 503})
	f.publish("x", 2, "Baker")
	f.becomes("x", "one", Waiting)
	f.one.Faults().Clear()

	if _, err := f.desk.Customer(testContext(t), "acme", "nobody"); !errors.Is(err, ErrUnknownCustomer) {
		t.Errorf("of an unknown customer: got error %v, want %v", err, ErrUnknownCustomer)
	}
}
