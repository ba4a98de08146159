package sandbox

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// followed is where redirects lead that name no place of their own. No sink may
// ever call it.
const followed = "/_followed"

// page is what a bot filter answers in place of the API.
const page = "<!DOCTYPE html>\n<html><head><title>Checking your browser</title></head>\n" +
	"<body><noscript>Please enable JavaScript to continue.</noscript></body></html>\n"

// retryAfter is how a refusal says when to come back; the zero value says nothing.
type retryAfter struct {
	wait time.Duration
	date bool
}

// set writes the header.
func (a retryAfter) set(h http.Header) {
	switch {
	case a.wait <= 0:
	case a.date:
		// A date has whole seconds: rounded up, so that it is never too early.
		h.Set("Retry-After", time.Now().Add(a.wait+time.Second).UTC().Format(http.TimeFormat))
	default:
		h.Set("Retry-After", a.seconds())
	}
}

// seconds is the wait in whole seconds, rounded up.
func (a retryAfter) seconds() string {
	return strconv.Itoa(int((a.wait + time.Second - 1) / time.Second))
}

// strike answers a call that met a fault.
func strike(w http.ResponseWriter, r *http.Request, body []byte, f *Fault, b back) {
	if f.Kind != Slow && !wait(r, f.Delay, f.Late) {
		return
	}
	if f.Applied {
		switch f.Kind {
		case Status, HTML, Redirect, Reset:
			b.serve(&recorder{}, r, body)
		}
	}
	switch f.Kind {
	case Status:
		status := f.Status
		if status == 0 {
			status = http.StatusServiceUnavailable
		}
		refuse(w, f, status, b)
	case Throttle:
		refuse(w, f, http.StatusTooManyRequests, b)
	case HTML:
		text := f.Body
		if text == "" {
			text = page
		}
		answer(w, http.StatusOK, "text/html; charset=utf-8", []byte(text))
	case Redirect:
		to := f.Location
		if to == "" {
			to = followed
		}
		w.Header().Set("Location", to)
		answer(w, http.StatusFound, "text/html; charset=utf-8", nil)
	case Reset:
		reset(w)
	case Slow:
		rec := record(r, body, b)
		if wait(r, f.Delay, false) {
			rec.copyTo(w, "", len(rec.body))
		}
	case Cut:
		rec := record(r, body, b)
		rec.copyTo(w, "", len(rec.body)/2)
		reset(w)
	case Mistyped:
		rec := record(r, body, b)
		rec.copyTo(w, "text/plain", len(rec.body))
	case RowLost, RowError, ShortLog, Reorder:
		b.serve(w, r.WithContext(context.WithValue(r.Context(), rowFault{}, f)), body)
	case Delay:
		b.serve(w, r, body)
	}
}

// refuse answers with a status for the whole call.
func refuse(w http.ResponseWriter, f *Fault, status int, b back) {
	after := retryAfter{wait: f.RetryAfter, date: f.RetryDate}
	if f.Body == "" {
		b.refuse(w, status, after)
		return
	}
	after.set(w.Header())
	answer(w, status, "text/html; charset=utf-8", []byte(f.Body))
}

// wait waits; it reports false when the caller has gone and the call is not to
// be applied any more.
func wait(r *http.Request, d time.Duration, late bool) bool {
	if d <= 0 {
		return true
	}
	gone := r.Context().Done()
	if late {
		gone = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-gone:
		return false
	}
}

// reset ends the connection so that the caller sees a reset, not an end.
func reset(w http.ResponseWriter) {
	http.NewResponseController(w).Flush()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and recorders: the nearest there is
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// rowFault is the context key under which a row's fault travels to the provider.
type rowFault struct{}

// faultOf returns the fault that the rows of a call meet. Without one its
// methods say that no row meets any.
func faultOf(r *http.Request) *Fault {
	f, _ := r.Context().Value(rowFault{}).(*Fault)
	return f
}

// refuses reports whether the row is to be refused, and with which status.
func (f *Fault) refuses(i, rows int, key []byte) (status int, yes bool) {
	if f == nil || f.Kind != RowError || !f.names(i, rows, key) {
		return 0, false
	}
	if f.Status == 0 {
		return http.StatusServiceUnavailable, true
	}
	return f.Status, true
}

// loses reports whether the row's result is to be left out.
func (f *Fault) loses(i, rows int, key []byte) bool {
	if f == nil {
		return false
	}
	return f.Kind == ShortLog && i == rows-1 || f.Kind == RowLost && f.names(i, rows, key)
}

// reorders reports whether the results are to come in another order.
func (f *Fault) reorders() bool { return f != nil && f.Kind == Reorder }

func (f *Fault) names(i, rows int, key []byte) bool {
	if f.Key != "" {
		return f.Key == string(key)
	}
	return i == f.Row%rows
}
