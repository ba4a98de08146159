package stream

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

func TestDropRemovesJustThatLetter(t *testing.T) {
	_, s := open(t, Config{})
	letters, k := s.Letters("d"), key(s, "acme", "c")
	old := letter(k, 7)
	if err := letters.Open(testContext(t), old); err != nil {
		t.Fatal(err)
	}
	if err := letters.Open(testContext(t), letter(k, 8)); err != nil {
		t.Fatal(err)
	}
	if err := letters.Drop(testContext(t), old); err != nil {
		t.Fatal(err)
	}
	got, err := letters.Get(testContext(t), "acme", "c")
	if err != nil || got == nil || got.Version != 8 || got.Row == nil {
		t.Fatalf("got %+v and error %v, want the later letter with its row", got, err)
	}
	if err := letters.Drop(testContext(t), letter(k, 8)); err != nil {
		t.Fatal(err)
	}
	stream, err := s.js.Stream(testContext(t), DeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 0 {
		t.Errorf("got %d messages in the stream, want none", got)
	}
}

func TestStored(t *testing.T) {
	_, s := open(t, Config{})
	a, b := key(s, "acme", "a"), key(s, "acme", "b")
	if err := s.Letters("d").Open(testContext(t), letter(b, 7)); err != nil {
		t.Fatal(err)
	}
	for destination, want := range map[string][]bool{"d": {false, true}, "e": {false, false}} {
		got, err := s.Letters(destination).Stored(testContext(t), []ledger.Key{a, b})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("at %s: got %v and error %v, want %v", destination, got, err, want)
		}
	}
	if got, err := s.Letters("d").Stored(testContext(t), nil); err != nil || len(got) != 0 {
		t.Errorf("of none: got %v and error %v", got, err)
	}
}

func TestWoken(t *testing.T) {
	_, s := open(t, Config{})
	a, b, c := key(s, "acme", "a"), key(s, "acme", "b"), key(s, "acme", "c")
	err := s.Alarm("d").Set(testContext(t), []pipeline.Wakeup{
		{Key: b, At: time.Now().Add(time.Hour), Cause: pipeline.Retry}, {Key: c, Cause: pipeline.Replay},
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the wake-up fires", func() bool {
		got, err := s.Woken(testContext(t), "d", []ledger.Key{a, b, c})
		if err != nil {
			t.Fatal(err)
		}
		if got[0] != (Woken{}) || got[1] != (Woken{Scheduled: true}) {
			t.Fatalf("got %+v", got)
		}
		return got[2].Fired > 0 && !got[2].Scheduled
	})
}

func TestPlaceOf(t *testing.T) {
	_, s := open(t, Config{Partitions: 8})
	for p, want := range []int{0, 0, 1, 1, 2, 2, 3, 3} {
		k := string(rune('0'+p)) + ".acme.c"
		place := s.PlaceOf("d", Layout{Generation: 2, Shards: 4}, k)
		first, last := place.partitions(8)
		if place != (Place{"d", 2, 4, want}) || p < first || p >= last {
			t.Errorf("partition %d: got %+v, want shard %d", p, place, want)
		}
	}
}

func TestActions(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	type body struct{ N int }
	if err := s.NoteAll(ctx, "discard", "d", []any{body{1}, body{2}}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"d", "e", ""} {
		if err := s.Note(ctx, "pause", at, body{3}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		verb, destination string
		want              []string
	}{
		{"discard", "d", []string{"discard d 1", "discard d 2"}},
		{"", "d", []string{"discard d 1", "discard d 2", "pause d 3"}},
		{"pause", "", []string{"pause d 3", "pause e 3", "pause - 3"}},
		{"undo", "", nil},
	} {
		var got []string
		for a, err := range s.Actions(ctx, test.verb, test.destination) {
			var b body
			if err != nil || json.Unmarshal(a.Body, &b) != nil {
				t.Fatalf("got body %s and error %v", a.Body, err)
			}
			got = append(got, a.Verb+" "+a.Destination+" "+string(rune('0'+b.N)))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q at %q: got %v, want %v", test.verb, test.destination, got, test.want)
		}
	}
}

func TestKeptIsOneEvent(t *testing.T) {
	_, s := open(t, Config{History: 2})
	first := publish(t, s, "acme", "c", 1)
	second := publish(t, s, "acme", "c", 2)
	k := key(s, "acme", "c")
	if got, err := s.Kept(testContext(t), k, first); err != nil || got == nil || got.Version != 1 {
		t.Errorf("got %+v and error %v, want version 1", got, err)
	}
	publish(t, s, "acme", "c", 3)
	if got, err := s.Kept(testContext(t), k, first); err != nil || got != nil {
		t.Errorf("of one that made room: got %+v and error %v", got, err)
	}
	if got, err := s.Kept(testContext(t), k, second); err != nil || got == nil || got.Version != 2 {
		t.Errorf("got %+v and error %v, want version 2", got, err)
	}
}

// A destination that begins with what is new remembers where that was.
func TestLayoutRemembersItsStart(t *testing.T) {
	_, s := open(t, Config{Partitions: 4})
	publish(t, s, "acme", "c", 1)
	ends, err := s.Ends(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, shards := range []int{1, 2} {
		l, err := s.EnsureLayout(testContext(t), "d", shards, ends)
		if err != nil || l.Shards != shards || l.Start != ends.Events || l.Start == 0 {
			t.Errorf("with %d shards: got %+v and error %v", shards, l, err)
		}
	}
}

func TestOvertaken(t *testing.T) {
	const high = 1_795_000_000_000_000
	held := &ledger.Held{Version: high, Seq: 1}
	settled := func(version int64, seq uint64, outcome string) *ledger.Settled {
		return &ledger.Settled{Version: version, Seq: seq, Outcome: outcome}
	}
	for name, test := range map[string]struct {
		reason  deadletter.Reason
		version int64 // of the letter; its sequence is 2
		entry   ledger.Entry
		want    bool
	}{
		"its own end":                  {deadletter.Rejected, 7, ledger.Entry{Settled: settled(7, 2, ledger.Dead)}, false},
		"beside an older one":          {deadletter.Rejected, 7, ledger.Entry{Held: &ledger.Held{Version: 6}, Settled: settled(7, 2, ledger.Dead)}, false},
		"held by now":                  {deadletter.Rejected, 7, ledger.Entry{Held: &ledger.Held{Version: 7}}, true},
		"a newer one is dead":          {deadletter.Rejected, 7, ledger.Entry{Settled: settled(8, 3, ledger.Dead)}, true},
		"discarded":                    {deadletter.Rejected, 7, ledger.Entry{Settled: settled(7, 2, ledger.Discarded)}, true},
		"mixed, its own end":           {deadletter.VersionMixed, 2, ledger.Entry{Held: held, Settled: settled(high, 2, ledger.Dead)}, false},
		"mixed, a later one came":      {deadletter.VersionMixed, 2, ledger.Entry{Held: held, Settled: settled(high+1, 3, ledger.Delivered)}, true},
		"mixed, forgotten, got in":     {deadletter.VersionMixed, 2, ledger.Entry{Settled: settled(2, 2, ledger.Delivered)}, true},
		"future, its own end":          {deadletter.VersionFuture, 0, ledger.Entry{Held: held, Settled: settled(high, 2, ledger.Dead)}, false},
		"undecodable, its own end":     {deadletter.Undecodable, 0, ledger.Entry{Held: held, Settled: settled(high, 2, ledger.Dead)}, false},
		"undecodable, with a version":  {deadletter.Undecodable, 9, ledger.Entry{Held: &ledger.Held{Version: 8}, Settled: settled(9, 2, ledger.Dead)}, false},
		"not in the ledger as of yet":  {deadletter.Rejected, 7, ledger.Entry{}, false},
		"undecodable, a later one got": {deadletter.Undecodable, 0, ledger.Entry{Settled: settled(3, 4, ledger.Delivered)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := &deadletter.Letter{Reason: test.reason, Version: test.version, Seq: 2}
			if got := overtaken(l, &test.entry); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
