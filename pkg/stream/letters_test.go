package stream

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/nats-io/nats.go"
)

func letter(key string, version int64) *deadletter.Letter {
	l := &deadletter.Letter{
		Destination: "d", Version: version, Seq: uint64(version), Reason: deadletter.Rejected,
		Errors:  []sinks.FieldError{{Field: "address.city", Message: "too long\nreally"}},
		Message: "“no” is\nno\tanswer", Attempts: 3,
		FirstAt: time.Date(2026, 11, 22, 10, 0, 0, 1, time.UTC), LastAt: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC),
		Fingerprint: "00ff", Event: []byte(`{"a":1}`), Row: []byte(`{"b":2}`),
	}
	l.SetKey(key)
	return l
}

func TestLettersOpenGetClose(t *testing.T) {
	_, s := open(t, Config{})
	letters := s.Letters("d")
	k := key(s, "acme", "a=2Eb")
	if got, err := letters.Get(testContext(t), "acme", "a=2Eb"); got != nil || err != nil {
		t.Fatalf("before: got %+v and error %v", got, err)
	}
	want := letter(k, 7)
	if err := letters.Open(testContext(t), want); err != nil {
		t.Fatal(err)
	}
	got, err := letters.Get(testContext(t), "acme", "a=2Eb")
	if err != nil {
		t.Fatal(err)
	}
	want.Place = 2 // behind its row
	want.Errors[0].Message, want.Message = "too long really", "“no” is no answer"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	other := letter(key(s, "acme", "other"), 1)
	if err := letters.Open(testContext(t), other); err != nil {
		t.Fatal(err)
	}
	if err := letters.Close(testContext(t), k, ledger.Settled{Version: 7, Seq: want.Seq, Outcome: ledger.Delivered}); err != nil {
		t.Fatal(err)
	}
	if got, err := letters.Get(testContext(t), "acme", "a=2Eb"); got != nil || err != nil {
		t.Errorf("after Close: got %+v and error %v", got, err)
	}
	stream, err := s.js.Stream(testContext(t), DeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 2 {
		t.Errorf("after Close: got %d messages in the stream, want the other letter and its row", got)
	}
	if err := letters.Close(testContext(t), k, ledger.Settled{Version: 7, Seq: want.Seq, Outcome: ledger.Delivered}); err != nil {
		t.Errorf("closing what is closed: %v", err)
	}
}

// A letter is never shown with the row of the one before.
func TestLetterWithoutARowOfItsOwn(t *testing.T) {
	for name, row := range map[string][]byte{"none": nil, "too long": bytes.Repeat([]byte("x"), deadletter.MaxRow+1)} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{})
			k := key(s, "acme", "c")
			if err := s.Letters("d").Open(testContext(t), letter(k, 7)); err != nil {
				t.Fatal(err)
			}
			next := letter(k, 8)
			next.Row = row
			if err := s.Letters("d").Open(testContext(t), next); err != nil {
				t.Fatal(err)
			}
			got, err := s.Letters("d").Get(testContext(t), "acme", "c")
			if err != nil || got.Version != 8 || got.Row != nil {
				t.Errorf("got %+v and error %v, want version 8 without a row", got, err)
			}
		})
	}
}

// A message that is no letter hides none of those that are.
func TestListGoesOnAfterWhatIsNoLetter(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	if a, err := s.post.one(ctx, &nats.Msg{Subject: "deadletters.d.acme.foreign"}); err != nil || a.err() != nil {
		t.Fatal(a, err)
	}
	if err := s.Letters("d").Open(ctx, letter(key(s, "acme", "c"), 7)); err != nil {
		t.Fatal(err)
	}
	letters, errs := 0, 0
	for _, err := range s.DeadLetters(ctx, Query{}) {
		if err != nil {
			errs++
		} else {
			letters++
		}
	}
	if letters != 1 || errs != 1 {
		t.Errorf("got %d letters and %d errors, want one of each", letters, errs)
	}
}
