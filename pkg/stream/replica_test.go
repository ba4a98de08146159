package stream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// lagging is a cluster as a client sees it whose requests are answered by a
// replica that lags: a NATS server without JetStream, and the test in its place.
func lagging(t *testing.T) (*Streams, *nats.Conn) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(deadline) {
		t.Fatal("the server is not ready")
	}
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s, err := connect(nc, Config{Partitions: 1, Replicas: 3}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, nc
}

func respond(t *testing.T, nc *nats.Conn, subject string, answer func(m *nats.Msg)) {
	t.Helper()
	if _, err := nc.Subscribe(subject, answer); err != nil {
		t.Fatal(err)
	}
}

func reply(t *testing.T, m *nats.Msg, data []byte, header ...string) {
	t.Helper()
	answer := nats.NewMsg(m.Reply)
	answer.Data = data
	for i := 0; i < len(header); i += 2 {
		answer.Header.Set(header[i], header[i+1])
	}
	if err := m.RespondMsg(answer); err != nil {
		t.Error(err)
	}
}

func notFound(t *testing.T, m *nats.Msg) {
	t.Helper()
	reply(t, m, nil, "Status", strconv.Itoa(http.StatusNotFound))
}

// The journal of a dead member's calls is read as the leader has it: a call that
// a replica does not know of yet would be made twice.
func TestDoubtIsNotHiddenByAReplica(t *testing.T) {
	t.Parallel()
	s, nc := lagging(t)
	respond(t, nc, "$JS.API.DIRECT.GET."+workersStream, func(m *nats.Msg) { notFound(t, m) })
	respond(t, nc, "$JS.API.STREAM.MSG.GET."+workersStream, func(m *nats.Msg) {
		var ask get
		if err := json.Unmarshal(m.Data, &ask); err != nil || ask.Filter != workersPrefix+"call.d.>" {
			t.Errorf("got request %s, %v", m.Data, err)
		}
		if ask.Seq > 5 {
			reply(t, m, []byte(`{"error":{"code":404,"description":"no message found"}}`))
			return
		}
		reply(t, m, []byte(`{"message":{"subject":"`+workersPrefix+`call.d.dead.0","seq":5,"data":"e30="}}`))
	})
	records, err := s.leaderRecords(testContext(t), "call.d.>")
	if err != nil || len(records) != 1 || records[0].Key != "call.d.dead.0" || string(records[0].Value) != "{}" {
		t.Errorf("got records %+v and error %v, want the one that the leader has", records, err)
	}
}

// The newest state is not older than what the leader has: a wake-up that found
// the one before, or none, would be settled with nothing done.
func TestWakeUpFindsTheNewestState(t *testing.T) {
	t.Parallel()
	s, nc := lagging(t)
	const stored = customersPrefix + "0.acme.7"
	respond(t, nc, "$JS.API.STREAM.MSG.GET."+Customers, func(m *nats.Msg) {
		reply(t, m, []byte(`{"message":{"subject":"`+stored+`","seq":9,"data":""}}`))
	})
	tell := func(m *nats.Msg, last, seq int, version int64) {
		reply(t, m, event("acme", "7", version), "Nats-Subject", stored, "Nats-Sequence", strconv.Itoa(seq),
			"Nats-Last-Sequence", strconv.Itoa(last), "Nats-Time-Stamp", time.Now().Format(time.RFC3339Nano))
	}
	var asked atomic.Int32
	respond(t, nc, "$JS.API.DIRECT.GET."+Customers, func(m *nats.Msg) {
		n := asked.Add(1)
		if n == 1 {
			notFound(t, m)
			return
		}
		tell(m, 0, 4, 1)
		last := 4
		if n > 2 {
			tell(m, 4, 9, 2)
			last = 9
		}
		reply(t, m, nil, "Status", "204", "Nats-Last-Sequence", strconv.Itoa(last))
	})
	newest, err := s.leaderNewest(testContext(t), "0.acme.7")
	if err != nil || newest == nil || newest.Seq != 9 || newest.Version != 2 {
		t.Errorf("got state %+v and error %v, want the one with sequence 9", newest, err)
	}
}

// Who takes a shard over sees all that its owner before wrote into the ledger.
func TestLedgerCatchesUp(t *testing.T) {
	t.Parallel()
	s, nc := lagging(t)
	last := 40
	respond(t, nc, "$JS.API.STREAM.INFO."+ledgerStream, func(m *nats.Msg) {
		reply(t, m, fmt.Appendf(nil, `{"config":{"name":"%s"},"state":{"last_seq":%d}}`, ledgerStream, last))
	})
	var asked atomic.Int32
	respond(t, nc, "$JS.API.DIRECT.GET."+ledgerStream, func(m *nats.Msg) {
		n := asked.Add(1)
		reply(t, m, nil, "Nats-Subject", sentinel, "Nats-Sequence", "1", "Nats-Last-Sequence", "0")
		upTo := 40
		if n > 1 {
			reply(t, m, []byte(`{"settled":{"version":3,"seq":8}}`), "Nats-Subject", ledgerPrefix+"d.0.acme.7", "Nats-Sequence", "50", "Nats-Last-Sequence", "1")
			upTo = 50
		}
		told := map[bool]string{true: "50", false: "1"}[n > 1]
		reply(t, m, nil, "Status", "204", "Nats-Last-Sequence", told, "Nats-UpTo-Sequence", strconv.Itoa(upTo))
	})
	ctx := testContext(t)
	l, err := s.Ledger(ctx, "d")
	if err != nil {
		t.Fatal(err)
	}
	last = 50 // by another owner, since this worker began
	if err := s.catchUp(ctx, l); err != nil {
		t.Fatal(err)
	}
	found, err := l.Get(ctx, []ledger.Key{"0.acme.7"})
	if err != nil || found[0].Revision != 50 {
		t.Errorf("got entry %+v and error %v, want the one of revision 50", found, err)
	}
}
