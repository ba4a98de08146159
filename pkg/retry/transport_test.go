package retry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFromTransport(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	hold := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	tests := []struct {
		name   string
		server func(t *testing.T) string // its address
		class  Class
		code   string
		unsent bool
	}{
		{"nobody listens", func(t *testing.T) string {
			s := httptest.NewServer(nil)
			s.Close()
			return s.URL
		}, Transient, "refused", true},
		{"certificate that nobody trusts", func(t *testing.T) string {
			s := httptest.NewUnstartedServer(nil)
			s.Config.ErrorLog = quiet()
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL
		}, Transient, "tls", true},
		{"certificate of another host", func(t *testing.T) string {
			s := httptest.NewUnstartedServer(nil)
			s.Config.ErrorLog = quiet()
			s.StartTLS()
			t.Cleanup(s.Close)
			return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
		}, Transient, "tls", true},
		{"plain http at an https address", func(t *testing.T) string {
			s := httptest.NewServer(nil)
			t.Cleanup(s.Close)
			return strings.Replace(s.URL, "http:", "https:", 1)
		}, Blocked, "tls", true},
		{"something else at an https address", func(t *testing.T) string {
			return strings.Replace(listen(t, "220 mail ready\r\n"), "http:", "https:", 1)
		}, Transient, "tls", false},
		{"no answer in time", func(t *testing.T) string {
			s := httptest.NewServer(http.HandlerFunc(hold))
			t.Cleanup(s.CloseClientConnections)
			return s.URL
		}, Transient, "timeout", false},
		{"reset", func(t *testing.T) string { return listen(t, "") }, Transient, "reset", false},
		{"closed without an answer", func(t *testing.T) string {
			s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
			t.Cleanup(s.Close)
			return s.URL
		}, Transient, "cut", false},
		{"not http", func(t *testing.T) string { return listen(t, "jan@example.com says hello\r\n\r\n") }, Transient, "broken", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			patience := 10 * time.Second
			if tt.code == "timeout" {
				patience = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, tt.server(t)+"/?apikey=secret", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
				t.Fatal("got an answer, want an error")
			}
			e := FromTransport(err)
			if e.Class != tt.class || e.Code != tt.code || e.Unsent != tt.unsent {
				t.Errorf("got %v %q unsent %v, want %v %q unsent %v (%v)", e.Class, e.Code, e.Unsent, tt.class, tt.code, tt.unsent, err)
			}
			for _, secret := range []string{"secret", "apikey", "jan@example.com"} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("error repeats %q: %v", secret, e)
				}
			}
		})
	}
}

func TestFromTransportWords(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	tests := []struct {
		name   string
		err    error
		code   string
		unsent bool
	}{
		{"stopped", fmt.Errorf("post: %w", context.Canceled), "canceled", false},
		{"stopped while dialing", dial(context.Canceled), "canceled", true},
		{"dialing took too long", dial(context.DeadlineExceeded), "timeout", true},
		{"no route", dial(syscall.EHOSTUNREACH), "unreachable", true},
		{"name server silent", &net.DNSError{Err: "i/o timeout", Name: "acme.thulium.com", IsTimeout: true}, "dns", true},
		{"broken pipe", &net.OpError{Op: "write", Err: syscall.EPIPE}, "reset", false},
		{"body cut", io.ErrUnexpectedEOF, "cut", false},
		{"alert", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "tls", false},
		{"anything", errors.New("malformed: jan@example.com"), "broken", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := FromTransport(tt.err)
			if e.Code != tt.code || e.Unsent != tt.unsent || e.Class != Transient {
				t.Errorf("got %v %q unsent %v, want transient %q unsent %v", e.Class, e.Code, e.Unsent, tt.code, tt.unsent)
			}
			if strings.Contains(e.Error(), "jan@") {
				t.Errorf("error repeats what the provider wrote: %v", e)
			}
		})
	}
}

func TestErrorIn(t *testing.T) {
	e := (&Error{Class: After, Wait: time.Second, Code: "http_429", Err: context.Canceled}).In("create customers")
	if got, want := e.Error(), "create customers: context canceled"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(e, context.Canceled) || e.Class != After || e.Wait != time.Second {
		t.Errorf("got %+v, want the mark kept", e)
	}
}

// listen accepts connections, reads a little, says what it is given and closes;
// with nothing to say it resets.
func listen(t *testing.T, say string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 16<<10))
			if say == "" {
				_ = c.(*net.TCPConn).SetLinger(0)
			}
			_, _ = io.WriteString(c, say)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
