package ingress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/internal/intake"
	"github.com/custsync/custsync/pkg/events"
)

// result says what became of one event.
type result struct {
	Line      int    `json:"line,omitzero"` // of NDJSON
	Status    int    `json:"status"`        // 202 stored; else as an answer of its own would have
	Customer  string `json:"customer,omitzero"`
	ID        string `json:"id,omitzero"` // of the event
	Version   int64  `json:"version"`
	Seq       uint64 `json:"seq,omitzero"`
	Duplicate bool   `json:"duplicate,omitzero"` // this id was stored before
	Error     string `json:"error,omitzero"`
}

func (s *Server) publish(x *exchange) {
	if coding := x.req.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		x.refuse(http.StatusUnsupportedMediaType, "send the body without a Content-Encoding")
		return
	}
	kind := x.req.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(kind); err == nil {
		kind = media
	}
	switch strings.ToLower(kind) {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines":
		s.publishLines(x)
	case "application/json", "application/cloudevents+json", "", "application/x-www-form-urlencoded": // what curl -d says
		s.publishOne(x)
	default:
		x.refuse(http.StatusUnsupportedMediaType, "want application/json for one customer or event, application/x-ndjson for one a line")
	}
}

func (s *Server) publishOne(x *exchange) {
	if x.req.ContentLength > maxSingle {
		x.refuse(http.StatusRequestEntityTooLarge, tooLarge)
		return
	}
	doc, err := io.ReadAll(http.MaxBytesReader(x.w, x.req.Body, maxSingle))
	if err != nil {
		x.refuseBody(err)
		return
	}
	x.lines = 1
	maker := s.maker(x)
	maker.ID = x.req.Header.Get("Idempotency-Key")
	made, err := maker.Make(bytes.TrimSpace(doc), "", time.Time{})
	if err != nil {
		s.metrics.end(refused)
		x.refuse(http.StatusBadRequest, err.Error())
		return
	}
	s.store(x, made)
}

const tooLarge = "an event has at most 512 KiB"

// refuseBody says why a body could not be read.
func (x *exchange) refuseBody(err error) {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		x.refuse(http.StatusRequestEntityTooLarge, tooLarge)
		return
	}
	x.refuse(http.StatusRequestTimeout, "the body did not come to its end in time")
}

func (s *Server) maker(x *exchange) intake.Maker {
	return intake.Maker{Shop: x.req.PathValue("shop"), Clock: &s.clock}
}

// store publishes one event and answers.
func (s *Server) store(x *exchange, made intake.Made) {
	ctx, cancel := context.WithTimeout(x.req.Context(), or(s.Store, 10*time.Second))
	defer cancel()
	if trace := traceParent(x.req); trace != "" {
		made.TraceParent = trace
	}
	landed := make(chan result, 1)
	err := s.Publisher.PublishRawAsync(ctx, made.Raw, func(ack events.Ack, err error) { landed <- s.outcome(made, ack, err) })
	if err != nil {
		landed <- s.outcome(made, events.Ack{}, err)
	}
	r := <-landed
	if r.Status == http.StatusAccepted {
		x.answer(r.Status, r)
		return
	}
	if r.Status == http.StatusServiceUnavailable {
		x.later(problem{Detail: r.Error, ID: r.ID, Version: r.Version})
		return
	}
	x.refuse(r.Status, r.Error)
}

// outcome is what an answer of JetStream means to the caller.
func (s *Server) outcome(made intake.Made, ack events.Ack, err error) result {
	r := result{Status: http.StatusAccepted, Customer: made.Customer, ID: made.ID, Version: made.Version, Seq: ack.Seq, Duplicate: ack.Duplicate}
	switch {
	case err == nil && ack.Duplicate:
		s.metrics.end(duplicate)
	case err == nil:
		s.metrics.end(stored)
	case errors.Is(err, nats.ErrMaxPayload):
		s.metrics.end(refused)
		r.Status, r.Error = http.StatusRequestEntityTooLarge, err.Error()
	default:
		s.metrics.end(unavailable)
		r.Status, r.Error = http.StatusServiceUnavailable, reason(err)
	}
	return r
}

// reason leaves out what is only of use to whoever runs the server.
func reason(err error) string {
	switch {
	case errors.Is(err, events.ErrNoStream):
		return "the stream is not there; come back"
	case errors.Is(err, events.ErrUnconfirmed):
		return "not confirmed in time: it may be stored or not; send it again with this id as Idempotency-Key, and this version in it"
	}
	return "it could not be stored; come back"
}

func (s *Server) remove(x *exchange) {
	x.lines = 1
	version := events.Opt[int64]{}
	given := x.req.URL.Query()
	for name := range given {
		if name != "version" { // a slip in its name would make time the version
			s.metrics.end(refused)
			x.refuse(http.StatusBadRequest, "want no parameter but version")
			return
		}
	}
	if given.Has("version") {
		v, err := strconv.ParseInt(given.Get("version"), 10, 64)
		if err != nil || v < 0 || v > events.MaxVersion {
			s.metrics.end(refused)
			x.refuse(http.StatusBadRequest, "version: want a whole number from 0 to 2^53-1")
			return
		}
		version = events.Some(v)
	}
	ev := events.Event{
		ID: x.req.Header.Get("Idempotency-Key"), Type: events.Deleted, Shop: x.req.PathValue("shop"), Time: s.clock.Next(),
		Customer: events.Customer{ID: x.req.PathValue("id"), Version: version},
	}
	raw, err := s.Publisher.Prepare(&ev)
	if err == nil {
		err = raw.Check()
	}
	if err != nil {
		s.metrics.end(refused)
		x.refuse(http.StatusBadRequest, err.Error())
		return
	}
	made := intake.Made{Raw: raw, Type: events.Deleted, Version: ev.Time.UnixMicro()}
	if version.Has() {
		made.Version = version.V
	}
	s.store(x, made)
}
