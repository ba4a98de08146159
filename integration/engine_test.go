package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
)

// engine is a Docker engine with one image, made from nothing but the project's
// own binaries and a NATS server: no registry is asked for anything.
type engine struct {
	docker *testcontainers.DockerProvider
	image  string
}

// openEngine finds the engine and builds the image; both go with the test.
func openEngine(t *testing.T) *engine {
	docker, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(log.TestLogger(t)))
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = docker.Health(ctx)
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no Docker engine answers, and with CI=true that is a failure: %v", err)
		}
		t.Skipf("THE TESTS WITH CONTAINERS DID NOT RUN: no Docker engine answers: %v", err)
	}
	t.Cleanup(func() { docker.Close() })
	return &engine{docker, buildImage(t, docker)}
}

func buildImage(t *testing.T, docker *testcontainers.DockerProvider) string {
	dir := t.TempDir()
	// The server is built from the module cache, at the version that go.mod names.
	if err := build(".", "github.com/nats-io/nats-server/v2"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"worker", "standin", "nats-server"} {
		if out, err := exec.Command("cp", filepath.Join(bin, name), dir).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v\n%s", name, err, out)
		}
	}
	for name, text := range map[string]string{
		"Dockerfile": "FROM scratch\nCOPY worker standin nats-server nats.conf /\n",
		// What is acknowledged is on the disk, as promise 1 asks of outside servers.
		"nats.conf": "jetstream {store_dir: /data, sync_interval: always}\nmax_payload: 2MB\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	request := testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{Context: dir, Repo: "custsync-integration"}}
	image, err := docker.BuildImage(t.Context(), &request)
	if err != nil {
		t.Fatalf("build the image: %v", err)
	}
	t.Cleanup(func() {
		if _, err := docker.Client().ImageRemove(context.Background(), image, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Errorf("remove the image: %v", err)
		}
	})
	return image
}

// network makes a private network that goes with the test.
func (e *engine) network(t *testing.T) *testcontainers.DockerNetwork {
	n, err := network.New(t.Context())
	if err != nil {
		t.Fatalf("make a network: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Remove(context.Background()); err != nil {
			t.Errorf("remove the network: %v", err)
		}
	})
	return n
}

// box is a container.
type box struct {
	name   string
	engine *engine
	*testcontainers.DockerContainer
}

// run starts a container that goes with the test. What it wrote is told if the
// test fails.
func (e *engine) run(t *testing.T, name string, opts ...testcontainers.ContainerCustomizer) *box {
	t.Helper()
	opts = append(opts, testcontainers.WithLogger(log.TestLogger(t)))
	c, err := testcontainers.Run(t.Context(), e.image, opts...)
	b := &box{name, e, c}
	t.Cleanup(func() { b.remove(t) })
	if err != nil {
		t.Fatalf("run %s: %v", name, err)
	}
	return b
}

func (b *box) remove(t *testing.T) {
	if b.DockerContainer == nil {
		return
	}
	ctx := context.Background()
	if t.Failed() {
		b.tell(ctx, t)
	}
	if err := b.Terminate(ctx, testcontainers.StopTimeout(0)); err != nil {
		t.Errorf("remove %s: %v", b.name, err)
	}
}

// tell logs what the container wrote.
func (b *box) tell(ctx context.Context, t *testing.T) {
	r, err := b.Logs(ctx)
	if err != nil {
		t.Logf("%s: no log: %v", b.name, err)
		return
	}
	defer r.Close()
	text := make([]byte, 0, 64<<10)
	for chunk := make([]byte, 4<<10); len(text) < cap(text); {
		n, err := r.Read(chunk)
		text = append(text, chunk[:n]...)
		if err != nil {
			break
		}
	}
	t.Logf("%s wrote:\n%s", b.name, text)
}

// kill ends the container's process with SIGKILL; its disk stays.
func (b *box) kill(ctx context.Context) error {
	_, err := b.engine.docker.Client().ContainerKill(ctx, b.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return err
}

// cut takes the container off a network.
func (b *box) cut(ctx context.Context, n *testcontainers.DockerNetwork) error {
	_, err := b.engine.docker.Client().NetworkDisconnect(ctx, n.ID, client.NetworkDisconnectOptions{Container: b.GetContainerID(), Force: true})
	return err
}

// join brings it back.
func (b *box) join(ctx context.Context, n *testcontainers.DockerNetwork) error {
	_, err := b.engine.docker.Client().NetworkConnect(ctx, n.ID, client.NetworkConnectOptions{Container: b.GetContainerID()})
	return err
}

// address is where the test reaches a port of the container. A restart changes
// it. Which host is right depends on whether the test runs in a container itself,
// and that can't be told for sure from inside: so it is tried.
func (b *box) address(ctx context.Context, port string) (string, error) {
	mapped, err := b.MappedPort(ctx, port)
	if err != nil {
		return "", err
	}
	hosts := []string{"127.0.0.1"}
	if host, err := b.engine.docker.DaemonHost(ctx); err == nil {
		hosts = append(hosts, host)
	}
	var last error
	for _, host := range hosts {
		address := net.JoinHostPort(host, mapped.Port())
		var dialer net.Dialer
		brief, cancel := context.WithTimeout(ctx, time.Second)
		conn, err := dialer.DialContext(brief, "tcp", address)
		cancel()
		if err == nil {
			conn.Close()
			return address, nil
		}
		last = err
	}
	return "", fmt.Errorf("port %s of %s: %w", port, b.name, last)
}
