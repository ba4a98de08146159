package events_test

import (
	"cmp"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// startServer runs a NATS server with JetStream on a port of its own, or on the
// one given.
func startServer(t *testing.T, folder string, port int) *server.Server {
	t.Helper()
	return startServerWith(t, &server.Options{Port: port, StoreDir: folder})
}

// startServerWith is startServer with further options.
func startServerWith(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.JetStream, o.NoSigs, o.NoLog = "127.0.0.1", true, true, true
	o.Port, o.StoreDir = cmp.Or(o.Port, -1), cmp.Or(o.StoreDir, t.TempDir())
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stopServer(s) })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("server is not ready")
	}
	return s
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// createStream makes the stream as a worker does.
func createStream(t *testing.T, nc *nats.Conn) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(context.Background(), jetstream.StreamConfig{
		Name: "CUSTOMERS", Subjects: []string{"customers.*.*"}, MaxMsgsPerSubject: 4, Duplicates: 2 * time.Minute,
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: "customers.*.*", Destination: "customers.{{partition(32,1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func stored(t *testing.T, stream jetstream.Stream, seq uint64) *jetstream.RawStreamMsg {
	t.Helper()
	msg, err := stream.GetMsg(context.Background(), seq)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func count(t *testing.T, stream jetstream.Stream) uint64 {
	t.Helper()
	info, err := stream.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.LastSeq
}

// mute is a connection to a server on which answers can be made to get lost.
type mute struct {
	listener net.Listener
	lose     atomic.Bool
	wg       sync.WaitGroup
}

func startMute(t *testing.T, address string) *mute {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mute{listener: listener}
	m.wg.Go(func() { m.accept(address) })
	t.Cleanup(m.wg.Wait)
	t.Cleanup(func() { listener.Close() })
	return m
}

func (m *mute) accept(address string) {
	for {
		client, err := m.listener.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			client.Close()
			continue
		}
		m.wg.Go(func() {
			io.Copy(upstream, client) //nolint:errcheck // ends when either side closes
			upstream.Close()
		})
		m.wg.Go(func() {
			defer client.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := upstream.Read(buf)
				if n > 0 && !m.lose.Load() {
					client.Write(buf[:n]) //nolint:errcheck // as above
				}
				if err != nil {
					return
				}
			}
		})
	}
}
