package sinks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/custsync/custsync/pkg/retry"
)

var errGone = &retry.Error{Code: "gone", Unsent: true}

// A call that may no longer be made is not written, on a new connection nor on
// one that was used before, with TLS or without.
func TestWhileNotAllowed(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"plain": httptest.NewServer, "tls": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			server := start(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
			defer server.Close()
			transport := NewTransport()
			transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
			c, err := Caller{HTTP: &http.Client{Transport: transport}}.Open(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			var gone atomic.Bool
			ctx := While(t.Context(), func() error {
				if gone.Load() {
					return errGone
				}
				return nil
			})
			call := &Call{Op: "import", Method: http.MethodPost, Path: "/x", Body: []byte("{}")}
			for _, reused := range []bool{false, true} {
				gone.Store(true)
				_, err = c.Do(ctx, call)
				e, ok := errors.AsType[*retry.Error](err)
				if !ok || e.Code != "gone" || !e.Unsent || !e.Over {
					t.Errorf("reused %v: got %#v, want what says that the call was not sent", reused, err)
				}
				gone.Store(false)
				if _, err := c.Do(ctx, call); err != nil {
					t.Errorf("reused %v: allowed again: %v", reused, err)
				}
			}
			if got := calls.Load(); got != 2 {
				t.Errorf("got %d calls, want the 2 that were allowed", got)
			}
		})
	}
}

// A call that may no longer be made while its body waits for room is not written
// to its end, and is in doubt.
func TestWhileNotAllowedAnyMore(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	body := bytes.Repeat([]byte("x"), 64<<20)
	var gone atomic.Bool
	begun, read := make(chan struct{}), make(chan int)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		<-begun // some of it is on its way, the rest finds no room
		gone.Store(true)
		all, _ := io.ReadAll(conn) // its error is the same news as its length
		read <- len(all)
	}()
	c, err := Caller{}.Open("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var asked int
	ctx := While(t.Context(), func() error {
		if asked++; asked == 3 {
			close(begun)
		}
		if gone.Load() {
			return errGone
		}
		return nil
	})
	_, err = c.Do(ctx, &Call{Op: "import", Method: http.MethodPost, Path: "/x", Body: body})
	e, ok := errors.AsType[*retry.Error](err)
	if !ok || e.Code != "gone" || e.Unsent || e.Over {
		t.Errorf("got %#v, want what says that some of the call was sent", err)
	}
	if n := <-read; n == 0 || n >= len(body) {
		t.Errorf("the provider read %d bytes, want some of %d", n, len(body))
	}
}

// A call that is given up leaves nothing in the kernel that would be sent later.
func TestGivenUpCallIsReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	over, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		<-over
		_, err = io.Copy(io.Discard, conn)
		ended <- err
	}()
	c, err := Caller{}.Open("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	wrote := make(chan struct{})
	var once sync.Once
	go func() {
		<-wrote
		giveUp()
	}()
	ctx = While(ctx, func() error {
		once.Do(func() { close(wrote) })
		return nil
	})
	if _, err = c.Do(ctx, &Call{Op: "import", Method: http.MethodPost, Path: "/x", Body: bytes.Repeat([]byte("x"), 64<<20)}); err == nil {
		t.Error("got no error of a call that was given up")
	}
	close(over)
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the provider read up to %v, want a reset", err)
	}
}
