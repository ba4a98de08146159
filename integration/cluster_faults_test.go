package integration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
)

// TestCluster takes away what a cluster of three nodes can do without, while
// customers change. Every time all customers end at their newest version at every
// provider; nobody is there twice, and no version ever went back.
func TestCluster(t *testing.T) {
	// Workers begin while the nodes still elect who leads: they wait.
	c := newCluster(t, openEngine(t))
	c.start(clusterConfig)
	nc := c.connect()
	s := &step{cluster: c, nc: nc, publisher: newPublisher(nc)}
	s.publish()
	s.awaitInStep()
	for _, fault := range []struct {
		name string
		do   func(*step)
	}{
		{"a worker changes from node to node", (*step).workerMoves},
		{"the node that leads is killed", (*step).leaderDies},
		{"the node that leads is cut off from the others", (*step).leaderIsCutOff},
		{"the node that leads stands still", (*step).leaderFreezes},
		{"the node that leads is lost with its disk", (*step).diskIsLost},
		{"all nodes are started anew, one after another", (*step).rollingRestart},
		{"all nodes are killed at once", (*step).allDie},
	} {
		ok := t.Run(fault.name, func(t *testing.T) {
			c.t = t
			s.slow(true)
			s.publish()
			fault.do(s)
			s.slow(false)
			s.publish()
			s.awaitInStep()
			c.awaitReady()
		})
		if c.t = t; !ok {
			return // what follows would only say so again
		}
	}
	// What the providers hold is told to the ledger a little later.
	c.must(eventually(t.Context(), func(ctx context.Context) error {
		a, err := c.audit(ctx)
		if err == nil && (a.Customers != clusterCustomers || a.InStep != 2*clusterCustomers) {
			err = fmt.Errorf("got audit %+v, want all %d customers in step twice", a, clusterCustomers)
		}
		return err
	}))
}

const clusterCustomers = 200

var clusterConfig = `
nats: {url: "` + nodeURLs() + `"}
stream: {replicas: 3}
http: {listen: ":8080", token: unguessed}
workers: {grace: 5s}
destinations:
  - name: thulium-pl
    provider: thulium
    url: http://standins:9000/thulium
    auth: {username: api, password: secret}
    map: {custom_fields.version: customer.version}
    timeout: 5s
    batch: {max_rows: 20, linger: 20ms}
    retry: {max: 2s}
  - name: shop-ua
    provider: cartum
    url: http://standins:9000/cartum
    auth: {login: api, password: secret}
    map: {note: string(customer.version)}
    timeout: 5s
    batch: {max_rows: 20, linger: 20ms}
    retry: {max: 2s}
`

// step is a cluster whose customers are at a version.
type step struct {
	*cluster
	nc        *nats.Conn
	publisher *events.Publisher
	version   int64
}

// publish has a shop change all customers.
func (s *step) publish() {
	s.t.Helper()
	s.version++
	const writers = 8
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < clusterCustomers && errs[w] == nil; i += writers {
				_, errs[w] = s.publisher.Publish(s.t.Context(), "acme", aCustomer(i, s.version))
			}
		})
	}
	wg.Wait()
	s.must(errors.Join(errs...))
}

// newPublisher publishes however long that takes, as a shop does: a node that
// knows of no stream may be cut off from those that do, so it asks another one.
func newPublisher(nc *nats.Conn) *events.Publisher {
	return &events.Publisher{Conn: nc, Timeout: 2 * time.Second, Patience: time.Hour, Elsewhere: func() {
		_ = nc.ForceReconnect() // which fails only once the test has closed it
	}}
}

// aCustomer is one whom every provider takes.
func aCustomer(i int, version int64) events.Customer {
	id := fmt.Sprintf("c%05d", i)
	return events.Customer{
		ID: id, Version: events.Some(version),
		Email: events.Some(id + "@example.com"), Phone: events.Some(fmt.Sprintf("+48555%06d", i)),
		FirstName: events.Some("Ada"), LastName: events.Some("Test"), FullName: events.Some("Ada Test"),
		Company: events.Some(fmt.Sprint("Version ", version)), IP: events.Some("203.0.113.7"),
	}
}

func (s *step) slow(slow bool) {
	s.t.Helper()
	faults := ""
	if slow {
		faults = `[{"kind":"slow","delay":"200ms"}]`
	}
	for _, name := range []string{"thulium", "cartum"} {
		s.must(eventually(s.t.Context(), func(ctx context.Context) error {
			p, err := s.provider(ctx, name)
			if err == nil {
				err = p.fail(ctx, faults)
			}
			return err
		}))
	}
}

func (s *step) awaitInStep() {
	s.t.Helper()
	for _, name := range []string{"thulium", "cartum"} {
		p, err := s.provider(s.t.Context(), name)
		s.must(err)
		if err := p.awaitInStep(s.t.Context(), clusterCustomers, s.version); err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
	}
}

// leads is the node that leads the customers' stream.
func (s *step) leads() *box {
	s.t.Helper()
	var node *box
	s.must(eventually(s.t.Context(), func(ctx context.Context) error {
		i, err := s.leader(ctx, s.nc, "CUSTOMERS")
		node = s.nodes[i]
		return err
	}))
	return node
}

// A worker that is cut off from its node finds another one. It is alone, so that
// nobody does its work.
func (s *step) workerMoves() {
	ctx, w := s.t.Context(), s.workers[0]
	for _, other := range s.workers[1:] {
		s.must(other.end(ctx))
	}
	for only := range nodes {
		for i, bus := range s.buses {
			if i != only {
				s.must(w.cut(ctx, bus))
			}
		}
		s.publish()
		s.awaitInStep()
		for i, bus := range s.buses {
			if i != only {
				s.must(w.join(ctx, bus))
			}
		}
	}
	for _, other := range s.workers[1:] {
		s.must(other.Start(ctx))
	}
}

func (s *step) leaderDies() {
	node := s.leads()
	s.must(node.kill(s.t.Context()))
	s.publish() // the others go on
	s.awaitInStep()
	s.must(node.Start(s.t.Context()))
}

// Clients of a node that is cut off from the others still reach it, and it can do
// nothing for them.
func (s *step) leaderIsCutOff() {
	node := s.leads()
	s.must(node.cut(s.t.Context(), s.routes))
	s.publish()
	s.awaitInStep()
	s.must(node.join(s.t.Context(), s.routes, node.name))
}

func (s *step) leaderFreezes() {
	node := s.leads()
	s.must(node.signal(s.t.Context(), "STOP"))
	s.publish()
	s.awaitInStep()
	s.must(node.signal(s.t.Context(), "CONT"))
}

// What another node holds in its place is as good: it is needed when a second one
// is down.
func (s *step) diskIsLost() {
	ctx := s.t.Context()
	lost, err := s.leader(ctx, s.nc, "CUSTOMERS")
	s.must(err)
	s.must(s.nodes[lost].lose(ctx))
	s.publish()
	s.awaitInStep()
	s.startNode(lost)
	s.must(eventually(ctx, func(ctx context.Context) error { return s.healed(ctx, s.nc) }))
	other := s.nodes[(lost+1)%nodes]
	s.must(other.kill(ctx))
	s.publish()
	s.awaitInStep()
	s.must(other.Start(ctx))
}

func (s *step) rollingRestart() {
	for _, node := range s.nodes {
		s.must(node.end(s.t.Context()))
		s.publish()
		s.must(node.Start(s.t.Context()))
		s.leads()
	}
}

func (s *step) allDie() {
	for _, node := range s.nodes {
		s.must(node.kill(s.t.Context()))
	}
	for _, node := range s.nodes {
		s.must(node.Start(s.t.Context()))
	}
}
