package ops

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/stream"
)

// status is that of one destination.
func (f *fleet) status(name string) DestinationStatus {
	f.t.Helper()
	st, err := f.desk.Status(testContext(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, d := range st.Destinations {
		if d.Name == name {
			return d
		}
	}
	f.t.Fatalf("%s is not in %+v", name, st)
	return DestinationStatus{}
}

func TestStatus(t *testing.T) {
	f := newFleet(t, "")
	if got := f.status("one"); got.State != Stopped || got.Provider != "thulium" || got.Reason == "" {
		t.Errorf("before any worker: got %+v, want stopped", got)
	}
	f.start()
	until(t, "all shards are owned", func() bool {
		for _, name := range []string{"one", "two"} {
			for _, s := range f.status(name).Shards {
				if s.Owner == "" {
					return false
				}
			}
			if len(f.status(name).Shards) != 2 {
				return false
			}
		}
		return true
	})
	f.publish("good", 1, "Adams")
	f.publish("bad", 1, "")
	f.becomes("good", "one", InStep)
	f.becomes("bad", "one", Dead)
	until(t, "nothing waits and one is dead", func() bool {
		st := f.status("one")
		return st.Waiting == 0 && st.Retrying == 0 && st.Dead == 1 && st.State == "running" && st.OldestWaitingAt == nil
	})

	f.one.Faults().Set(sandbox.Fault{Kind: sandbox.Status, Status: 503})
	f.publish("good", 2, "Baker")
	until(t, "it tells of the outage", func() bool {
		st := f.status("one")
		return st.State == "outage" && st.Waiting == 1 && st.OldestWaitingAt != nil && st.Since != nil && st.Reason != ""
	})
	if got := f.status("two").State; got != "running" {
		t.Errorf("the other destination is %s", got)
	}
	f.one.Faults().Clear()
	f.becomes("good", "one", InStep)

	f.halt()
	if got := f.status("one"); got.State != Stopped || got.Shards[0].Owner != "" || got.RowsPerSecond != 0 {
		t.Errorf("after the worker ended: got %+v, want stopped", got)
	}
}

func TestStatusHasTheContractsFields(t *testing.T) {
	f := newFleet(t, "")
	st, err := f.desk.Status(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var form struct {
		Destinations []map[string]json.RawMessage `json:"destinations"`
	}
	if err := json.Unmarshal(data, &form); err != nil || len(form.Destinations) != 2 {
		t.Fatalf("got %s and error %v", data, err)
	}
	var got []string
	for name := range form.Destinations[0] {
		got = append(got, name)
	}
	slices.Sort(got)
	want := strings.Fields("calls_per_second dead name oldest_waiting_at provider reason retrying rows_per_second shards since state waiting")
	if !slices.Equal(got, want) {
		t.Errorf("got fields %v, want %v", got, want)
	}
}

func TestStatusListsWhatIsLeftOver(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1, "Adams")
	f.becomes("x", "two", InStep)
	f.halt()
	f.desk.Config.Destinations = f.desk.Config.Destinations[:1]
	if got := f.status("two"); got.State != Stopped || got.Provider != "" || !strings.Contains(got.Reason, "no longer in the configuration") {
		t.Errorf("got %+v", got)
	}
}

func TestPauseAndResume(t *testing.T) {
	f := newFleet(t, "")
	f.start()
	f.publish("x", 1, "Adams")
	f.becomes("x", "one", InStep)
	ctx := testContext(t)
	if err := f.desk.Pause(ctx, "one", "night"); err != nil {
		t.Fatal(err)
	}
	if got := f.status("one"); got.State != "paused" || got.Reason != "night" || got.Since == nil {
		t.Errorf("got %+v, want paused", got)
	}
	until(t, "the worker heeds it", func() bool { // its lease is a second long
		calls := f.one.Book().Counters().Calls
		f.publish("y", time.Now().UnixMilli(), "Baker")
		f.becomes("y", "two", InStep)
		return f.at("y", "one").State == Waiting && f.one.Book().Counters().Calls == calls
	})
	if was, err := f.desk.Resume(ctx, "one", ""); err != nil || was != WasPaused {
		t.Fatalf("Resume: got %q and error %v", was, err)
	}
	f.becomes("y", "one", InStep)
	if was, err := f.desk.Resume(ctx, "one", ""); err != nil || was != WasOpen {
		t.Errorf("once more: got %q and error %v", was, err)
	}
	if _, err := f.desk.Resume(ctx, "none", ""); !errors.As(err, new(*UnknownDestination)) {
		t.Errorf("of an unknown destination: got error %v", err)
	}
	if err := f.desk.Pause(ctx, "none", ""); !errors.As(err, new(*UnknownDestination)) {
		t.Errorf("of an unknown destination: got error %v", err)
	}
}

// Credentials were refused and have been mended.
func TestResumeOfABlockedDestination(t *testing.T) {
	f := newFleet(t, "")
	f.one.Faults().Set(sandbox.Fault{Kind: sandbox.Status, Status: 401})
	f.start()
	f.publish("x", 1, "Adams")
	until(t, "it is blocked", func() bool { return f.status("one").State == "blocked" })
	f.one.Faults().Clear()
	if was, err := f.desk.Resume(testContext(t), "one", ""); err != nil || was != WasClosed {
		t.Fatalf("got %q and error %v", was, err)
	}
	f.becomes("x", "one", InStep)
}

// A worker that is gone said that its gate was closed.
func TestGateOfAWorkerThatIsGone(t *testing.T) {
	board := &stream.Board{
		Members: map[string]stream.MemberRecord{"b": {ID: "b"}},
		Gates:   map[string]stream.Gate{"d": {State: "outage", Member: "a"}},
	}
	st := DestinationStatus{Name: "d"}
	if st.tellState(board, true, nil); st.State != "running" {
		t.Errorf("got %s, want running", st.State)
	}
	board.Members["a"] = stream.MemberRecord{ID: "a"}
	if st.tellState(board, true, nil); st.State != "outage" {
		t.Errorf("of one that lives: got %s, want outage", st.State)
	}
}
