package stream

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/custsync/custsync/pkg/ledger"
)

// walked are the keys that a walk yields, sorted; twice what it yields twice.
func walked(t *testing.T, s *Streams, each func(window int)) []ledger.Key {
	t.Helper()
	var all []ledger.Key
	windows := 0
	for keys, err := range s.Keys(testContext(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 || len(keys) > keysWindow {
			t.Errorf("a window of %d keys", len(keys))
		}
		all = append(all, keys...)
		windows++
		if each != nil {
			each(windows)
		}
	}
	slices.Sort(all)
	return all
}

func TestKeysYieldsEachCustomerOnce(t *testing.T) {
	_, s := open(t, Config{Partitions: 4, History: 3})
	if got := walked(t, s, nil); len(got) != 0 {
		t.Errorf("of an empty stream: got %v", got)
	}
	var want []ledger.Key
	for version := range int64(5) {
		for i := range 3 * keysWindow / 2 {
			customer := fmt.Sprint("c", i)
			if version > 0 && i%97 != 0 {
				continue
			}
			publish(t, s, "acme", customer, version)
			if version == 0 {
				want = append(want, key(s, "acme", customer))
			}
		}
	}
	slices.Sort(want)
	if got := walked(t, s, nil); !slices.Equal(got, want) {
		t.Errorf("got %d keys, want %d, each once", len(got), len(want))
	}
}

// What is published meanwhile neither counts twice nor hides anybody.
func TestKeysWhileCustomersChange(t *testing.T) {
	_, s := open(t, Config{Partitions: 4})
	want := map[ledger.Key]bool{}
	for i := range 2 * keysWindow {
		publish(t, s, "acme", fmt.Sprint("c", i), 1)
		want[key(s, "acme", fmt.Sprint("c", i))] = true
	}
	got := walked(t, s, func(window int) {
		for i := range 50 {
			publish(t, s, "acme", fmt.Sprint("c", (window*211+i*17)%(2*keysWindow)), 2)
			publish(t, s, "acme", fmt.Sprint("new", window, "-", i), 1)
		}
	})
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(got, sorted) {
		t.Errorf("got %d keys, want the %d that were there at the call", len(got), len(sorted))
	}
}

func TestKeysMayBeLeft(t *testing.T) {
	_, s := open(t, Config{})
	for i := range 3 {
		publish(t, s, "acme", fmt.Sprint("c", i), 1)
	}
	for range s.Keys(testContext(t)) {
		break
	}
}
