package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/testcontainers/testcontainers-go"

	"github.com/custsync/custsync/internal/ops"
)

// cluster is three NATS nodes, three workers and the stand-ins of all providers.
// Any worker can be cut off from any one node, a node from the others, and a
// worker from the providers; the test itself reaches all of them always.
type cluster struct {
	t        *testing.T // the part of it that is under way
	whole    *testing.T // with which the cluster goes
	engine   *engine
	front    *lane        // to the test
	routes   *lane        // between the nodes
	buses    [nodes]*lane // to one node each
	outside  *lane        // to the providers
	nodes    [nodes]*box
	dialing  sync.Mutex // held where a node is replaced, and where connections look for one
	workers  [workers]*box
	standins *box
}

// tracePath is where the stand-ins write down their calls.
const tracePath = "/calls"

const (
	nodes   = 3
	workers = 3
)

// clusterConf is added to a node's configuration. Clients are told of no other
// addresses than those that they were given.
const clusterConf = `cluster {
  name: custsync, listen: "0.0.0.0:6222", no_advertise: true
  routes: ["nats://node-1:6222", "nats://node-2:6222", "nats://node-3:6222"]
}
`

func nodeName(i int) string { return "node-" + strconv.Itoa(i+1) }

// newCluster starts the nodes and the stand-ins. What the workers are to do is in
// the text of their destinations.
func newCluster(t *testing.T, e *engine) *cluster {
	t.Helper()
	c := &cluster{t: t, whole: t, engine: e, front: e.lane(t, "0-front"), routes: e.lane(t, "routes"), outside: e.lane(t, "outside")}
	for i := range c.nodes {
		c.buses[i] = e.lane(t, fmt.Sprint("bus-", i+1))
	}
	for i := range c.nodes {
		c.startNode(i)
	}
	c.standins = e.run(t, "standins", on(c.front), on(c.outside, "standins"), testcontainers.WithExposedPorts("9000/tcp"),
		testcontainers.WithEntrypoint("/standin"), testcontainers.WithCmd("-listen", ":9000", "-trace", tracePath))
	return c
}

// startNode starts a node with an empty disk.
func (c *cluster) startNode(i int) {
	c.t.Helper()
	node := c.engine.run(c.whole, nodeName(i), on(c.front), on(c.routes, nodeName(i)), on(c.buses[i], nodeName(i)),
		testcontainers.WithExposedPorts("4222/tcp"), testcontainers.WithEntrypoint("/nats-server"),
		testcontainers.WithCmd("-c", "/cluster.conf", "--name", nodeName(i)))
	c.dialing.Lock()
	defer c.dialing.Unlock()
	c.nodes[i] = node
}

// start starts the workers and waits until they share the shards.
func (c *cluster) start(config string) {
	c.t.Helper()
	for i := range c.workers {
		name := fmt.Sprint("worker-", i+1)
		c.workers[i] = c.engine.run(c.t, name, on(c.front), on(c.buses[0]), on(c.buses[1]), on(c.buses[2]), on(c.outside),
			testcontainers.WithExposedPorts("8080/tcp"),
			testcontainers.WithFiles(testcontainers.ContainerFile{Reader: strings.NewReader(config), ContainerFilePath: "/worker.yaml", FileMode: 0o600}),
			testcontainers.WithEntrypoint("/worker"), testcontainers.WithCmd("run", "-c", "/worker.yaml"))
	}
	c.awaitReady()
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// awaitReady waits until every worker reaches NATS and has its share.
func (c *cluster) awaitReady() {
	c.t.Helper()
	for _, w := range c.workers {
		c.must(eventually(c.t.Context(), w.ready))
	}
}

// ready is nil once a worker reaches NATS and has its share of the shards.
func (b *box) ready(ctx context.Context) error {
	address, err := b.address(ctx, "8080/tcp")
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", b.name, resp.Status)
	}
	return nil
}

// provider is the stand-in of one.
func (c *cluster) provider(ctx context.Context, name string) (standin, error) {
	address, err := c.standins.address(ctx, "9000/tcp")
	return standin{"http://" + address + "/" + name}, err
}

// connect connects the test as a shop's backend does: to any of the nodes, moving
// on from one that is silent.
func (c *cluster) connect() *nats.Conn {
	c.t.Helper()
	var nc *nats.Conn
	c.must(eventually(c.t.Context(), func(context.Context) (err error) {
		nc, err = nats.Connect(nodeURLs(), nats.SetCustomDialer(dialer{c}), nats.SkipHostLookup(), nats.MaxReconnects(-1),
			nats.ReconnectWait(200*time.Millisecond), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(2*time.Second),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.t.Log("the shop's connection: ", err) }))
		return err
	}))
	c.t.Cleanup(nc.Close)
	return nc
}

func nodeURLs() string {
	var urls []string
	for i := range nodes {
		urls = append(urls, "nats://"+nodeName(i)+":4222")
	}
	return strings.Join(urls, ",")
}

// dialer finds the nodes by the names that they have inside of the cluster: where
// the engine publishes their ports changes with every start.
type dialer struct{ c *cluster }

func (d dialer) Dial(proto, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.c.t.Context(), 2*time.Second)
	defer cancel()
	host, _, _ := net.SplitHostPort(address)
	d.c.dialing.Lock()
	all := d.c.nodes
	d.c.dialing.Unlock()
	for i, node := range all {
		if host != nodeName(i) {
			continue
		}
		mapped, err := node.address(ctx, "4222/tcp")
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, proto, mapped)
	}
	return nil, fmt.Errorf("there is no node %s", host)
}

// peers are the nodes of a stream as its leader sees them.
type peers struct {
	Leader   string `json:"leader"`
	Replicas []struct {
		Name    string `json:"name"`
		Current bool   `json:"current"`
	} `json:"replicas"`
}

func (c *cluster) peers(ctx context.Context, nc *nats.Conn, stream string) (peers, error) {
	m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, nil)
	if err != nil {
		return peers{}, err
	}
	var info struct {
		Cluster peers `json:"cluster"`
	}
	err = json.Unmarshal(m.Data, &info)
	return info.Cluster, err
}

// leader tells which node leads a stream.
func (c *cluster) leader(ctx context.Context, nc *nats.Conn, stream string) (int, error) {
	p, err := c.peers(ctx, nc, stream)
	if err != nil {
		return 0, err
	}
	for i := range c.nodes {
		if nodeName(i) == p.Leader {
			return i, nil
		}
	}
	return 0, fmt.Errorf("stream %s has no leader", stream)
}

// healed tells which stream lacks a node that is up to date.
func (c *cluster) healed(ctx context.Context, nc *nats.Conn) error {
	for _, stream := range []string{"CUSTOMERS", "DEADLETTERS", "WAKEUPS", "KV_LEDGER", "KV_WORKERS", "ACTIONS"} {
		p, err := c.peers(ctx, nc, stream)
		if err != nil {
			return err
		}
		current := 0
		for _, r := range p.Replicas {
			if r.Current {
				current++
			}
		}
		if current < nodes-1 {
			return fmt.Errorf("stream %s: got %+v, want all current", stream, p)
		}
	}
	return nil
}

// calls are those of a provider in which a text occurs, in order.
func (c *cluster) calls(ctx context.Context, provider, text string) (string, error) {
	r, err := c.standins.CopyFileFromContainer(ctx, tracePath)
	if err != nil {
		return "", err
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	var found strings.Builder
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, " /"+provider+"/") && strings.Contains(line, text) {
			found.WriteString(line)
		}
	}
	return found.String(), err
}

// audit asks a worker's binary for the account of all customers.
func (c *cluster) audit(ctx context.Context) (*ops.Audit, error) {
	out, _, err := c.workers[0].output(ctx, "/worker", "audit", "-c", "/worker.yaml", "-o", "json")
	if err != nil {
		return nil, err
	}
	a := new(ops.Audit)
	if err := json.NewDecoder(strings.NewReader(out)).Decode(a); err != nil {
		return nil, errors.Join(err, errors.New(out))
	}
	return a, nil
}
