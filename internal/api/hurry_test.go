package api

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
)

// wire is a connection to a server, as its listener.
type wire struct {
	conn  chan net.Conn
	ended chan struct{}
}

func (l *wire) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *wire) Close() error   { close(l.ended); return nil }
func (l *wire) Addr() net.Addr { return &net.TCPAddr{} }

// says sends the beginning of a request to a handler and returns the answer.
func says(t *testing.T, handler http.Handler, request string) *http.Response {
	t.Helper()
	client, conn := net.Pipe()
	l := &wire{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- conn
	web := &http.Server{Handler: handler}
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() {
		_ = client.Close()
		_ = web.Close()
	})
	go fmt.Fprint(client, request)
	if err := client.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp
}

// Whoever announces a body and does not send it holds nothing for long, whether
// somebody reads it or not.
func TestSlowBody(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"read":       {"POST /api/v1/session HTTP/1.1", http.StatusRequestTimeout},
		"not read":   {"POST /api/v1/deadletters/replay HTTP/1.1", http.StatusUnauthorized},
		"of a GET":   {"GET /api/v1/workers HTTP/1.1", http.StatusUnauthorized},
		"of nothing": {"POST /api/v1/none HTTP/1.1", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Server{Config: &config.Config{HTTP: config.HTTP{Token: "top-secret"}}, Log: zerolog.Nop()}
				began := time.Now()
				resp := says(t, s.Handler(), c.request+"\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
				if took := time.Since(began); resp.StatusCode != c.want || took > bodyTime {
					t.Errorf("got %d after %s", resp.StatusCode, took)
				}
			})
		})
	}
}

// What takes long once the body is there is not cut short.
func TestDeedsMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Config: &config.Config{}, Log: zerolog.Nop()}
		s.init()
		r := route{path: "/slow", open: true, handle: func(x *exchange) error {
			if _, err := x.note(); err != nil {
				return err
			}
			select {
			case <-time.After(10 * bodyTime):
			case <-x.req.Context().Done():
			}
			return x.req.Context().Err()
		}}
		slow := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, &r) })
		resp := says(t, slow, "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
}
