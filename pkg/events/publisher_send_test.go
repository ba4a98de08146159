package events_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
)

// While a cluster is still storing an attempt that got no answer, it refuses the
// next one. That says nothing yet of whether the event is stored.
func TestPublisherAttemptInProcess(t *testing.T) {
	nc := connect(t, startServer(t, t.TempDir(), -1).ClientURL())
	asked := 0
	_, err := nc.Subscribe("customers.*.*", func(m *nats.Msg) {
		answer := `{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"}}`
		if asked++; asked > 1 {
			answer = `{"stream":"CUSTOMERS","seq":7,"duplicate":true}`
		}
		if err := m.Respond([]byte(answer)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p := events.Publisher{Conn: nc}
	ack, err := p.Publish(context.Background(), "acme", events.Customer{ID: "7"})
	if err != nil || ack.Seq != 7 || !ack.Duplicate {
		t.Errorf("got ack %+v and error %v, want the one that the second attempt was given", ack, err)
	}
}

// A node that is cut off from its cluster takes connections and knows of no
// stream, while others store.
func TestPublisherGoesElsewhere(t *testing.T) {
	lonely := startServer(t, t.TempDir(), -1).ClientURL()
	other := startServer(t, t.TempDir(), -1).ClientURL()
	createStream(t, connect(t, other))
	nc, err := nats.Connect(lonely+","+other, nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if nc.ConnectedUrl() != lonely {
		t.Fatalf("connected to %s, want the one without the stream, %s", nc.ConnectedUrl(), lonely)
	}
	moves := 0
	p := events.Publisher{Conn: nc, Patience: time.Minute, Elsewhere: func() {
		moves++
		if err := nc.ForceReconnect(); err != nil {
			t.Error(err)
		}
	}}
	if ack, err := p.Publish(t.Context(), "acme", events.Customer{ID: "7"}); err != nil || ack.Seq != 1 || moves != 1 {
		t.Errorf("got ack %+v and error %v after %d moves, want it stored by the other server after one", ack, err, moves)
	}
}
