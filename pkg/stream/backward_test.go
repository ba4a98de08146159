package stream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/custsync/custsync/pkg/deadletter"
)

func listed(t *testing.T, letters func(func(*deadletter.Letter, error) bool)) []string {
	t.Helper()
	var all []string
	for l, err := range letters {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Customer)
	}
	return all
}

func TestLettersBackwards(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	const n = 3_000 // more than a span, with rows in between
	var want []string
	for i := range n {
		l := letter(key(s, "acme", fmt.Sprint("c", i)), 1)
		if i%3 == 0 {
			l.Destination = "e"
		}
		if err := s.Letters(l.Destination).Open(ctx, l); err != nil {
			t.Fatal(err)
		}
		want = append(want, l.Customer)
	}
	forwards := listed(t, s.DeadLetters(ctx, Query{}))
	if !slices.Equal(forwards, want) {
		t.Errorf("forwards: got %d letters, want all %d in order", len(forwards), n)
	}
	slices.Reverse(want)
	if got := listed(t, s.DeadLettersBack(ctx, Query{})); !slices.Equal(got, want) {
		t.Errorf("backwards: got %d letters, want all %d, the last first", len(got), n)
	}
	// Page by page, and of one destination.
	var got []string
	for upTo := uint64(0); ; {
		page := 0
		for l, err := range s.DeadLettersBack(ctx, Query{Destination: "e", UpTo: upTo}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l.Customer)
			upTo = l.Place - 1
			if page++; page == 100 {
				break
			}
		}
		if page < 100 || len(got) > n {
			break
		}
	}
	of := slices.DeleteFunc(slices.Clone(want), func(c string) bool {
		var i int
		fmt.Sscanf(c, "c%d", &i)
		return i%3 != 0
	})
	if !slices.Equal(got, of) {
		t.Errorf("by pages: got %d letters, want %d", len(got), len(of))
	}
	if got := listed(t, s.DeadLettersBack(ctx, Query{Customer: "c7"})); !slices.Equal(got, []string{"c7"}) {
		t.Errorf("by customer: got %v", got)
	}
	// Nothing of the list is left but its beginning: wide spans are empty.
	if err := s.purge(ctx, DeadLetters, lettersPrefix+"d.>", 0); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, s.DeadLettersBack(ctx, Query{Customer: "c0"})); !slices.Equal(got, []string{"c0"}) {
		t.Errorf("after a purge: got %v", got)
	}
}

// Letters that come back while the list is worked through are not listed again.
func TestListEndsThoughLettersComeBack(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	for i := range 10 {
		if err := s.Letters("d").Open(ctx, letter(key(s, "acme", fmt.Sprint("c", i)), 1)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for l, err := range s.DeadLetters(ctx, Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 10 {
			t.Fatal("the list does not end")
		}
		if err := s.Letters("d").Open(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		t.Error("nothing was listed")
	}
}

func TestActionsBackwards(t *testing.T) {
	_, s := open(t, Config{})
	ctx := testContext(t)
	if got := slices.Collect(keys(s.ActionsBack(ctx, "", "", 0))); len(got) != 0 {
		t.Errorf("of none: got %v", got)
	}
	for i, verb := range []string{"edit", "discard", "edit", "pause"} {
		if err := s.Note(ctx, verb, "d", i); err != nil {
			t.Fatal(err)
		}
	}
	read := func(verb string, before uint64) (verbs []string, places []uint64) {
		for a, err := range s.ActionsBack(ctx, verb, "", before) {
			if err != nil {
				t.Fatal(err)
			}
			verbs, places = append(verbs, a.Verb), append(places, a.Place)
		}
		return verbs, places
	}
	all, places := read("", 0)
	if want := []string{"pause", "edit", "discard", "edit"}; !slices.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
	if got, _ := read("edit", places[1]); !slices.Equal(got, []string{"edit"}) {
		t.Errorf("edits before the last one: got %v", got)
	}
	if got, _ := read("", 1); got != nil {
		t.Errorf("before the first: got %v", got)
	}
}

func keys[K, V any](of func(func(K, V) bool)) func(func(K) bool) {
	return func(yield func(K) bool) { of(func(k K, _ V) bool { return yield(k) }) }
}
