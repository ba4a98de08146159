package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custsync/custsync/internal/outbox/pgtest"
)

func (r *Relay) isActive() bool { r.init(); return r.metrics.isActive.Load() }

// Of several relays one publishes; when it goes, another one does.
func TestOneIsActive(t *testing.T) {
	r := newRig(t)
	first, second := r.relay(r.nats.URL), r.relay(r.nats.URL)
	stop := r.run(first)
	r.until("the first is active", first.isActive)
	r.run(second)
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(1, 500)")
	r.drained()
	if second.isActive() {
		t.Error("both are active")
	}
	stop()
	r.until("the second is active", second.isActive)
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(501, 1000)")
	r.drained()
	if got := len(r.stored()); got != 1000 {
		t.Errorf("%d events are stored, want 1000", got)
	}
}

// A relay whose session is gone without its knowing publishes nothing any more,
// and another one is active at once.
func TestLostSession(t *testing.T) {
	r := newRig(t)
	first, second := r.relay(r.nats.URL), r.relay(r.nats.URL)
	r.run(first)
	r.until("the first is active", first.isActive)
	r.run(second)
	r.exec(r.db, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	r.until("one is active again", func() bool { return first.isActive() != second.isActive() })
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(1, 100)")
	r.drained()
	if got := len(r.stored()); got != 100 {
		t.Errorf("%d events are stored, want 100", got)
	}
}

// A relay that has not heard of the database in time sends nothing.
func TestStaleRelaySendsNothing(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, "INSERT INTO customers (id) VALUES (1)")
	relay := r.relay(r.nats.URL)
	relay.init()
	s, err := relay.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	rows, _, err := s.fetch(t.Context())
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	s.start = s.start.Add(-fresh - time.Second) // as a process that stood still sees it
	failed, err := s.send(t.Context(), rows)
	if err != nil || !errors.Is(failed, errStale) || len(r.stored()) != 0 {
		t.Errorf("got %v, %v and %d events", failed, err, len(r.stored()))
	}
}

// While the connection to NATS is cut again and again, and what was on its way is
// lost or stored unheard: every row is stored, and none of a customer's before an
// earlier one.
func TestConnectionIsCut(t *testing.T) {
	r := newRig(t)
	const customers, changes = 40, 100
	r.exec(r.db, `INSERT INTO customers (id) SELECT generate_series(1, $1::int)`, customers)
	r.exec(r.db, fmt.Sprintf("DO $$ BEGIN FOR i IN 1..%d LOOP UPDATE customers SET total_spent = i; END LOOP; END $$", changes))
	relay := r.relay("nats://" + cutAgainAndAgain(t, r.nats.Address()))
	r.run(relay)
	r.drained()
	spent := make(map[string]float64)
	for _, ev := range r.stored() {
		c := &ev.Customer
		if before, seen := spent[c.ID]; seen && c.TotalSpent.V != before+1 {
			t.Errorf("customer %s: %v comes after %v", c.ID, c.TotalSpent.V, before)
		}
		spent[c.ID] = c.TotalSpent.V
	}
	for id, got := range spent {
		if got != changes || len(spent) != customers {
			t.Errorf("customer %s ends with %v, of %d", id, got, len(spent))
		}
	}
}

// cutAgainAndAgain is a way to a server that ends after some bytes of answers, a
// few times, and loses what comes after them.
func cutAgainAndAgain(t *testing.T, server string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for n := 0; ; n++ {
			client, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			t.Cleanup(func() { client.Close(); there.Close() })
			wg.Go(func() { io.Copy(there, client); there.Close() })
			wg.Go(func() {
				if n < 8 {
					io.CopyN(client, there, 4000+1000*int64(n))
				} else {
					io.Copy(client, there)
				}
				client.Close()
				there.Close()
			})
		}
	})
	return l.Addr().String()
}

// A relay without NATS lets another one be active.
func TestRelayWithoutNATSStandsBack(t *testing.T) {
	r := newRig(t)
	first, second := r.relay(r.nats.URL), r.relay(r.nats.URL)
	first.Connected = func() bool { return false }
	r.run(first)
	r.run(second)
	r.until("the second is active", second.isActive)
	r.exec(r.db, "INSERT INTO customers (id) VALUES (1)")
	r.drained()
}

// A relay whose way to NATS breaks with rows in hand gives way to one that has
// another; what it sent and never heard of is stored once.
func TestWayToNATSBreaks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answers := make(chan net.Conn, 1)
	go func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("tcp", r.nats.Address())
		if err != nil {
			return
		}
		answers <- client
		go io.Copy(there, client)
		io.Copy(client, there)
		there.Close()
	}()
	first, second := r.relay("nats://"+l.Addr().String()), r.relay(r.nats.URL)
	r.run(first)
	r.until("the first is active", first.isActive)
	r.run(second)
	l.Close()
	(<-answers).Close()
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(1, 100)")
	r.until("the second is active", second.isActive)
	r.drained()
	if got := len(r.stored()); got != 100 || first.isActive() {
		t.Errorf("%d events are stored, want 100; the first is active: %t", got, first.isActive())
	}
}

// A pool that gives each statement another session would give the lock to all.
func TestPoolIsToldOf(t *testing.T) {
	r := newRig(t)
	relay := r.relay(r.nats.URL)
	relay.init()
	s, err := relay.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	other := r.connect()
	defer func(own *pgx.Conn) { s.conn = own }(s.conn)
	s.conn = other // as a pool does it, behind the client's back
	if _, err := s.lock(t.Context()); !errors.Is(err, errPooled) {
		t.Errorf("got %v", err)
	}
	if err := s.ping(t.Context()); !errors.Is(err, errPooled) {
		t.Errorf("got %v", err)
	}
}

// What stops a relay from starting says what to do, and never the password.
func TestMistakes(t *testing.T) {
	r := newRig(t)
	bare := cluster.Database(t)
	for _, test := range []struct{ dsn, want string }{
		{bare, "run publisher outbox migrate"},
		{strings.Replace(r.dsn, pgtest.Password, "wrong-s3cret", 1), "password authentication failed"},
		{strings.Replace(r.dsn, "/shop", "/none", 1), "does not exist"},
		{"postgres://postgres:" + pgtest.Password + "@127.0.0.1:1/shop", "connect to PostgreSQL at 127.0.0.1"},
		{"postgres://postgres:" + pgtest.Password + "@127.0.0.1:port/shop", "want a DSN"},
		{"postgres://postgres:" + pgtest.Password + "%zz@127.0.0.1/shop", "want a DSN"},
		{"host=127.0.0.1 password='" + pgtest.Password + " sslmode=", "want a DSN"},
	} {
		config, err := ParseDSN(test.dsn)
		if err == nil {
			relay := r.relay(r.nats.URL)
			relay.Database = config
			err = relay.Run(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if logs := r.logs.String(); strings.Contains(logs, "s3cret") {
		t.Errorf("the log says %s", logs)
	}
}

// The migration may be applied again, by several at once, and changes nothing.
func TestMigrateAgain(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, "INSERT INTO customers (id) VALUES (1)")
	done := make(chan error)
	for range 4 {
		go func() { done <- Migrate(context.WithoutCancel(t.Context()), r.config()) }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := r.one("SELECT count(*) FROM custsync_outbox"); got != 1 {
		t.Errorf("%d rows", got)
	}
}

// How fast a backlog is published, beside a transaction that keeps the database
// from forgetting what was deleted, and without.
func BenchmarkRelay(b *testing.B) {
	for _, long := range []bool{false, true} {
		b.Run(fmt.Sprintf("long=%t", long), func(b *testing.B) {
			const rows = 100_000
			for range b.N {
				b.StopTimer()
				r := newRig(b)
				if long {
					holder := r.connect()
					r.exec(holder, "BEGIN; INSERT INTO customers (id) VALUES (0)")
				}
				began := time.Now()
				r.exec(r.db, "INSERT INTO customers (id, email, first_name) SELECT n, n || '@example.com', 'Olga' FROM generate_series(1, $1::int) n", rows)
				b.ReportMetric(rows/time.Since(began).Seconds(), "written/s")
				b.StartTimer()
				began = time.Now()
				stop := r.run(r.relay(r.nats.URL))
				r.drained()
				b.ReportMetric(rows/time.Since(began).Seconds(), "published/s")
				stop()
			}
		})
	}
}

// Asked to stop in the middle, it takes out what it stored: nothing is sent twice.
func TestStopsInTheMiddle(t *testing.T) {
	r := newRig(t)
	sub := subscribe(t, r.nats.Connect())
	const rows = 5000
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(1, $1::int)", rows)
	left := int64(rows)
	for stops := 0; left > 0 && stops < 100; stops++ {
		relay := r.relay(r.nats.URL)
		relay.Batch = 1000
		stop := r.run(relay)
		r.until("it is in the middle", func() bool {
			n, _, err := sub.Pending()
			return err != nil || int64(n) > rows-left+500 || n == rows
		})
		stop()
		left = r.one("SELECT count(*) FROM custsync_outbox")
	}
	if n, _, err := sub.Pending(); err != nil || n != rows || left > 0 {
		t.Errorf("%d were sent for %d rows of which %d are left, %v", n, rows, left, err)
	}
}
