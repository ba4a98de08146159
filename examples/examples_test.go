// Package examples runs the examples of this folder as a shop would.
package examples

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/ingress"
	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

// serve is what publisher serve is, before a real JetStream. The first call of
// all is asked to come back.
func serve(t *testing.T) (url string, published *nats.Subscription) {
	t.Helper()
	server := natstest.Start(t)
	nc := server.Connect()
	streams, err := stream.Open(t.Context(), nc, stream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(streams.Close)
	if published, err = nc.SubscribeSync("customers.*.*"); err != nil {
		t.Fatal(err)
	}
	tokens, err := ingress.ParseTokens([]byte("acme: [secret-token]\n"))
	if err != nil {
		t.Fatal(err)
	}
	handler := (&ingress.Server{
		Conn: nc, Publisher: &events.Publisher{Conn: nc}, Tokens: func() *ingress.Tokens { return tokens }, Log: zerolog.Nop(),
	}).Handler()
	var calls atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	return web.URL, published
}

// command finds an interpreter. Without it the test is skipped; where CI is true
// it fails.
func command(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// run runs a program that takes what serve is like from the environment.
func run(t *testing.T, url, token string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command(t, args[0]), args[1:]...)
	cmd.Env = append(os.Environ(), "CUSTSYNC_URL="+url, "CUSTSYNC_TOKEN="+token)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestExamples(t *testing.T) {
	for name, args := range map[string][]string{
		"curl":   {"sh", "curl/publish.sh"},
		"python": {"python3", "python/publish.py"},
		"node":   {"node", "node/publish.mjs"},
		"php":    {"php", "php/publish.php"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command(t, needs(name))
			url, published := serve(t)
			out, err := run(t, url, "secret-token", args...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got []string
			for range 4 {
				msg, err := published.NextMsg(5 * time.Second)
				if err != nil {
					t.Fatalf("%v after %q\n%s", err, got, out)
				}
				tokens := strings.Split(msg.Subject, ".")
				var ev events.Event
				if err := events.Decode(msg.Data, tokens[1], tokens[2], time.Now(), &ev); err != nil {
					t.Fatal(err)
				}
				c := &ev.Customer
				got = append(got, fmt.Sprintf("%s %s %s %d %s %d %s %t", ev.Type, ev.Shop, strings.TrimPrefix(c.ID, name), ev.Version, c.Email.V, c.Phone.State, strings.TrimSpace(c.FirstName.V), c.VIP.V))
			}
			olga := "Ольга"
			if name == "curl" {
				olga = "Olga"
			}
			want := []string{
				"customer.changed.v1 acme -1 1 ada@example.com 1  false",
				"customer.changed.v1 acme -2 1  0 " + olga + " false",
				"customer.changed.v1 acme -3 1  0  true",
				"customer.deleted.v1 acme -3 2  0  false",
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("published were\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if out, err := run(t, url, "wrong", args...); err == nil || !strings.Contains(out, "401") {
				t.Errorf("with a wrong token it ended with %v and said %s", err, out)
			}
		})
	}
}

// needs is the program an example can't do without.
func needs(name string) string {
	if name == "python" {
		return "python3"
	}
	return name
}
