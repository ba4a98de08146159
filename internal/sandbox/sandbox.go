// Package sandbox holds stand-ins of the providers: real HTTP, faithful to what
// is known of each API, with a memory of what they were given.
//
// A stand-in promises to refuse what the provider refuses, row by row; to answer
// in the provider's own shapes; to keep per customer every version that it was
// given, in order, so that a step back or a duplicate can't hide; and to fail
// exactly as its plan of faults says, at any moment, over the network as well as
// by a call (see Plan and the paths below /_sandbox/).
//
// What a provider is known to do is marked in its file: documented, observed, or
// inferred. Whatever is inferred or contradictory is a switch.
//
// The stand-ins read JSON with a scanner of their own (walk.go), apart from the
// one that the product uses, so that a fault of the one is not hidden by the
// same fault of the other.
package sandbox

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Provider is one stand-in. Every one is usable as its zero value.
type Provider interface {
	// Handler answers as the provider does, and below /_sandbox/ as the sandbox.
	http.Handler
	// Book is what the provider holds and what it has seen.
	Book() *Book
	// Faults is the plan by which it fails.
	Faults() *Plan
}

// Front is what all stand-ins share: the book, the plan of faults, the clock and
// the paths below /_sandbox/. The zero Front has no faults and the real time.
type Front struct {
	book  Book
	plan  Plan
	skew  atomic.Int64 // of the stand-in's clock, in nanoseconds
	calls atomic.Int64 // being answered now
	spare sync.Pool    // *[]byte: bodies of lean books, which keep none
}

// Book is what the provider holds and what it has seen.
func (f *Front) Book() *Book { return &f.book }

// Faults is the plan by which the provider fails.
func (f *Front) Faults() *Plan { return &f.plan }

// Advance moves the stand-in's clock, which decides when a session ends.
func (f *Front) Advance(d time.Duration) { f.skew.Add(int64(d)) }

// Change calls change while no call is being applied: for switches and
// credentials of a stand-in that is already serving.
func (f *Front) Change(change func()) {
	f.book.mu.Lock()
	defer f.book.mu.Unlock()
	change()
}

func (f *Front) now() time.Time { return time.Now().Add(time.Duration(f.skew.Load())) }

// back is the part of a stand-in that knows its provider.
type back interface {
	// serve answers one call whose body was read.
	serve(w http.ResponseWriter, r *http.Request, body []byte)
	// refuse answers a call as the provider does when it refuses it as a whole.
	refuse(w http.ResponseWriter, status int, after retryAfter)
	// switches points to the provider's switches.
	switches() any
}

// maxBody bounds what is read of a request. No provider names such a bound; it
// keeps the stand-in alive.
const maxBody = 64 << 20

// front takes a call in: the sandbox's own paths, the counters, the faults; the
// rest is the provider's.
func (f *Front) front(w http.ResponseWriter, r *http.Request, b back) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/_sandbox/"); ok {
		f.admin(w, r, rest, b)
		return
	}
	body, err := f.readBody(r)
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		b.refuse(w, http.StatusRequestEntityTooLarge, retryAfter{})
		return
	}
	if err != nil {
		return // the caller went away; what was cut is not applied
	}
	f.book.called(time.Now(), int(f.calls.Add(1)))
	defer f.calls.Add(-1)
	if r.URL.Path == followed {
		f.book.Count(func(c *Counters) { c.Followed++ })
		http.NotFound(w, r)
		return
	}
	fault := f.plan.next(r, time.Now())
	if fault == nil {
		b.serve(w, r, body)
		if f.book.Lean {
			f.spare.Put(&body)
		}
		return
	}
	f.book.Count(func(c *Counters) { c.Faults[fault.Kind]++ })
	strike(w, r, body, fault, b)
}

// readBody reads the whole body into memory of its own, which the book keeps
// unless it is lean.
func (f *Front) readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	}
	var body []byte
	if spare, ok := f.spare.Get().(*[]byte); ok {
		body = *spare
	}
	if int64(cap(body)) < r.ContentLength {
		body = make([]byte, r.ContentLength)
	}
	body = body[:r.ContentLength]
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// answer writes a whole answer.
func answer(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	if status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	w.Write(body)
}
