package stream

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

func versions(t *testing.T, s *Streams, k ledger.Key) (all []int64) {
	t.Helper()
	var ev events.Event
	if err := s.states(testContext(t), k, func(m kept) { all = append(all, readState(k, m, time.Now(), &ev).Version) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLateStatesDoNotPushOutTheNewest(t *testing.T) {
	_, s := open(t, Config{Partitions: 1, History: 4})
	k := s.Keeper([]string{"d"})
	for _, test := range []struct {
		name      string
		published []int64
		at        int64 // the version of the event at hand; 0: none
		want      []int64
	}{
		{"room", []int64{9, 1}, 0, []int64{9, 1}},
		{"near", []int64{9, 1, 2}, 0, []int64{9, 1, 2, 9}},
		{"in order", []int64{1, 2, 3, 9}, 0, []int64{1, 2, 3, 9}},
		{"pushed out and at hand", []int64{9, 1, 2, 3, 4}, 9, []int64{2, 3, 4, 9}},
		{"pushed out", []int64{9, 1, 2, 3, 4}, 0, []int64{1, 2, 3, 4}},
		{"at hand and there", []int64{1, 9, 2}, 9, []int64{1, 9, 2}},
		{"older at hand", []int64{8, 9, 2}, 8, []int64{8, 9, 2}},
	} {
		customer := test.name[:2] + test.name[len(test.name)-2:]
		for _, v := range test.published {
			publish(t, s, "acme", customer, v)
		}
		var hand []byte
		if test.at > 0 {
			hand = event("acme", customer, test.at)
		}
		for range 2 { // the second one finds nothing to do
			if err := k.Late(testContext(t), key(s, "acme", customer), hand); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
		}
		if got := versions(t, s, key(s, "acme", customer)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got versions %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLateStatesOfSeveralAtOnce(t *testing.T) {
	_, s := open(t, Config{Partitions: 1, History: 4})
	k := s.Keeper([]string{"d"})
	for _, v := range []int64{9, 1, 2} {
		publish(t, s, "acme", "c", v)
	}
	done := make(chan error)
	for range 8 {
		go func() { done <- k.Late(testContext(t), "0.acme.c", nil) }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got, want := versions(t, s, "0.acme.c"), []int64{9, 1, 2, 9}; !slices.Equal(got, want) {
		t.Errorf("got versions %v, want it published again once: %v", got, want)
	}
}

// What was deleted goes when the last destination has settled the deletion.
func TestDeletedIsErasedWhenAllHaveSettledIt(t *testing.T) {
	settled := func(m ledger.Mark, outcome string, pending *ledger.Pending) ledger.Entry {
		return ledger.Entry{Pending: pending, Settled: &ledger.Settled{Version: m.Version, Seq: m.Seq, Outcome: outcome, At: time.Now().UTC()}}
	}
	for name, test := range map[string]struct {
		other func(deletion ledger.Mark) *ledger.Entry // of the other destination; nil: none
		newer bool                                     // the customer has come back
		want  int                                      // messages kept of it
	}{
		"all":                 {func(m ledger.Mark) *ledger.Entry { e := settled(m, ledger.Delivered, nil); return &e }, false, 1},
		"one has not seen it": {func(ledger.Mark) *ledger.Entry { return nil }, false, 2},
		"one is behind": {func(m ledger.Mark) *ledger.Entry {
			e := settled(ledger.Mark{Version: m.Version - 1, Seq: m.Seq - 1}, ledger.Delivered, nil)
			return &e
		}, false, 2},
		"one would not take it": {func(m ledger.Mark) *ledger.Entry { e := settled(m, ledger.Dead, nil); return &e }, false, 2},
		"one is to send it again": {func(m ledger.Mark) *ledger.Entry {
			e := settled(m, ledger.Delivered, &ledger.Pending{Version: m.Version, Seq: m.Seq, Next: time.Now().Add(time.Hour).UTC(), Doubt: true, Delete: true})
			return &e
		}, false, 2},
		"it came back": {func(m ledger.Mark) *ledger.Entry { e := settled(m, ledger.Skipped, nil); return &e }, true, 3},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{Partitions: 1})
			publish(t, s, "acme", "c", 1)
			seq := publishRaw(t, s, "acme", "c", deletion("acme", "c", 2))
			m := ledger.Mark{Version: 2, Seq: seq}
			if test.newer {
				publish(t, s, "acme", "c", 3)
			}
			put := func(destination string, e ledger.Entry) {
				l, err := s.Ledger(testContext(t), destination)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.Put(testContext(t), []pipeline.Write{{Key: "0.acme.c", Entry: e}}); err != nil {
					t.Fatal(err)
				}
			}
			put("here", settled(m, ledger.Delivered, nil))
			if e := test.other(m); e != nil {
				put("there", *e)
			}
			if err := s.Letters("there").Open(testContext(t), letter("0.acme.c", 1)); err != nil {
				t.Fatal(err)
			}
			if err := s.Keeper([]string{"here", "there"}).Deleted(testContext(t), "0.acme.c", m); err != nil {
				t.Fatal(err)
			}
			if got := len(versions(t, s, "0.acme.c")); got != test.want {
				t.Errorf("got %d states, want %d", got, test.want)
			}
			letters, err := s.count(testContext(t), DeadLetters, ">")
			if err != nil || (letters == 0) != (test.want == 1) {
				t.Errorf("got %d messages of letters and error %v", letters, err)
			}
		})
	}
}

func deletion(shop, customer string, version int64) []byte {
	return bytes.Replace(event(shop, customer, version), []byte("customer.changed.v1"), []byte("customer.deleted.v1"), 1)
}
