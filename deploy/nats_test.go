package deploy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
)

const (
	asWorker   = `user: worker, password: worker-secret`
	asOperator = `user: operator, password: operator-secret`
)

// publish publishes lines as the shop acme.
func (s *site) publish(lines string) {
	s.t.Helper()
	if code, out := s.publishAs(lines, "--user", "acme", "--password-file", s.dir+"/acme.password"); code != 0 {
		s.t.Fatalf("publish ended with %d and said %s\n%s", code, out, s.log.take())
	}
}

func (s *site) publishAs(lines string, user ...string) (code int, out string) {
	s.t.Helper()
	args := []string{"publish", "--nats", s.url, "--tls-ca", s.dir + "/tls/ca.pem", "--inbox-prefix", "_INBOX_acme", "--patience", "2s", "-"}
	return s.run(lines, "publisher", append(args, user...)...)
}

// All that a worker does, and every verb of an operator, is possible with what
// each is given, and nothing that they ask for is refused.
func TestRightsSuffice(t *testing.T) {
	s := newSite(t, nil)
	said, stop := s.start("worker", "run", "-c", s.worker("worker.yaml", asWorker, ""))
	operator := s.worker("operator.yaml", asOperator, "")
	do := func(want string, args ...string) {
		t.Helper()
		code, out := s.run("", "worker", append(args, "-c", operator)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("worker %s ended with %d and said %s", strings.Join(args, " "), code, out)
		}
		if refused := s.log.take(); refused != "" {
			t.Errorf("worker %s: %s", strings.Join(args, " "), refused)
		}
	}
	is := func(want string, args ...string) {
		t.Helper()
		var out string
		defer func() {
			if t.Failed() {
				t.Log(out, said)
			}
		}()
		s.until(fmt.Sprintf("%v says %s", args, want), func() bool {
			_, out = s.run("", "worker", append(args, "-c", operator)...)
			return strings.Contains(out, want)
		})
	}
	is(`"state":"running"`, "status", "-o", "json")

	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, `{"shop":"acme","id":"%d","version":1,"email":"c%d@example.com","last_name":"Example"}`+"\n", i, i)
	}
	lines.WriteString(`{"shop":"acme","id":"bad","version":1,"email":"bad@example.com"}` + "\n" + `{"shop":"acme","id":"worse","version":1,"email":"worse@example.com"}` + "\n")
	s.publish(lines.String())
	is(`"dead":2`, "audit", "-o", "json")
	is(`"in_step":300`, "audit", "-o", "json")

	do("delivered", "status", "acme", "7")
	do("bad", "deadletters", "list")
	do("2", "deadletters", "groups")
	do("surname", "deadletters", "show", "--destination", "thulium-pl", "--shop", "acme", "--customer", "bad")
	do("", "deadletters", "replay", "--customer", "bad")
	do("", "deadletters", "discard", "--customer", "worse", "--note", "known")
	do("", "deadletters", "undo", "--customer", "worse")
	do("", "pause", "--destination", "thulium-pl", "--note", "a test")
	is("paused", "status")
	do("", "resume", "--destination", "thulium-pl")
	is("running", "status")
	do("", "backfill", "--destination", "thulium-pl")
	do("", "forget", "acme", "7")
	do("", "audit")

	// A deletion that every destination settled leaves the tombstone only.
	s.publish(`{"specversion":"1.0","id":"gone","source":"/shops/acme","type":"customer.deleted.v1","subject":"8","data":{"id":"8","version":2}}`)
	is(`"deleted":true`, "status", "acme", "8", "-o", "json")
	for version := 2; version < 12; version++ { // more than are kept of a customer
		s.publish(fmt.Sprintf(`{"shop":"acme","id":"9","version":%d,"email":"nine@example.com","last_name":"Nine","vip":%t}`, version, version%2 == 0))
	}
	is(`"newest":11`, "status", "acme", "9", "-o", "json")
	do("", "audit")
	do("", "deadletters", "edit", "--customer", "bad", "--patch", `{"last_name":"Mended"}`, "--note", "a test")
	do("", "deadletters", "replay", "--customer", "bad")
	is(`"dead":1`, "audit", "-o", "json")

	// A destination that no worker has any more.
	stop()
	operator = s.file("later.yaml", strings.Replace(read(t, operator), "name: thulium-pl", "name: thulium-later", 1))
	do("", "remove", "--destination", "thulium-pl")
	if strings.Contains(said.String(), "ermission") {
		t.Errorf("the worker said %s", said)
	}
	if refused := s.log.take(); refused != "" {
		t.Error(refused)
	}
}

// client is a connection as the shop acme has it, and what the server said to it.
func (s *site) client(user string, options ...nats.Option) (*nats.Conn, chan error) {
	s.t.Helper()
	said := make(chan error, 64)
	nc, err := nats.Connect(s.url, append([]nats.Option{
		nats.RootCAs(s.dir + "/tls/ca.pem"), nats.UserInfo(user, user+"-secret"), nats.CustomInboxPrefix("_INBOX_acme"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { said <- err }),
	}, options...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc, said
}

// denied says whether the server refuses what try does.
func denied(nc *nats.Conn, said chan error, try func() error) error {
	if err := try(); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	select {
	case err := <-said:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			return err
		}
		return nil
	case <-time.After(time.Second):
		return errors.New("it was allowed")
	}
}

// A shop publishes its own customers, and can't do anything else.
func TestPublisherCanOnlyPublish(t *testing.T) {
	s := newSite(t, nil)
	s.start("worker", "run", "-c", s.worker("worker.yaml", asWorker, ""))
	operator := s.worker("operator.yaml", asOperator, "")
	s.until("the worker runs", func() bool {
		_, out := s.run("", "worker", "status", "-c", operator)
		return strings.Contains(out, "running")
	})
	nc, said := s.client("acme")
	publisher := &events.Publisher{Conn: nc, Timeout: 2 * time.Second}
	first, err := publisher.Publish(t.Context(), "acme", events.Customer{ID: "1", LastName: events.Some("Example")})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := publisher.Publish(t.Context(), "acme", events.Customer{ID: "1", LastName: events.Some("Other")}); err != nil || again.Seq != first.Seq+1 {
		t.Fatal(again, err)
	}
	s.log.take()

	for _, subject := range []string{
		"customers.other.1", "customers.acme.1.2", "customers.3.acme.1", "customers.acme",
		"deadletters.thulium-pl.3.acme.1", "rows.thulium-pl.3.acme.1", "at.thulium-pl.3.acme.1", "wake.thulium-pl.3.acme.1", "actions.discard.thulium-pl",
		"$KV.LEDGER.thulium-pl.3.acme.1", "$KV.WORKERS.paused.thulium-pl", "_INBOX.1", "_INBOX_other.1",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.CUSTOMERS", "$JS.API.STREAM.CREATE.MINE",
		"$JS.API.STREAM.UPDATE.CUSTOMERS", "$JS.API.STREAM.DELETE.CUSTOMERS", "$JS.API.STREAM.PURGE.CUSTOMERS", "$JS.API.STREAM.MSG.DELETE.CUSTOMERS",
		"$JS.API.STREAM.MSG.GET.CUSTOMERS", "$JS.API.DIRECT.GET.CUSTOMERS", "$JS.API.DIRECT.GET.CUSTOMERS.customers.3.acme.1",
		"$JS.API.STREAM.SNAPSHOT.CUSTOMERS", "$JS.API.CONSUMER.CREATE.CUSTOMERS.mine", "$JS.API.CONSUMER.DURABLE.CREATE.CUSTOMERS.mine",
		"$JS.API.CONSUMER.MSG.NEXT.CUSTOMERS.mine", "$JS.API.CONSUMER.NAMES.CUSTOMERS", "$SYS.REQ.SERVER.PING",
	} {
		if err := denied(nc, said, func() error { return nc.PublishRequest(subject, nc.NewInbox(), []byte("{}")) }); err != nil {
			t.Errorf("publish to %s: %v", subject, err)
		}
	}
	for _, subject := range []string{">", "*.>", "customers.>", "customers.*.*", "customers.acme.*", "_INBOX.>", "_INBOX_other.>", "$JS.>", "$KV.>", "deadletters.>", "wake.>"} {
		err := denied(nc, said, func() error { _, err := nc.Subscribe(subject, func(*nats.Msg) {}); return err })
		if err != nil {
			t.Errorf("subscribe to %s: %v", subject, err)
		}
	}
	// What a header could do to a stream: remove what is there, take what is stored away after a while.
	for name, header := range map[string]nats.Header{
		"rollup": {"Nats-Rollup": {"all"}}, "ttl": {"Nats-TTL": {"1s"}}, "schedule": {"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"customers.acme.2"}},
	} {
		answer, err := nc.RequestMsg(&nats.Msg{Subject: "customers.acme.2", Header: header, Data: []byte("{}")}, 2*time.Second)
		if err != nil || !strings.Contains(string(answer.Data), `"error"`) {
			t.Errorf("%s: got %v, %v", name, answer, err)
		}
	}
	_, status := s.run("", "worker", "status", "acme", "1", "-c", operator, "-o", "json")
	if !strings.Contains(status, `"shop":"acme"`) {
		t.Error(status)
	}
	nc.Flush()

	// The command says what is wrong.
	code, out := s.publishAs(customer, "--user", "acme", "--password-file", s.dir+"/acme.password", "--inbox-prefix", "_INBOX_other")
	if code != 1 || !strings.Contains(out, "--inbox-prefix") {
		t.Errorf("it ended with %d and said %s", code, out)
	}
	code, out = s.publishAs(`{"shop":"other","id":"1"}`, "--user", "acme", "--password-file", s.dir+"/acme.password")
	if code != 1 || !strings.Contains(out, `customers.other.1`) {
		t.Errorf("it ended with %d and said %s", code, out)
	}
}

// publisher serve takes what all shops send with a right to nothing else.
func TestServeHasWhatItNeeds(t *testing.T) {
	s := newSite(t, nil)
	s.start("worker", "run", "-c", s.worker("worker.yaml", asWorker, ""))
	nc, _ := s.client("serve", nats.CustomInboxPrefix("_INBOX_serve"))
	publisher := &events.Publisher{Conn: nc, Timeout: 2 * time.Second}
	for _, shop := range []string{"acme", "other"} {
		if _, err := publisher.Publish(t.Context(), shop, events.Customer{ID: "1"}); err != nil {
			t.Error(shop, err)
		}
	}
	if refused := s.log.take(); refused != "" {
		t.Error(refused)
	}
}

// Neither workers nor operators can take a stream away, or what people did out of
// it; an operator can't publish customers nor play a worker.
func TestOthersHaveBounds(t *testing.T) {
	s := newSite(t, nil)
	for _, test := range []struct {
		user     string
		subjects []string
	}{
		{"worker", []string{"$JS.API.STREAM.DELETE.CUSTOMERS", "$JS.API.STREAM.PURGE.ACTIONS", "$JS.API.STREAM.CREATE.MINE", "$JS.API.STREAM.MSG.DELETE.CUSTOMERS", "orders.1"}},
		{"operator", []string{"customers.acme.1", "$KV.WORKERS.lease.thulium-pl.1.0", "$KV.WORKERS.cursor.thulium-pl.1.0", "$KV.WORKERS.member.x", "$KV.WORKERS.layout.thulium-pl",
			"$JS.API.STREAM.CREATE.CUSTOMERS", "$JS.API.STREAM.UPDATE.CUSTOMERS", "$JS.API.STREAM.DELETE.CUSTOMERS", "$JS.API.STREAM.PURGE.ACTIONS"}},
		{"serve", []string{"customers.3.acme.1", "deadletters.thulium-pl.3.acme.1", "$KV.LEDGER.thulium-pl.3.acme.1", "_INBOX_acme.1",
			"$JS.API.STREAM.INFO.CUSTOMERS", "$JS.API.STREAM.MSG.GET.CUSTOMERS", "$JS.API.DIRECT.GET.CUSTOMERS", "$JS.API.CONSUMER.CREATE.CUSTOMERS.mine"}},
	} {
		nc, said := s.client(test.user, nats.CustomInboxPrefix("_INBOX"))
		for _, subject := range test.subjects {
			if err := denied(nc, said, func() error { return nc.Publish(subject, nil) }); err != nil {
				t.Errorf("%s: publish to %s: %v", test.user, subject, err)
			}
		}
		if err := denied(nc, said, func() error { _, err := nc.Subscribe("customers.>", func(*nats.Msg) {}); return err }); err != nil {
			t.Errorf("%s: %v", test.user, err)
		}
	}
}
