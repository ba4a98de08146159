package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// deadline bounds every wait of a test.
const deadline = 20 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// open returns streams on a server of the test's own.
func open(t testing.TB, c Config) (*natstest.Server, *Streams) {
	t.Helper()
	server := natstest.Start(t)
	return server, openAt(t, server.Connect(), c)
}

func openAt(t testing.TB, nc *nats.Conn, c Config) *Streams {
	t.Helper()
	s, err := Open(testContext(t), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// until waits for a condition that something outside of the test brings about.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// publish stores an event of a customer and returns its sequence.
func publish(t testing.TB, s *Streams, shop, customer string, version int64) uint64 {
	t.Helper()
	return publishRaw(t, s, shop, customer, event(shop, customer, version))
}

func publishRaw(t testing.TB, s *Streams, shop, customer string, data []byte) uint64 {
	t.Helper()
	ctx := testContext(t)
	for {
		a, err := s.post.one(ctx, &nats.Msg{Subject: events.IngestSubject(shop, customer), Data: data})
		if err == nil {
			err = a.err()
		}
		if err == nil {
			return a.seq
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func event(shop, customer string, version int64) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%s-%d","source":"/shops/%s","type":"customer.changed.v1",`+
		`"subject":"%s","time":"2026-11-22T10:00:00Z","datacontenttype":"application/json","data":{"id":"%s","version":%d}}`,
		customer, version, shop, customer, customer, version)
}

func key(s *Streams, shop, customer string) string {
	return events.StoredSubject(events.Partition(shop, customer, s.Partitions()), shop, customer)[len(customersPrefix):]
}

// lay lays a destination out and returns its shard's place.
func lay(t testing.TB, s *Streams, destination string, shards int) Place {
	t.Helper()
	l, err := s.EnsureLayout(testContext(t), destination, shards, Position{})
	if err != nil {
		t.Fatal(err)
	}
	return Place{destination, l.Generation, shards, 0}
}

func openShard(t testing.TB, s *Streams, p Place) *Shard {
	t.Helper()
	shard, err := s.OpenShard(testContext(t), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return shard
}

// wakes is a shard's feed of wake-ups.
func wakes(shard *Shard) pipeline.Feed { return shard.Feeds[len(shard.Feeds)-1] }

// lend fetches until n messages came.
func lend(t testing.TB, f pipeline.Feed, n int) []pipeline.Message {
	t.Helper()
	ctx := testContext(t)
	var all []pipeline.Message
	for len(all) < n {
		messages, err := f.Fetch(ctx, 1<<20)
		if ctx.Err() != nil {
			t.Fatalf("got %d messages, want %d: %v", len(all), n, err)
		}
		all = append(all, messages...)
	}
	return all
}

// lendAll fetches from all of a shard's feeds of events until n messages came,
// and returns each feed's.
func lendAll(t testing.TB, shard *Shard, n int) [][]pipeline.Message {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	feeds := shard.Feeds[:len(shard.Feeds)-1]
	all := make([][]pipeline.Message, len(feeds))
	var came atomic.Int64
	var fetching sync.WaitGroup
	for i, f := range feeds {
		fetching.Go(func() {
			for ctx.Err() == nil {
				messages, _ := f.Fetch(ctx, 1<<20) // an outage of the stream passes
				all[i] = append(all[i], messages...)
				if came.Add(int64(len(messages))) >= int64(n) {
					cancel()
				}
			}
		})
	}
	fetching.Wait()
	if got := int(came.Load()); got != n {
		t.Fatalf("got %d messages, want %d", got, n)
	}
	return all
}

func seqs(messages []pipeline.Message) []uint64 {
	out := make([]uint64, len(messages))
	for i, m := range messages {
		out[i] = m.Seq
	}
	return out
}

func newFresh(t testing.TB) *nats.Conn {
	t.Helper()
	return natstest.Start(t).Connect()
}

func rawEvent(size int) *nats.Msg {
	return &nats.Msg{Subject: "customers.acme.c", Data: make([]byte, size)}
}
