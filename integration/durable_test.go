package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
)

// TestKillLosesNothingAcknowledged kills, at some instant or other, the process
// that has the embedded server in it, while a shop publishes as fast as it is
// answered. What was acknowledged is there when it runs again, and reaches the
// provider.
//
// It proves that an answer comes after the write and not before, and that an
// interrupted write spoils none before it. What a kill can't take away is what the
// system holds for the disk: that the answer comes after the sync too is known of
// the server's setting, which a test in internal/natsd sees to.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	standins, err := launch("standin", dir, os.Environ(), filepath.Join(bin, "standin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standins.kill)
	url, err := standins.says(t.Context(), `^http://.*$`)
	if err != nil {
		t.Fatal(err)
	}
	var free ports
	free.last.Store(rand.Int32N(manyPorts))
	listen, err := free.free()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "worker.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, durableConfig, listen, url[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	var acked [durableCustomers]atomic.Int64 // the last version that was acknowledged
	for round := range 5 {
		w, err := launch("worker", dir, os.Environ(), filepath.Join(bin, "worker"), "run", "-c", config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.kill)
		if _, err := w.says(t.Context(), `joined`); err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, w.out.String())
		}
		p := standin{url[0] + "/thulium"}
		if err := eventually(t.Context(), func(ctx context.Context) error { return holdsAll(ctx, p, &acked) }); err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, w.out.String())
		}
		publishUntilKilled(t, "nats://"+listen, w, &acked)
	}
}

const durableCustomers = 64

const durableConfig = `
nats: {embedded: {listen: %q, store: ./data, sync: always}}
http: {listen: "127.0.0.1:0"}
destinations:
  - name: thulium
    provider: thulium
    url: %s/thulium
    auth: {username: api, password: secret}
    map: {custom_fields.version: customer.version}
    timeout: 2s
    batch: {linger: 10ms}
    retry: {max: 1s}
`

// holdsAll tells which customer is not as new at the provider as was acknowledged.
// A version whose answer was never heard may be there too.
func holdsAll(ctx context.Context, p standin, acked *[durableCustomers]atomic.Int64) error {
	held, err := p.held(ctx)
	if err != nil {
		return err
	}
	for i := range acked {
		want := acked[i].Load()
		id := aCustomer(i, want).ID
		if versions := held[id].Versions; want > 0 && (len(versions) == 0 || versions[len(versions)-1] < want) {
			return fmt.Errorf("%s: got versions %v, want %d, which was acknowledged", id, versions, want)
		}
	}
	return nil
}

// publishUntilKilled has a shop change its customers, each writer some of them,
// and kills the worker in the middle of it.
func publishUntilKilled(t *testing.T, url string, w *process, acked *[durableCustomers]atomic.Int64) {
	t.Helper()
	nc, err := nats.Connect(url, nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	publisher := &events.Publisher{Conn: nc}
	var stored atomic.Int64
	var writers sync.WaitGroup
	const many = 8
	for n := range many {
		writers.Go(func() {
			for version := int64(1); ; version++ {
				for i := n; i < durableCustomers; i += many {
					next := acked[i].Load() + 1
					if _, err := publisher.Publish(ctx, "acme", aCustomer(i, next)); err != nil {
						return // it is killed
					}
					acked[i].Store(next)
					stored.Add(1)
				}
			}
		})
	}
	enough := 200 + rand.Int64N(400)
	err = eventually(ctx, func(context.Context) error {
		if n := stored.Load(); n < enough {
			return fmt.Errorf("%d of %d events are stored", n, enough)
		}
		return nil
	})
	w.kill() // wherever its writes are just now
	cancel()
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}
}
