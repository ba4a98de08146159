package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tracer writes a line for each call to a provider, so that a test that found a
// broken promise can tell how it came about.
type tracer struct {
	handler http.Handler

	mu sync.Mutex
	to io.Writer
}

func (t *tracer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/_sandbox/") {
		t.handler.ServeHTTP(w, r)
		return
	}
	began := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // as the stand-ins do: what was cut is not applied
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	told := &answer{ResponseWriter: w}
	// Some faults end the call by a panic.
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		fmt.Fprintf(t.to, "%s +%dms %s %s %s -> %d %.200q <- %s\n", began.UTC().Format("15:04:05.000"), time.Since(began).Milliseconds(),
			r.RemoteAddr, r.Method, r.URL, told.status, told.body.String(), body)
	}()
	t.handler.ServeHTTP(told, r)
}

// answer keeps what is answered.
type answer struct {
	http.ResponseWriter
	status int // 0: none
	body   bytes.Buffer
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
