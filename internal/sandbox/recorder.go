package sandbox

import (
	"bytes"
	"net/http"
	"strconv"
)

// recorder takes an answer that is to be withheld, cut or changed.
type recorder struct {
	status int
	header http.Header
	body   []byte
}

// record lets the provider answer into a recorder.
func record(r *http.Request, body []byte, b back) *recorder {
	rec := &recorder{}
	b.serve(rec, r, body)
	return rec
}

func (rec *recorder) Header() http.Header {
	if rec.header == nil {
		rec.header = make(http.Header)
	}
	return rec.header
}

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
	}
}

func (rec *recorder) Write(p []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	rec.body = append(rec.body, p...)
	return len(p), nil
}

// copyTo sends the first n bytes under a header that promises all of them, with
// another content type where one is given.
func (rec *recorder) copyTo(w http.ResponseWriter, contentType string, n int) {
	h := w.Header()
	for name, values := range rec.Header() {
		h[name] = values
	}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	if rec.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(rec.body)))
	}
	rec.WriteHeader(http.StatusOK)
	w.WriteHeader(rec.status)
	w.Write(bytes.Clone(rec.body[:n]))
}
