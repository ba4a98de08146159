package events_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
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

// Going from server to server is no reason to go on for ever.
func TestPublisherGivesUpWhereNoServerHasAStream(t *testing.T) {
	nc := connect(t, startServer(t, t.TempDir(), -1).ClientURL()+","+startServer(t, t.TempDir(), -1).ClientURL())
	var moves atomic.Int32
	p := events.Publisher{Conn: nc, Patience: time.Second, Elsewhere: func() {
		moves.Add(1)
		if err := nc.ForceReconnect(); err != nil {
			t.Error(err)
		}
	}}
	for id := range 100 {
		if err := p.PublishAsync(t.Context(), &events.Event{Shop: "acme", Customer: events.Customer{ID: strconv.Itoa(id)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.Wait(ctx); !errors.Is(err, events.ErrNoStream) || moves.Load() < 1 || moves.Load() > 20 {
		t.Errorf("got %v after %d moves, want %v after a few for all events together", err, moves.Load(), events.ErrNoStream)
	}
}

// What a server does not let a user publish it drops without an answer. Without
// an end of ctx that would be waited for in vain.
func TestPublisherLacksARight(t *testing.T) {
	for name, tc := range map[string]struct {
		rights *server.Permissions
		want   string
	}{
		"publish": {&server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"customers.acme.*"}}}, `Publish to "customers.other.1"`},
		"answers": {&server.Permissions{Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_acme.>"}}}, `Subscription to "_INBOX.`},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServerWith(t, &server.Options{Users: []*server.User{{Username: "shop", Password: "secret", Permissions: tc.rights}, {Username: "worker", Password: "secret"}}})
			createStream(t, connectAs(t, s, "worker"))
			p := events.Publisher{Conn: connectAs(t, s, "shop"), Timeout: 100 * time.Millisecond}
			_, err := p.Publish(context.Background(), "other", events.Customer{ID: "1"})
			if !errors.Is(err, events.ErrDenied) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %v and what the server says", err, events.ErrDenied)
			}
			if err := p.PublishAsync(context.Background(), &events.Event{Shop: "other", Customer: events.Customer{ID: "1"}}, nil); err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(t.Context()); !errors.Is(err, events.ErrDenied) {
				t.Errorf("async: got %v, want %v", err, events.ErrDenied)
			}
		})
	}
}

func connectAs(t *testing.T, s *server.Server, user string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "secret"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// A server that has been away for longer than Patience and is back a moment before
// its streams are has all of Patience again.
func TestPublisherIsPatientAfterAnOutage(t *testing.T) {
	nc := connect(t, startServer(t, t.TempDir(), -1).ClientURL())
	asked := make(chan struct{}, 1)
	mute, err := nc.Subscribe("customers.*.*", func(*nats.Msg) { asked <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	missing := make(chan struct{})
	p := events.Publisher{Conn: nc, Timeout: time.Second, Patience: time.Second, Elsewhere: sync.OnceFunc(func() { close(missing) })}
	done := make(chan error, 1)
	go func() {
		_, err := p.Publish(context.Background(), "acme", events.Customer{ID: "1"})
		done <- err
	}()
	<-asked // and not answered
	if err := mute.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("got %v, want it to wait for the stream", err)
	case <-missing:
	}
	createStream(t, nc)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
