package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serve starts a stand-in and returns a way to call it.
func serve(t *testing.T, p http.Handler) *caller {
	t.Helper()
	server := httptest.NewServer(p)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
	return &caller{t: t, url: server.URL, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type caller struct {
	t      *testing.T
	url    string
	header map[string]string
	http   *http.Client
}

// try makes a call and returns what came back.
func (c *caller) try(method, path, body string) (*http.Response, string, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp, string(data), err
}

// call is try for a call that is to be answered.
func (c *caller) call(method, path, body string) (int, string) {
	c.t.Helper()
	resp, text, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, text
}

// want fails the test unless the call is answered so; a body that begins with ~
// need only be contained.
func (c *caller) want(method, path, body string, status int, answer string) {
	c.t.Helper()
	gotStatus, got := c.call(method, path, body)
	part, contains := strings.CutPrefix(answer, "~")
	if gotStatus != status || contains && !strings.Contains(got, part) || !contains && got != answer {
		c.t.Errorf("%s %s %s\n got %d %s\nwant %d %s", method, path, body, gotStatus, got, status, answer)
	}
}
