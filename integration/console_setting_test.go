package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// setting is a worker of its own, with a stand-in behind it.
type setting struct {
	dir, url, nats string
	provider       standin
	worker         *process
	down           bool // somebody has killed the worker
}

const secret = "a-token-of-the-test"

// set starts a worker that asks for a token, with one destination.
func set(t *testing.T, more string) *setting {
	t.Helper()
	s := &setting{dir: t.TempDir()}
	provider, err := launch("standin", s.dir, os.Environ(), bin+"/standin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.kill)
	at, err := provider.says(t.Context(), `^http://.*$`)
	if err != nil {
		t.Fatal(err)
	}
	var free ports
	free.last.Store(int32(time.Now().UnixNano() % manyPorts))
	http, err := free.free()
	if err != nil {
		t.Fatal(err)
	}
	nats, err := free.free()
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.nats, s.provider = "http://"+http+"/", "nats://"+nats, standin{at[0] + "/thulium"}
	config := fmt.Sprintf(`nats: {embedded: {listen: %q, store: ./data, sync: 10s}}
http: {listen: %q, token: %q}
destinations:
  - name: calls
    provider: thulium
    url: %s/thulium
    auth: {username: test, password: test}
    retry: {initial: 200ms, max: 1s}
%s`, nats, http, secret, at[0], more)
	if err := os.WriteFile(filepath.Join(s.dir, "worker.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	return s
}

// start starts the worker and waits until it is ready.
func (s *setting) start(t *testing.T) {
	t.Helper()
	worker, err := launch("worker", s.dir, os.Environ(), bin+"/worker", "run", "-c", "worker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.worker, s.down = worker, false
	t.Cleanup(worker.kill)
	err = eventually(t.Context(), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(req)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("readyz: %s", answer.Status)
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, &worker.out)
	}
}

// stop has the worker end as an operator does.
func (s *setting) stop(t *testing.T) {
	t.Helper()
	s.down = true
	if err := s.worker.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if how, err := s.worker.exits(); err != nil || how != "0" {
		t.Fatalf("the worker ended with %s (%v)\n%s", how, err, &s.worker.out)
	}
}

// add puts a destination behind the others in the configuration of a worker that is
// stopped.
func (s *setting) add(t *testing.T, destination string) {
	t.Helper()
	name := filepath.Join(s.dir, "worker.yaml")
	config, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, append(config, destination...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *setting) kill() {
	s.down = true
	s.worker.kill()
}

// publish has a shop publish lines of customers.
func (s *setting) publish(t *testing.T, lines string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin+"/publisher", "publish", "--nats", s.nats, "--shop", "acme", "-")
	cmd.Stdin = strings.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("publish: %v\n%s", err, out)
	}
}

// dead waits until so many letters are open.
func (s *setting) dead(t *testing.T, want int) {
	t.Helper()
	err := eventually(t.Context(), func(context.Context) error {
		var st struct {
			Destinations []struct{ Dead int }
		}
		ask(t, s.url+"api/v1/destinations", secret, &st)
		if got := st.Destinations[0].Dead; got != want {
			return fmt.Errorf("got %d dead letters, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
