package stream

import (
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

func TestRestartMakesTheLastTheNewest(t *testing.T) {
	_, s := open(t, Config{})
	k := key(s, "acme", "c")
	publish(t, s, "acme", "c", 1<<50)
	publish(t, s, "acme", "c", 2)
	publishRaw(t, s, "acme", "c", []byte("no event"))
	publish(t, s, "acme", "other", 1)
	if err := s.Restart(testContext(t), k); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Newest(testContext(t), k); err != nil || got == nil || got.Version != 2 {
		t.Errorf("got %+v and error %v, want version 2", got, err)
	}
	if got, err := s.Newest(testContext(t), key(s, "acme", "other")); err != nil || got == nil {
		t.Errorf("of another customer: got %+v and error %v", got, err)
	}
	if err := s.Restart(testContext(t), key(s, "acme", "nobody")); err != nil {
		t.Errorf("of nobody: %v", err)
	}
}

func TestStrikeLeavesCallsThatMayBeOpen(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	a, b := key(s, "acme", "a"), key(s, "acme", "b")
	calls := join(t, s).Calls("d")
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	journal := func(slot int, at time.Time, rows ...pipeline.CallRow) {
		t.Helper()
		if err := calls.Open(ctx, slot, pipeline.OpenCall{At: at, Until: at.Add(time.Minute), Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	journal(0, began, pipeline.CallRow{Key: a, Version: 7, Seq: 1}, pipeline.CallRow{Key: b, Version: 7, Seq: 2})
	journal(1, began, pipeline.CallRow{Key: a, Version: 7, Seq: 1})
	journal(2, began, pipeline.CallRow{Key: a, Version: 8, Seq: 3})
	journal(3, began.Add(time.Hour), pipeline.CallRow{Key: a, Version: 7, Seq: 1})
	end := &ledger.Settled{Version: 7, Seq: 1, Outcome: ledger.Delivered, At: began.Add(time.Second)}
	for range 2 {
		if err := s.Strike(ctx, "d", a, end); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.records(ctx, callKey+"d.>")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Key[len(r.Key)-1:])
	}
	slices.Sort(got)
	if want := []string{"0", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("slots %v hold calls, want %v", got, want)
	}
}
