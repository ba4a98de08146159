package stream

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/nats-io/nats.go"
)

// proxy stands between a client and the server, and cuts a connection after so
// many bytes from the server.
type proxy struct {
	listener net.Listener
	target   string
	after    int64

	mu    sync.Mutex
	open  map[net.Conn]bool
	cuts  int // how many are left
	ended sync.WaitGroup
}

func newProxy(t testing.TB, target string, after int64, cuts int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, after: after, cuts: cuts, open: map[net.Conn]bool{}}
	p.ended.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.ended.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		cut := p.cuts > 0
		p.mu.Unlock()
		p.ended.Go(func() { p.pass(server, client, 0) })
		limit := int64(0)
		if cut {
			limit = p.after
		}
		p.ended.Go(func() { p.pass(client, server, limit) })
	}
}

// pass copies until the end, or until the limit, and then closes both sides.
func (p *proxy) pass(to, from net.Conn, limit int64) {
	if limit > 0 {
		if n, _ := io.CopyN(to, from, limit); n == limit {
			p.mu.Lock()
			p.cuts--
			p.mu.Unlock()
		}
	} else {
		_, _ = io.Copy(to, from)
	}
	_ = to.Close()
	_ = from.Close()
}

func (p *proxy) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// However often the connection breaks in the middle of what it brings, every
// message is lent once, in order.
func TestFeedOverABreakingConnection(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("trunk ", shared), func(t *testing.T) {
			server, s := open(t, Config{Partitions: 2})
			place := lay(t, s, "d", 1)
			const n = 1500
			var want [2][]uint64
			for i := range n {
				c := fmt.Sprint("c", i)
				p := partitionOf(key(s, "acme", c))
				want[p] = append(want[p], publish(t, s, "acme", c, 1))
			}
			p := newProxy(t, server.Address(), 60<<10, 6)
			through := openAt(t, natstest.Connect(t, p.url()), Config{Partitions: 2})
			var trunk *Trunk
			if shared {
				trunk = through.NewTrunk("d")
			}
			var shard *Shard
			until(t, "the shard is open", func() bool {
				var err error
				shard, err = through.OpenShard(testContext(t), place, trunk)
				return err == nil
			})
			for p, messages := range lendAll(t, shard, n) {
				if got := seqs(messages); !slices.Equal(got, want[p]) {
					t.Errorf("partition %d: got %d sequences, want %d in order and each once", p, len(got), len(want[p]))
				}
			}
			if left := p.left(); left > 1 {
				t.Errorf("the connection broke %d times less than it should: the test tells little", left)
			}
		})
	}
}

// A message that the server delivered and that never arrived is lent all the
// same, and nothing is lent before it.
func TestFeedMissesNothing(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]int{"in the middle": 3, "at the end": 0} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{Partitions: 1})
			shard := openShard(t, s, lay(t, s, "d", 1))
			f := shard.Feeds[0].(*feed)
			want := []uint64{publish(t, s, "acme", "first", 1)}
			got := seqs(lend(t, f, 1))
			// Somebody else gets the next message: its pull waits before the feed's own.
			f.branch.own.open = 0
			inbox, err := s.nc.SubscribeSync(s.nc.NewInbox())
			if err != nil {
				t.Fatal(err)
			}
			steal(t, s, f.branch.own, inbox)
			want = append(want, publish(t, s, "acme", "stolen", 1))
			if _, err := inbox.NextMsg(deadline); err != nil {
				t.Fatal(err)
			}
			for i := range after {
				want = append(want, publish(t, s, "acme", fmt.Sprint("c", i), 1))
			}
			got = append(got, seqs(lend(t, f, len(want)-1))...)
			if !slices.Equal(got, want) {
				t.Errorf("got sequences %v, want %v", got, want)
			}
		})
	}
}

// steal takes the place of the feed's pull.
func steal(t testing.TB, s *Streams, r *reader, to *nats.Subscription) {
	t.Helper()
	// The pull that is open ends with its subscription.
	if err := r.sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	r.arrived = make(chan *nats.Msg, pullBatch)
	r.inbox = s.nc.NewInbox()
	sub, err := s.nc.ChanSubscribe(r.inbox+".*", r.arrived)
	if err != nil {
		t.Fatal(err)
	}
	r.sub = sub
	if err := s.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+r.stream+"."+r.consumer, to.Subject, []byte(`{"batch":1,"expires":20000000000}`)); err != nil {
		t.Fatal(err)
	}
}
