package stream

import (
	"reflect"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
)

func TestEditsAreKeptByTheirIDs(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	letters := s.Letters("d")
	a, b := key(s, "acme", "a"), key(s, "acme", "b")
	edit := func(id string) *deadletter.Edit {
		return &deadletter.Edit{
			ID: id, Version: 7, Seq: 9, Of: "00ff", At: time.Date(2026, 11, 22, 10, 0, 0, 1, time.UTC),
			By: "Łucja", Note: "as agreed", Patch: []byte(`{"phone":"1"}`),
		}
	}
	one, two := edit("ONE"), edit("TWO")
	if err := letters.StoreEdits(ctx, []ledger.Key{a, b, a}, []*deadletter.Edit{one, one, two}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []*deadletter.Edit{one, two} {
		if got, err := letters.Edit(ctx, a, want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v and error %v, want %+v", got, err, want)
		}
	}
	got, err := letters.Edits(ctx, []ledger.Key{a, b, key(s, "acme", "c")}, []string{"TWO", "", "ONE"})
	if err != nil || !reflect.DeepEqual(got, []*deadletter.Edit{two, nil, nil}) {
		t.Errorf("got %+v and error %v, want the first alone", got, err)
	}
	there := func(k ledger.Key, id string) bool {
		t.Helper()
		e, err := letters.Edit(ctx, k, id)
		if err != nil {
			t.Fatal(err)
		}
		return e != nil
	}
	if err := letters.Close(ctx, a, ledger.Settled{Version: 9, Edit: "TWO"}); err != nil {
		t.Fatal(err)
	}
	if there(a, "ONE") || !there(a, "TWO") || !there(b, "ONE") {
		t.Error("after Close but for one: want just that one, and the other customer's")
	}
	if err := letters.Close(ctx, a, ledger.Settled{Version: 9}); err != nil {
		t.Fatal(err)
	}
	if there(a, "TWO") || !there(b, "ONE") {
		t.Error("after Close: want the other customer's only")
	}
	if err := letters.DropEdit(ctx, b, "ONE"); err != nil {
		t.Fatal(err)
	}
	if there(b, "ONE") {
		t.Error("after DropEdit: it is there")
	}
}

// A letter that comes back after a replay says since when it is there.
func TestLetterThatComesBackKeepsWhenItBegan(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	k := key(s, "acme", "c")
	first := letter(k, 7)
	if err := s.Letters("d").Open(ctx, first); err != nil {
		t.Fatal(err)
	}
	again := letter(k, 7)
	again.FirstAt, again.LastAt = time.Time{}, first.LastAt.Add(time.Hour)
	if err := s.Letters("d").Open(ctx, again); err != nil {
		t.Fatal(err)
	}
	got, err := s.Letters("d").Get(ctx, "acme", "c")
	if err != nil || !got.FirstAt.Equal(first.FirstAt) || !got.LastAt.Equal(again.LastAt) {
		t.Errorf("got a letter from %v to %v and error %v, want one from %v", got.FirstAt, got.LastAt, err, first.FirstAt)
	}
	other := letter(k, 8)
	other.FirstAt = time.Time{}
	if err := s.Letters("d").Open(ctx, other); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Letters("d").Get(ctx, "acme", "c"); err != nil || !got.FirstAt.Equal(other.LastAt) {
		t.Errorf("got a letter from %v and error %v, want a new one", got.FirstAt, err)
	}
}
