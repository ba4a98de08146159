package ingress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/custsync/custsync/internal/intake"
	"github.com/custsync/custsync/pkg/events"
)

// publishLines publishes one event a line and answers with one result a line,
// once all have theirs. The status is the one that all have, else 207.
func (s *Server) publishLines(x *exchange) {
	limit := or(s.MaxBody, 32<<20)
	if x.req.ContentLength > limit {
		x.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("a body has at most %d bytes; send the lines in several requests", limit))
		return
	}
	body := http.MaxBytesReader(x.w, x.req.Body, limit)
	reader, err := intake.Open(body, "", intake.Options{Format: intake.NDJSON, Encoding: intake.UTF8, Plain: true}, intake.Position{})
	if err != nil {
		x.refuseBody(err)
		return
	}
	defer reader.Close()
	b := batch{s: s, x: x, maker: s.maker(x)}
	if trace := traceParent(x.req); trace != "" {
		b.trace = trace
	}
	b.read(reader)
	b.answer()
}

// batch is the lines of one request.
type batch struct {
	s       *Server
	x       *exchange
	maker   intake.Maker
	trace   string
	results []*result
	flying  []chan result // by line; nil: it was not sent
}

func (b *batch) read(reader *intake.Reader) {
	for {
		rec, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			b.end(len(b.results), err)
			return
		case len(b.results) == or(b.s.MaxLines, 10_000):
			b.stop(rec.Line, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request has at most %d lines; send this one and what follows in the next", len(b.results)))
			return
		}
		b.x.lines++
		b.line(rec)
	}
}

// end tells why the lines end before the body does.
func (b *batch) end(before int, err error) {
	line := 1
	if before > 0 {
		line = b.results[before-1].Line + 1
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		b.stop(line, http.StatusRequestEntityTooLarge, fmt.Sprintf("a body has at most %d bytes; send this line and what follows in the next request", or(b.s.MaxBody, 32<<20)))
		return
	}
	b.stop(line, http.StatusRequestTimeout, "the body did not come to its end: send this line and what follows again")
}

func (b *batch) stop(line, status int, why string) {
	b.results = append(b.results, &result{Line: line, Status: status, Error: why})
	b.flying = append(b.flying, nil)
}

// line sends one line; its result comes later.
func (b *batch) line(rec intake.Record) {
	err := rec.Err
	var made intake.Made
	if err == nil {
		made, err = b.maker.Make(rec.Doc, rec.Shop, time.Time{})
	}
	if err != nil {
		b.s.metrics.end(refused)
		b.stop(rec.Line, http.StatusBadRequest, err.Error())
		return
	}
	if b.trace != "" {
		made.TraceParent = b.trace
	}
	landed := make(chan result, 1)
	b.results = append(b.results, &result{Line: rec.Line})
	b.flying = append(b.flying, landed)
	// A line's time starts when it is sent, so that a long body is no reason to fail.
	ctx, cancel := context.WithTimeout(b.x.req.Context(), or(b.s.Store, 10*time.Second))
	err = b.s.Publisher.PublishRawAsync(ctx, made.Raw, func(ack events.Ack, err error) {
		cancel()
		landed <- b.s.outcome(made, ack, err)
	})
	if err != nil {
		cancel()
		landed <- b.s.outcome(made, events.Ack{}, err)
	}
}

// answer waits for all results.
func (b *batch) answer() {
	status := 0
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for i, r := range b.results {
		if landed := b.flying[i]; landed != nil {
			line := r.Line
			*r = <-landed
			r.Line = line
		}
		switch {
		case status == 0:
			status = r.Status
		case status != r.Status:
			status = http.StatusMultiStatus
		}
		encoder.Encode(r) //nolint:errcheck // a buffer takes it, and a result has nothing that JSON lacks
	}
	if status == 0 {
		b.x.refuse(http.StatusBadRequest, "the body holds no line")
		return
	}
	if status == http.StatusServiceUnavailable {
		b.x.w.Header().Set("Retry-After", "2")
	}
	b.x.w.Header().Set("Content-Type", "application/x-ndjson")
	b.x.begin(status)
	out.WriteTo(b.x.w) //nolint:errcheck // whoever asked is gone
}
