package outbox

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/custsync/custsync/internal/outbox/pgtest"
	"github.com/custsync/custsync/pkg/events"
)

// The example's triggers write whole customers, whichever of its tables changes.
func TestTriggersWriteWholeCustomers(t *testing.T) {
	r := newRig(t)
	r.run(r.relay(r.nats.URL))
	for _, sql := range []string{
		"INSERT INTO customers (id, email, first_name, registered_at) VALUES (7, 'olga@example.com', 'Olga', '2026-01-02 03:04:05+00')",
		"UPDATE customers SET email = NULL, total_spent = 12.5, newsletter = true WHERE id = 7",
		"INSERT INTO addresses VALUES (7, 'Long St', '01-234', 'Kyiv', 'UA')",
		"UPDATE customers SET id = 8 WHERE false",
		"BEGIN; UPDATE customers SET vip = true WHERE id = 7; ROLLBACK",
		"DELETE FROM customers WHERE id = 7",
	} {
		r.exec(r.db, sql)
		r.drained()
	}
	got := strings.Join(r.texts(), "\n")
	const want = `customer.changed.v1 {"id": "7", "vip": false, "email": "olga@example.com", "phone": null, "address": null, "consents": {"email": false}, "last_name": null, "birth_date": null, "first_name": "Olga", "total_spent": 0.00, "registered_at": "2026-01-02T03:04:05Z"}
customer.changed.v1 {"id": "7", "vip": false, "email": null, "phone": null, "address": null, "consents": {"email": true}, "last_name": null, "birth_date": null, "first_name": "Olga", "total_spent": 12.50, "registered_at": "2026-01-02T03:04:05Z"}
customer.changed.v1 {"id": "7", "vip": false, "email": null, "phone": null, "address": {"city": "Kyiv", "street": "Long St", "country": "UA", "postcode": "01-234"}, "consents": {"email": true}, "last_name": null, "birth_date": null, "first_name": "Olga", "total_spent": 12.50, "registered_at": "2026-01-02T03:04:05Z"}
customer.deleted.v1 {"id":"7"}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A transaction that runs for long holds up nobody else, and what it wrote is
// published when it ends, although others' ids are higher and gone already.
func TestLongTransaction(t *testing.T) {
	r := newRig(t)
	long := r.connect()
	r.exec(long, "BEGIN; INSERT INTO customers (id) VALUES (1)")
	stop := r.run(r.relay(r.nats.URL))
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(2, 3000)")
	r.drained()
	if got := len(r.stored()); got != 2999 {
		t.Fatalf("%d events are stored beside the long transaction, want 2999", got)
	}
	stop()
	r.run(r.relay(r.nats.URL)) // one that has seen nothing of the past
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(3001, 3100)")
	r.exec(long, "COMMIT")
	r.drained()
	list := r.stored()
	if len(list) != 3100 {
		t.Errorf("%d events are stored, want 3100", len(list))
	}
}

// A transaction that took its transaction id first may commit a customer's change
// last: the order of transaction ids is not that of commits.
func TestOrderIsThatOfCommits(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, "INSERT INTO customers (id, first_name) VALUES (1, 'none'), (2, 'none')")
	older, oldest := r.connect(), r.connect()
	r.exec(oldest, "BEGIN; INSERT INTO customers (id) VALUES (99)") // holds every horizon back
	r.exec(older, "BEGIN; UPDATE customers SET first_name = 'x' WHERE id = 2")
	r.exec(r.db, "UPDATE customers SET first_name = 'early' WHERE id = 1")
	r.exec(older, "UPDATE customers SET first_name = 'late' WHERE id = 1; COMMIT")
	r.run(r.relay(r.nats.URL))
	r.drained()
	r.exec(oldest, "COMMIT")
	r.drained()
	var names []string
	var version int64
	for _, ev := range r.stored() {
		if ev.Customer.ID == "1" {
			names = append(names, ev.Customer.FirstName.V)
			if ev.Version <= version {
				t.Errorf("version %d comes after %d", ev.Version, version)
			}
			version = ev.Version
		}
	}
	if got := strings.Join(names, " "); got != "none early late" {
		t.Errorf("got %s", got)
	}
}

// Many writers, some slow, some that roll back: each commit becomes one event, in
// order, and the last one is what the database holds.
func TestEveryCommitOnceInOrder(t *testing.T) {
	r := newRig(t)
	const customers, writers, changes = 7, 6, 120
	r.exec(r.db, "INSERT INTO customers (id) SELECT generate_series(1, $1::int)", customers)
	sub := subscribe(t, r.nats.Connect())
	relay := r.relay(r.nats.URL)
	relay.Batch = 16
	stop := r.run(relay)
	var wg sync.WaitGroup
	for w := range writers {
		conn := r.connect()
		wg.Go(func() { write(t, conn, uint64(w), customers, changes) })
	}
	wg.Wait()
	r.drained()
	stop()
	last := make(map[string]events.Event)
	for _, ev := range r.stored() {
		before, seen := last[ev.Customer.ID]
		if seen && (ev.Customer.TotalSpent.V != before.Customer.TotalSpent.V+1 || ev.Version <= before.Version) {
			t.Fatalf("customer %s: change %v at version %d comes after %v at %d", ev.Customer.ID,
				ev.Customer.TotalSpent.V, ev.Version, before.Customer.TotalSpent.V, before.Version)
		}
		last[ev.Customer.ID] = ev
	}
	for id := 1; id <= customers; id++ {
		want := r.one(fmt.Sprintf("SELECT total_spent::bigint FROM customers WHERE id = %d", id))
		if got := last[fmt.Sprint(id)]; int64(got.Customer.TotalSpent.V) != want || want == 0 {
			t.Errorf("customer %d: the last event has %v, the database %d", id, got.Customer.TotalSpent.V, want)
		}
	}
	if sent, _, err := sub.Pending(); err != nil || sent != len(r.stored()) {
		t.Errorf("%d were sent for %d events, %v", sent, len(r.stored()), err)
	}
}

// write counts customers up, each change by one.
func write(t *testing.T, conn *pgx.Conn, seed uint64, customers, changes int) {
	random := rand.New(rand.NewPCG(seed, 1))
	for range changes {
		first, second := 1+random.IntN(customers), 1+random.IntN(customers)
		if first > second {
			first, second = second, first // in one order, so that nobody waits in a circle
		}
		end := "COMMIT"
		if random.IntN(5) == 0 {
			end = "ROLLBACK"
		}
		sql := fmt.Sprintf("BEGIN; UPDATE customers SET total_spent = total_spent + 1 WHERE id = %d", first)
		if second != first {
			sql += fmt.Sprintf("; SELECT pg_sleep(%f); UPDATE customers SET total_spent = total_spent + 1 WHERE id = %d", random.Float64()/200, second)
		}
		if _, err := conn.Exec(t.Context(), sql+"; "+end); err != nil {
			t.Error(err)
			return
		}
	}
}

// Whoever writes into the outbox without a lock of its own is put in order, too.
func TestOrderOfBareInserts(t *testing.T) {
	r := newRig(t)
	r.run(r.relay(r.nats.URL))
	const writers, changes = 6, 100
	var wg sync.WaitGroup
	for range writers {
		conn := r.connect()
		wg.Go(func() {
			for range changes {
				if _, err := conn.Exec(t.Context(), `INSERT INTO custsync_outbox (shop, customer, data) VALUES ('acme', '1', '{"id": "1"}')`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r.drained()
	list := r.stored()
	for i := range list[1:] {
		if list[i+1].Version <= list[i].Version {
			t.Errorf("version %d comes after %d", list[i+1].Version, list[i].Version)
		}
	}
	if len(list) != writers*changes {
		t.Errorf("%d events are stored, want %d", len(list), writers*changes)
	}
}

// Two tables of one customer that change at once: the last event has both.
func TestLastStateIsWhole(t *testing.T) {
	r := newRig(t)
	r.run(r.relay(r.nats.URL))
	const rounds = 60
	r.exec(r.db, "INSERT INTO customers (id) VALUES (1); INSERT INTO addresses (customer_id) VALUES (1)")
	var wg sync.WaitGroup
	for _, sql := range []string{
		"UPDATE customers SET total_spent = %d WHERE id = 1",
		"UPDATE addresses SET city = '%d' WHERE customer_id = 1",
	} {
		conn := r.connect()
		wg.Go(func() {
			for i := range rounds {
				if _, err := conn.Exec(t.Context(), fmt.Sprintf("BEGIN; "+sql+"; SELECT pg_sleep(0.001); COMMIT", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r.drained()
	list := r.stored()
	end := list[len(list)-1].Customer
	if end.TotalSpent.V != rounds-1 || end.Address.V.City.V != fmt.Sprint(rounds-1) {
		t.Errorf("the last event has %v and %q, want both %d", end.TotalSpent.V, end.Address.V.City.V, rounds-1)
	}
}

// What no worker could use is set aside and seen; what is behind it goes on; a
// person puts it back or drops it.
func TestRefusedRows(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, `INSERT INTO custsync_outbox (shop, customer, data) VALUES
		('acme', '1', '{"id": "1", "email": 7}'), ('acme', '2', '{"id": "3"}'), ('acme', '', '{"id": ""}'),
		('acme', '4', '[]'), ('acme', '5', jsonb_build_object('id', '5', 'note', repeat('Olga', 200000))),
		('acme', '6', '{"id": "6"}'), ('acme', '1', '{"id": "1", "first_name": "good"}')`)
	r.exec(r.db, `INSERT INTO custsync_outbox (shop, customer, deleted, data) VALUES ('acme', '6', true, '{"id": "6", "version": -1}'),
		('acme', '6', true, '{"id": "7", "version": 5}')`)
	r.exec(r.db, `INSERT INTO custsync_outbox (shop, customer, version, data) VALUES ('acme', '8', 9000000000000000, '{"id": "8"}')`)
	relay := r.relay(r.nats.URL)
	r.run(relay)
	r.drained()
	if got := strings.Join(r.texts(), "\n"); got != "customer.changed.v1 {\"id\": \"6\"}\ncustomer.changed.v1 {\"id\": \"1\", \"first_name\": \"good\"}" {
		t.Errorf("stored are\n%s", got)
	}
	var said []string
	list := func(tell func(Refused)) {
		if err := ListRefused(t.Context(), r.config(), func(row Refused) error { tell(row); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var ids []int64
	list(func(row Refused) {
		said = append(said, row.Customer+": "+row.Reason)
		ids = append(ids, row.ID)
	})
	const want = `1: undecodable event: email: want string, got number at offset 21
2: data.id: is not the row's customer
: shop and customer must not be empty
4: undecodable event: want object, got array
5: data: larger than 512 KiB
6: undecodable event: version: want a whole number from 0 to 2^53-1 at offset 25
6: data.id: is not the row's customer
8: version: lies more than 10 minutes ahead`
	if got := strings.Join(said, "\n"); !strings.HasPrefix(got, want) {
		t.Fatalf("refused are\n%s\nwant\n%s", got, want)
	}
	if logs := r.logs.String(); strings.Contains(logs, "Olga") || !strings.Contains(logs, "data.id: is not the row") {
		t.Errorf("the log says %s", logs)
	}

	// Mended and put back it keeps its version, which is older than what was stored since.
	r.exec(r.db, `UPDATE custsync_outbox_refused SET data = '{"id": "1", "first_name": "mended"}' WHERE id = $1`, ids[0])
	if n, err := Retry(t.Context(), r.config(), ids[:1]); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	r.drained()
	events := r.stored()
	mended, good := events[len(events)-1], events[len(events)-2]
	if mended.Customer.FirstName.V != "mended" || mended.Version >= good.Version {
		t.Errorf("put back were %s at %d after %d", mended.Data, mended.Version, good.Version)
	}
	if _, err := Discard(t.Context(), r.config(), []int64{ids[0]}); err == nil {
		t.Error("a row was dropped that is not refused any more")
	}
	if n, err := Discard(t.Context(), r.config(), nil); err != nil || n != 7 {
		t.Errorf("dropped %d, %v", n, err)
	}
	list(func(row Refused) { t.Errorf("row %d is left", row.ID) })
}

// A customer's versions grow even where the database's clock stands far behind
// the last one, and are remembered for no longer than they are of use.
func TestVersionsGrow(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, "INSERT INTO customers (id) VALUES (1)")
	r.exec(r.db, "UPDATE custsync_outbox_versions SET version = version + 60000000") // a minute ahead
	r.exec(r.db, "UPDATE customers SET vip = true; UPDATE customers SET vip = false")
	r.run(r.relay(r.nats.URL))
	r.drained()
	var last int64
	for _, ev := range r.stored() {
		if ev.Version <= last {
			t.Errorf("version %d comes after %d", ev.Version, last)
		}
		last = ev.Version
	}
	r.exec(r.db, "UPDATE custsync_outbox_versions SET version = version - 8 * 86400 * 1000000::bigint")
	r.exec(r.db, "INSERT INTO customers (id) VALUES (2)")
	relay := r.relay(r.nats.URL)
	relay.init()
	s, err := relay.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if more, err := s.prune(t.Context()); err != nil || more {
		t.Fatal(more, err)
	}
	if got := r.one("SELECT count(*) FROM custsync_outbox_versions"); got != 1 {
		t.Errorf("%d versions are remembered, want that of the customer who just changed", got)
	}
}

// Whoever may only insert into the outbox can use it.
func TestInsertIsEnough(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, "DROP ROLE IF EXISTS shop_app; CREATE ROLE shop_app LOGIN PASSWORD 'app'; GRANT INSERT ON custsync_outbox TO shop_app")
	app, err := pgx.Connect(t.Context(), strings.Replace(r.dsn, "postgres:"+pgtest.Password, "shop_app:app", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close(t.Context())
	r.exec(app, `INSERT INTO custsync_outbox (shop, customer, data) VALUES ('acme', '1', '{"id": "1"}')`)
	if got := r.one("SELECT count(*) FROM custsync_outbox"); got != 1 {
		t.Errorf("%d rows", got)
	}
	if _, err := app.Exec(t.Context(), "SELECT * FROM custsync_outbox_versions"); err == nil {
		t.Error("the shop's role may read the versions")
	}
	// Nor does it get the owner's rights by a table of its own that comes in the way.
	r.exec(app, "CREATE TEMP TABLE custsync_outbox_versions (shop text, customer text, version bigint, PRIMARY KEY (shop, customer))")
	r.exec(app, `INSERT INTO custsync_outbox (shop, customer, data) VALUES ('acme', '2', '{"id": "2"}')`)
	var taken int
	if err := app.QueryRow(t.Context(), "SELECT count(*) FROM pg_temp.custsync_outbox_versions").Scan(&taken); err != nil || taken != 0 {
		t.Errorf("the owner's trigger wrote %d rows into the role's own table, error %v", taken, err)
	}
}

// An outbox in a schema of its own, and a relay with no more rights than it needs.
func TestSchemaAndRights(t *testing.T) {
	r := newRig(t)
	r.exec(r.db, `CREATE SCHEMA mine; DROP ROLE IF EXISTS relay; CREATE ROLE relay LOGIN PASSWORD 'relay'`)
	owner := *r
	owner.dsn += "&search_path=mine"
	if err := Migrate(t.Context(), owner.config()); err != nil {
		t.Fatal(err)
	}
	r.exec(r.db, `GRANT USAGE ON SCHEMA mine TO relay;
		GRANT SELECT, INSERT, UPDATE, DELETE ON mine.custsync_outbox, mine.custsync_outbox_refused, mine.custsync_outbox_versions TO relay`)
	r.exec(r.db, `INSERT INTO mine.custsync_outbox (shop, customer, data) VALUES ('acme', '1', '{"id": "1"}'), ('acme', '2', '[]')`)
	mine := *r
	mine.dsn = strings.Replace(owner.dsn, "postgres:"+pgtest.Password, "relay:relay", 1)
	relay := mine.relay(r.nats.URL)
	relay.init()
	mine.run(relay)
	r.until("the outbox is empty", func() bool { return r.one("SELECT count(*) FROM mine.custsync_outbox") == 0 })
	if n, err := Retry(t.Context(), mine.config(), nil); err != nil || n != 1 {
		t.Error(n, err)
	}
	r.until("it is refused again", func() bool { return r.one("SELECT count(*) FROM mine.custsync_outbox_refused") == 1 })
	s, err := relay.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.prune(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.count(t.Context()); err != nil {
		t.Error(err)
	}
}
