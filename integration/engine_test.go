package integration

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	apinetwork "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
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
		"Dockerfile": "FROM scratch\nCOPY worker standin nats-server nats.conf cluster.conf /\n",
		// What is acknowledged is on the disk, as promise 1 asks of outside servers.
		"nats.conf":    natsConf,
		"cluster.conf": natsConf + clusterConf,
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

const natsConf = "jetstream {store_dir: /data, sync_interval: always}\nmax_payload: 2MB\n"

// lane is a private network.
type lane struct{ name, id string }

// lane makes a private network that goes with the test. Which of a container's
// lanes its ports are reached by is decided by the lanes' names, so that the one
// that is never cut has to be the first.
func (e *engine) lane(t *testing.T, name string) *lane {
	t.Helper()
	name = fmt.Sprintf("custsync-%s-%08x", name, rand.Uint32())
	made, err := e.docker.Client().NetworkCreate(t.Context(), name, client.NetworkCreateOptions{Driver: "bridge"})
	if err != nil {
		t.Fatalf("make a network: %v", err)
	}
	t.Cleanup(func() {
		if _, err := e.docker.Client().NetworkRemove(context.Background(), made.ID, client.NetworkRemoveOptions{}); err != nil {
			t.Errorf("remove the network: %v", err)
		}
	})
	return &lane{name, made.ID}
}

// on puts a container on a lane, where others find it by the alias.
func on(l *lane, alias ...string) testcontainers.CustomizeRequestOption {
	return network.WithNetworkName(alias, l.name)
}

// box is a container.
type box struct {
	name   string
	engine *engine
	*testcontainers.DockerContainer
	lost bool // it is removed already
}

// run starts a container that goes with the test. What it wrote is told if the
// test fails.
func (e *engine) run(t *testing.T, name string, opts ...testcontainers.ContainerCustomizer) *box {
	t.Helper()
	opts = append(opts, testcontainers.WithLogger(log.TestLogger(t)))
	c, err := testcontainers.Run(t.Context(), e.image, opts...)
	b := &box{name: name, engine: e, DockerContainer: c}
	t.Cleanup(func() { b.remove(t) })
	if err != nil {
		t.Fatalf("run %s: %v", name, err)
	}
	return b
}

func (b *box) remove(t *testing.T) {
	if b.DockerContainer == nil || b.lost {
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
	text := make([]byte, 0, 1<<20)
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
func (b *box) kill(ctx context.Context) error { return b.signal(ctx, "KILL") }

// lose removes the container and its disk.
func (b *box) lose(ctx context.Context) error {
	b.lost = true
	return b.Terminate(ctx, testcontainers.StopTimeout(0))
}

// signal sends the container's process a signal, such as STOP.
func (b *box) signal(ctx context.Context, name string) error {
	_, err := b.engine.docker.Client().ContainerKill(ctx, b.GetContainerID(), client.ContainerKillOptions{Signal: name})
	return err
}

// end asks the container's process to end, and waits until it has. It is asked
// again after a while: a container's first process, when it has only just begun
// and listens to no signals yet, never hears of one.
func (b *box) end(ctx context.Context) error {
	const heard = 20 * time.Second
	var asked time.Time
	return eventually(ctx, func(ctx context.Context) error {
		state, err := b.State(ctx)
		if err != nil || !state.Running {
			return err
		}
		if time.Since(asked) > heard {
			asked = time.Now()
			if err := b.signal(ctx, "TERM"); err != nil {
				return err
			}
		}
		return fmt.Errorf("%s runs still", b.name)
	})
}

// output runs a program in the container and returns what it wrote and how it
// ended.
func (b *box) output(ctx context.Context, program ...string) (stdout string, code int, err error) {
	code, r, err := b.Exec(ctx, program, tcexec.Multiplexed())
	if err != nil {
		return "", 0, fmt.Errorf("run %s in %s: %w", program[0], b.name, err)
	}
	text, err := io.ReadAll(r)
	return string(text), code, err
}

// cut takes the container off a lane.
func (b *box) cut(ctx context.Context, l *lane) error {
	_, err := b.engine.docker.Client().NetworkDisconnect(ctx, l.id, client.NetworkDisconnectOptions{Container: b.GetContainerID(), Force: true})
	return err
}

// join brings it back, under the aliases that it had.
func (b *box) join(ctx context.Context, l *lane, alias ...string) error {
	_, err := b.engine.docker.Client().NetworkConnect(ctx, l.id, client.NetworkConnectOptions{
		Container: b.GetContainerID(), EndpointConfig: &apinetwork.EndpointSettings{Aliases: alias},
	})
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
