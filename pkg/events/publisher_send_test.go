package events_test

import (
	"context"
	"testing"

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
