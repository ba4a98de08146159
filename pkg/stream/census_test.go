package stream

import (
	"fmt"
	"testing"

	"github.com/custsync/custsync/pkg/ledger"
)

// A census finds of each customer, once, what looking him up finds.
func TestCensusFindsWhatLookingUpFinds(t *testing.T) {
	_, s := open(t, Config{Partitions: 4, History: 3})
	ctx := testContext(t)
	customers := map[ledger.Key]bool{}
	for version := range int64(4) {
		for i := range 300 {
			name := fmt.Sprint("c", i)
			customers[key(s, "acme", name)] = true
			switch {
			case version == 0 || i%7 == 0:
				publish(t, s, "acme", name, 10+version)
			case i%11 == 0 && version == 1:
				publish(t, s, "acme", name, 3) // late, of an older version
			case i%13 == 0 && version == 2:
				publishRaw(t, s, "acme", name, []byte("not an event"))
			}
		}
	}
	l := openLedger(t, s)
	given := key(s, "acme", "c5")
	putAll(t, l, []ledger.Key{given}, nil, 8)
	for _, rolls := range []uint64{1, 3} {
		c, err := s.Census(ctx)
		if err != nil {
			t.Fatal(err)
		}
		c.rolls = rolls
		found, entries := map[ledger.Key]bool{}, 0
		for nr := range c.Rolls() {
			r, err := c.Roll(ctx, nr)
			if err != nil {
				t.Fatal(err)
			}
			places := make([]int, r.Len())
			for i := range places {
				places[i] = i
			}
			keys, err := r.Keys(ctx, places)
			if err != nil {
				t.Fatal(err)
			}
			for i, k := range keys {
				want, err := s.Newest(ctx, k)
				if err != nil {
					t.Fatal(err)
				}
				got := r.Newest(i)
				if got.Seq != want.Seq || got.Version != want.Version || got.Deleted != want.Deleted || (got.Err == nil) != (want.Err == nil) || r.Partition(i) != partitionOf(k) {
					t.Errorf("%s: got %+v, want %+v", k, got, want)
				}
				if found[k] {
					t.Errorf("%s is there twice", k)
				}
				found[k] = true
			}
			err = r.Entries(ctx, func(destination string, i int, e *ledger.Entry) {
				entries++
				if destination != "d" || keys[i] != given || e.Top().Version != 8 {
					t.Errorf("%s: got an entry of %s: %+v", destination, keys[i], e)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(found) != len(customers) || entries != 1 {
			t.Errorf("%d rolls: got %d customers and %d entries, want %d and 1", rolls, len(found), entries, len(customers))
		}
	}
}

// What is read is read to its end, whatever sizes messages have.
func TestWalkThroughBodiesOfAllSizes(t *testing.T) {
	_, s := open(t, Config{Partitions: 1, History: 1})
	const n = 3000
	bodies := make([][]byte, 5)
	for i := range bodies {
		bodies[i] = make([]byte, 600+i*37)
	}
	for i := range n {
		publishRaw(t, s, "acme", fmt.Sprint("c", i), bodies[i%len(bodies)])
	}
	c, err := s.Census(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Roll(testContext(t), 0)
	if err != nil || r.Len() != n {
		t.Errorf("got %d customers and error %v, want %d", r.Len(), err, n)
	}
}
