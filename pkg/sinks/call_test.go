package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

func TestCallerDo(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	page := "<html><body>Mr jan@example.com, please prove that you are human</body></html>"
	tests := []struct {
		name   string
		server http.HandlerFunc
		want   Want
		class  retry.Class
		code   string // empty: no error
		unsent bool
		status int // 0: no answer
	}{
		{"object", answer(200, ` {"a":1}`), JSON, 0, "", false, 200},
		{"array", answer(201, "\n[]"), JSON, 0, "", false, 201},
		{"page with status 200", answer(200, page), JSON, retry.Transient, "not_json", false, 200},
		{"page where a body is optional", answer(200, page), JSONOrEmpty, retry.Transient, "not_json", false, 200},
		{"page where nothing is wanted", answer(200, page), AnyBody, 0, "", false, 200},
		{"nothing", answer(200, ""), JSON, retry.Transient, "not_json", false, 200},
		{"nothing where a body is optional", answer(204, ""), JSONOrEmpty, 0, "", false, 204},
		{"byte order mark", answer(200, "\ufeff{}"), JSON, 0, "", false, 200},
		{"too long", answer(200, "["+strings.Repeat(" ", 2000)+"]"), JSON, retry.Transient, "too_long", false, 200},
		{"as long as may be", answer(200, "["+strings.Repeat(" ", 1022)+"]"), JSON, 0, "", false, 200},
		{"refused", answer(422, page), JSON, retry.Permanent, "http_422", true, 422},
		{"failed", answer(500, page), JSON, retry.Transient, "http_500", false, 500},
		{"redirected", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 308) }, JSON, retry.Blocked, "redirect", true, 308},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"a":1}`)
		}, JSON, retry.Transient, "cut", false, 200},
		{"cut in chunks", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"a":1`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, JSON, retry.Transient, "cut", false, 200},
		{"cut refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(400)
		}, JSON, retry.Permanent, "http_400", true, 400},
		{"gone before the answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, JSON, retry.Transient, "cut", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tt.server(w, r)
			}))
			defer server.Close()
			c, err := Caller{MaxAnswer: 1024}.Open(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Do(t.Context(), &Call{Op: "import", Method: http.MethodPost, Path: "/x/", Query: url.Values{"q": {"secret"}}, Body: []byte(`{"email":"jan@example.com"}`), Want: tt.want})
			if got := calls.Load(); got != 1 {
				t.Errorf("got %d calls, want 1", got)
			}
			if (a == nil) != (tt.status == 0) || a != nil && a.Status != tt.status {
				t.Errorf("got answer %+v, want status %d", a, tt.status)
			}
			if tt.code == "" {
				if err != nil {
					t.Errorf("got error %v, want none", err)
				}
				return
			}
			var e *retry.Error
			if !errors.As(err, &e) {
				t.Fatalf("got error %v, want a *retry.Error", err)
			}
			if e.Class != tt.class || e.Code != tt.code || e.Unsent != tt.unsent {
				t.Errorf("got %v %q unsent %v, want %v %q unsent %v", e.Class, e.Code, e.Unsent, tt.class, tt.code, tt.unsent)
			}
			if !strings.HasPrefix(e.Error(), "import: ") {
				t.Errorf("error does not name the operation: %v", e)
			}
			for _, secret := range []string{"jan@", "secret", server.URL, "elsewhere"} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("error repeats %q: %v", secret, e)
				}
			}
		})
	}
}

func TestCallerRequest(t *testing.T) {
	var got http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = *r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, "{}")
	}))
	defer server.Close()
	c, err := Caller{}.Open(server.URL + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Authorization": {"Basic eDp5"}}
	if _, err := c.Do(t.Context(), &Call{Method: http.MethodPut, Path: "/a%2Fb", Query: url.Values{"identifier": {"a b&c"}}, Header: header, Body: []byte("{}"), Want: JSON}); err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ name, got, want string }{
		{"method", got.Method, "PUT"},
		{"address", got.RequestURI, "/base/a%2Fb?identifier=a+b%26c"},
		{"user agent", got.UserAgent(), "custsync"},
		{"type", got.Header.Get("Content-Type"), "application/json; charset=utf-8"},
		{"accept", got.Header.Get("Accept"), "application/json"},
		{"authorization", got.Header.Get("Authorization"), "Basic eDp5"},
		{"body", string(body), "{}"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %q, want %q", check.name, check.got, check.want)
		}
	}
	if len(header) != 1 {
		t.Errorf("the call's own header was changed: %v", header)
	}
}

func TestCallerUnsent(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		c, _ := Caller{}.Open(server.URL)
		_, err := c.Do(t.Context(), &Call{Method: http.MethodPost, Body: []byte("{}")})
		wantMark(t, err, retry.Transient, "refused", true)
	})
	t.Run("handshake never ends", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, _ := Caller{Timeout: 50 * time.Millisecond}.Open("https://" + l.Addr().String())
		_, err = c.Do(t.Context(), &Call{Method: http.MethodPost, Body: []byte("{}")})
		wantMark(t, err, retry.Transient, "timeout", true)
	})
	t.Run("no turn", func(t *testing.T) {
		var calls atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
		defer server.Close()
		c, _ := Caller{Before: func(ctx context.Context) error { return context.Canceled }}.Open(server.URL)
		_, err := c.Do(t.Context(), &Call{Op: "x", Method: http.MethodGet})
		wantMark(t, err, retry.Transient, "no_turn", true)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want it to wrap the cause", err)
		}
		if got := calls.Load(); got != 0 {
			t.Errorf("got %d calls, want none", got)
		}
	})
	t.Run("out and not answered", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
		defer server.Close()
		c, _ := Caller{Timeout: 50 * time.Millisecond}.Open(server.URL)
		_, err := c.Do(t.Context(), &Call{Method: http.MethodPost, Body: []byte("{}")})
		wantMark(t, err, retry.Transient, "timeout", false)
	})
}

// Connections are kept, so that many calls one after the other cost one handshake.
func TestCallerKeepsConnections(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, _ := Caller{}.Open(server.URL)
	for range 20 {
		if _, err := c.Do(t.Context(), &Call{Method: http.MethodPost, Body: []byte("{}"), Want: JSON}); err != nil {
			t.Fatal(err)
		}
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

func TestCallerOpen(t *testing.T) {
	for _, bad := range []string{"", "acme.thulium.com", "ftp://acme.thulium.com", "https://", "https://u:p@acme.thulium.com", "https://acme.thulium.com?x=1", "https://a.example#b", "https://%zz"} {
		_, err := Caller{}.Open(bad)
		if err == nil {
			t.Errorf("%q: got no error", bad)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("error repeats the password: %v", err)
		}
	}
}

func wantMark(t *testing.T, err error, class retry.Class, code string, unsent bool) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	e := retry.Of(err)
	if e.Class != class || e.Code != code || e.Unsent != unsent {
		t.Errorf("got %v %q unsent %v, want %v %q unsent %v (%v)", e.Class, e.Code, e.Unsent, class, code, unsent, err)
	}
}
