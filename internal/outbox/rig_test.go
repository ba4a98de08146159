package outbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/internal/outbox/pgtest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

var cluster pgtest.Cluster

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.Stop()
	os.Exit(code)
}

// rig is a shop's database, prepared, and a NATS server with the streams.
type rig struct {
	t    testing.TB
	dsn  string
	db   *pgx.Conn
	nats *natstest.Server
	logs *lockedBuilder
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, dsn: cluster.Database(t), nats: natstest.Start(t), logs: &lockedBuilder{}}
	if err := Migrate(t.Context(), r.config()); err != nil {
		t.Fatal(err)
	}
	r.db = r.connect()
	r.exec(r.db, example(t))
	streams, err := stream.Open(t.Context(), r.nats.Connect(), stream.Config{History: 1000})
	if err != nil {
		t.Fatal(err)
	}
	streams.Close()
	return r
}

func example(t testing.TB) string {
	t.Helper()
	sql, err := os.ReadFile(filepath.Join("..", "..", "examples", "outbox", "customers.sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(sql)
}

func (r *rig) config() *pgx.ConnConfig {
	r.t.Helper()
	config, err := ParseDSN(r.dsn)
	if err != nil {
		r.t.Fatal(err)
	}
	return config
}

func (r *rig) connect() *pgx.Conn {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.dsn)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (r *rig) exec(conn *pgx.Conn, sql string, args ...any) {
	r.t.Helper()
	if _, err := conn.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// one asks for a single number.
func (r *rig) one(sql string) (n int64) {
	r.t.Helper()
	if err := r.db.QueryRow(r.t.Context(), sql).Scan(&n); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// relay makes a relay with a connection of its own.
func (r *rig) relay(url string) *Relay {
	nc := natstest.Connect(r.t, url)
	return &Relay{
		Database: r.config(), Publisher: &events.Publisher{Conn: nc, Timeout: time.Second}, Connected: nc.IsConnected,
		Log: zerolog.New(r.logs), Poll: 50 * time.Millisecond,
	}
}

// run runs a relay until the test or stop ends it.
func (r *rig) run(relay *Relay) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Error(err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// until waits for a condition.
func (r *rig) until(what string, is func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain until %s\n%s", what, r.logs)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (r *rig) drained() {
	r.t.Helper()
	r.until("the outbox is empty", func() bool { return r.one("SELECT count(*) FROM custsync_outbox") == 0 })
}

// stored are the events in the stream, in its order.
func (r *rig) stored() []events.Event {
	r.t.Helper()
	nc := r.nats.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := js.Stream(r.t.Context(), stream.Customers)
	if err != nil {
		r.t.Fatal(err)
	}
	n := s.CachedInfo().State.Msgs
	if n == 0 {
		return nil
	}
	consumer, err := js.OrderedConsumer(r.t.Context(), stream.Customers, jetstream.OrderedConsumerConfig{FilterSubjects: []string{"customers.*.*.*"}})
	if err != nil {
		r.t.Fatal(err)
	}
	var list []events.Event
	for uint64(len(list)) < n {
		batch, err := consumer.Fetch(int(n)-len(list), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			r.t.Fatal(err)
		}
		before := len(list)
		for msg := range batch.Messages() {
			tokens := strings.Split(msg.Subject(), ".")
			var ev events.Event
			if err := events.Decode(msg.Data(), tokens[2], tokens[3], time.Now(), &ev); err != nil {
				r.t.Fatal(err)
			}
			list = append(list, ev)
		}
		if len(list) == before {
			r.t.Fatalf("read %d of %d events: %v", len(list), n, batch.Error())
		}
	}
	return list
}

func (r *rig) texts() []string {
	var list []string
	for _, ev := range r.stored() {
		list = append(list, fmt.Sprintf("%s %s", ev.Type, ev.Data))
	}
	return list
}

func subscribe(t testing.TB, nc *nats.Conn) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync("customers.*.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	return sub
}
