package stream

import (
	"testing"

	"github.com/nats-io/nats.go"
)

// While a cluster elects who leads, opening fails in a way that says so: a worker
// that is started then waits.
func TestOpenWhileNobodyLeads(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]struct {
		answer string
		again  bool
	}{
		"nobody leads":  {`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`, true},
		"a node is due": {`{"error":{"code":400,"err_code":10005,"description":"no suitable peers for placement"}}`, true},
		"no cluster":    {`{"error":{"code":500,"err_code":10074,"description":"replicas > 1 not supported in non-clustered mode"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, nc := lagging(t)
			respond(t, nc, "$JS.API.STREAM.INFO.*", func(m *nats.Msg) {
				reply(t, m, []byte(`{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`))
			})
			respond(t, nc, "$JS.API.STREAM.CREATE.*", func(m *nats.Msg) { reply(t, m, []byte(refusal.answer)) })
			_, err := Open(testContext(t), nc, Config{Replicas: 3})
			if err == nil || IsAway(err) != refusal.again {
				t.Errorf("got error %v, want one that says whether to try again: %t", err, refusal.again)
			}
		})
	}
}

// A stream that nobody leads takes no messages, and says so in several ways.
func TestRefusedMessageWhileNobodyLeads(t *testing.T) {
	t.Parallel()
	for code, again := range map[int]bool{noAnswer: true, noStream: true, unavailable: true, notLeader: true, storeFull: false, wrongLast: false} {
		if err := (&answer{code: code, text: "why"}).err(); IsAway(err) != again {
			t.Errorf("code %d: got error %v, want one that says whether to try again: %t", code, err, again)
		}
	}
}

// Opening again changes nothing, so that it needs no node to lead the others.
func TestOpenAgainAsksForNoChange(t *testing.T) {
	t.Parallel()
	server, s := open(t, Config{})
	changes, err := s.nc.SubscribeSync("$JS.EVENT.ADVISORY.STREAM.UPDATED.>")
	if err != nil {
		t.Fatal(err)
	}
	openAt(t, server.Connect(), Config{})
	openAt(t, server.Connect(), Config{History: 5}) // which is one
	m, err := changes.NextMsg(deadline)
	if err != nil || m.Subject != "$JS.EVENT.ADVISORY.STREAM.UPDATED."+Customers {
		t.Errorf("got %v and error %v, want a change of %s first", m, err, Customers)
	}
}
