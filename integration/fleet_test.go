package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
)

// fleet is NATS and stand-ins, each on a network of its own, and workers on
// both: a worker may lose the one and keep the other.
type fleet struct {
	t        *testing.T
	engine   *engine
	bus      *lane // to NATS
	outside  *lane // to the providers
	nats     *box
	standins *box
}

const fleetConfig = `
nats: {url: "nats://nats:4222"}
http: {listen: ":8080", token: unguessed}
workers: {grace: 5s}
destinations:
  - name: thulium-pl
    provider: thulium
    url: http://standins:9000/thulium
    auth: {username: api, password: secret}
    map: {custom_fields.version: customer.version}
    timeout: 5s
    batch: {max_rows: 50, linger: 20ms}
    retry: {max: 2s}
  - name: shop-ua
    provider: cartum
    url: http://standins:9000/cartum
    auth: {login: api, password: secret}
    map: {note: string(customer.version)}
    timeout: 5s
    batch: {max_rows: 50, linger: 20ms}
    retry: {max: 2s}
`

// newFleet starts NATS and the stand-ins and waits until they answer.
func newFleet(t *testing.T, e *engine) *fleet {
	t.Helper()
	f := &fleet{t: t, engine: e, bus: e.lane(t, "bus"), outside: e.lane(t, "outside")}
	f.nats = e.run(t, "nats", on(f.bus, "nats"), testcontainers.WithExposedPorts("4222/tcp"),
		testcontainers.WithEntrypoint("/nats-server"), testcontainers.WithCmd("-c", "/nats.conf"))
	f.standins = e.run(t, "standins", on(f.outside, "standins"), testcontainers.WithExposedPorts("9000/tcp"),
		testcontainers.WithEntrypoint("/standin"), testcontainers.WithCmd("-listen", ":9000"))
	f.awaitNATS()
	f.must(eventually(t.Context(), func(ctx context.Context) error {
		address, err := f.standins.address(ctx, "9000/tcp")
		if err == nil {
			_, err = standin{"http://" + address + "/thulium"}.counters(ctx)
		}
		return err
	}))
	return f
}

func (f *fleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// awaitNATS waits until the server greets.
func (f *fleet) awaitNATS() {
	f.t.Helper()
	f.must(eventually(f.t.Context(), func(ctx context.Context) error {
		address, err := f.nats.address(ctx, "4222/tcp")
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		greeting := make([]byte, 4)
		if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "INFO" {
			return fmt.Errorf("nats does not greet: %q, %w", greeting, err)
		}
		return nil
	}))
}

// worker starts a worker and waits until it has its share of the shards.
func (f *fleet) worker(name string) *box {
	f.t.Helper()
	w := f.engine.run(f.t, name, on(f.bus), on(f.outside), testcontainers.WithExposedPorts("8080/tcp"),
		testcontainers.WithFiles(testcontainers.ContainerFile{Reader: strings.NewReader(fleetConfig), ContainerFilePath: "/worker.yaml", FileMode: 0o600}),
		testcontainers.WithEntrypoint("/worker"), testcontainers.WithCmd("run", "-c", "/worker.yaml"))
	f.awaitReady(w)
	return w
}

// awaitReady waits until a worker reaches NATS and has its share.
func (f *fleet) awaitReady(w *box) {
	f.t.Helper()
	f.must(eventually(f.t.Context(), func(ctx context.Context) error {
		address, err := w.address(ctx, "8080/tcp")
		if err != nil {
			return err
		}
		resp, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", w.name, body)
		}
		return nil
	}))
}

// provider is the stand-in of one.
func (f *fleet) provider(name string) standin {
	f.t.Helper()
	address, err := f.standins.address(f.t.Context(), "9000/tcp")
	f.must(err)
	return standin{"http://" + address + "/" + name}
}

// publish has a shop publish so many customers at one version.
func (f *fleet) publish(n int, version int64) {
	f.t.Helper()
	file := filepath.Join(f.t.TempDir(), "customers.ndjson")
	f.must(os.WriteFile(file, []byte(customers(n, version)), 0o600))
	address, err := f.nats.address(f.t.Context(), "4222/tcp")
	f.must(err)
	out, err := exec.CommandContext(f.t.Context(), filepath.Join(bin, "publisher"), "publish", "--nats", "nats://"+address, "--shop", "acme", file).CombinedOutput()
	if err != nil {
		f.t.Fatalf("publish: %v\n%s", err, out)
	}
}

// slow makes the providers slow, so that what happens next happens in the middle
// of calls, or as quick as they are.
func (f *fleet) slow(slow bool) {
	f.t.Helper()
	faults := ""
	if slow {
		faults = `[{"kind":"slow","delay":"200ms"}]`
	}
	for _, name := range []string{"thulium", "cartum"} {
		f.must(f.provider(name).fail(f.t.Context(), faults))
	}
}

// awaitRows waits until both providers were given some rows.
func (f *fleet) awaitRows() {
	f.t.Helper()
	for _, name := range []string{"thulium", "cartum"} {
		f.must(eventually(f.t.Context(), func(ctx context.Context) error {
			c, err := f.provider(name).counters(ctx)
			if err == nil && c.Rows == 0 {
				err = fmt.Errorf("%s was given no row", name)
			}
			return err
		}))
	}
}

// awaitInStep waits until both providers hold all customers at the version, once
// each, after a history without a step back.
func (f *fleet) awaitInStep(n int, version int64) {
	f.t.Helper()
	for _, name := range []string{"thulium", "cartum"} {
		if err := f.provider(name).awaitInStep(f.t.Context(), n, version); err != nil {
			f.t.Fatalf("%s: %v", name, err)
		}
	}
}
