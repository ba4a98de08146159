package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// fewFeed lends so many events, one in each fetch, and then waits for nothing.
type fewFeed struct {
	name  string
	n     int
	first uint64 // sequence of its first event
	lent  int
}

func (f *fewFeed) Fetch(ctx context.Context, _ int) ([]Message, error) {
	if f.lent == f.n {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.lent++
	customer, seq := fmt.Sprintf("%s-%d", f.name, f.lent), f.first+uint64(f.lent)
	return []Message{{
		Seq: seq, Event: seq, Key: key(customer), At: time.Now(), Data: eventJSON(customer, 1, false, ""),
	}}, nil
}

func (f *fewFeed) Settle(uint64) {}

// Feeds that wait for events take no room from one that has some, however small
// the window.
func TestFeedsThatWaitHoldNoRoom(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Window = 2 * rowOverhead
		r.start()
		const quiet, busy = 20, 50
		var feeds []Feed
		for i := range quiet {
			feeds = append(feeds, &fewFeed{name: fmt.Sprint("quiet-", i), n: 1, first: uint64(1000 * i)})
		}
		feeds = append(feeds, &fewFeed{name: "busy", n: busy, first: 1000 * quiet})
		lease, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := r.d.Take(lease, Shard{ID: 1, Lease: testLease{lease}, Feeds: feeds}); err != nil {
			t.Fatal(err)
		}
		r.wait(time.Minute)
		if got, want := r.d.Snapshot().Counts.Delivered, uint64(quiet+busy); got != want {
			t.Errorf("got %d events delivered, want %d", got, want)
		}
	})
}
