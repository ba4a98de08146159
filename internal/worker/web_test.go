package worker

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/stream"
)

// A worker that waits for NATS is alive to whoever asks, and shows its site as soon
// as it is there.
func TestWorkerIsAliveWhileItWaitsForNATS(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newProvider(t, 0), "concurrency: 1")
	f.server.Stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := f.worker("a")
	w.Listener = listener
	w.Site = func(context.Context, *stream.Streams, func() bool) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "the site") })
	}
	f.run(w)
	ask := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/metrics": http.StatusOK} {
		if got, body := ask(path); got != want {
			t.Errorf("while NATS is away, %s: got %d %q, want %d", path, got, body, want)
		}
	}
	f.server.Restart()
	if got, body := ask("/"); got != http.StatusOK || body != "the site" {
		t.Errorf("asked for while the worker starts: got %d %q, want the site", got, body)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); ; <-tick.C {
		got, body := ask("/readyz")
		if got == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not become ready: %d %q", got, body)
		}
	}
}
