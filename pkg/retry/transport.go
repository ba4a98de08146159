package retry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// FromTransport returns what it means that an HTTP exchange ended without a
// whole answer. It is unsent when the connection did not come about; whoever
// watched the exchange may know more and mark it so.
//
// Its text is made of what the operating system and TLS say. Anything else, such
// as a parser's complaint, may repeat what the provider wrote, and URLs carry
// secrets and customers' ids: of those only the kind of error is told.
func FromTransport(err error) *Error {
	e := &Error{Code: "broken", Err: fmt.Errorf("exchange broke off (%T)", innermost(err))}
	var (
		dns    *net.DNSError
		op     *net.OpError
		record tls.RecordHeaderError
		slow   net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		e.Code, e.Err = "canceled", context.Canceled
	case errors.Is(err, http.ErrSchemeMismatch):
		// The address says https and the server there speaks http.
		e.Class, e.Code, e.Unsent, e.Err = Blocked, "tls", true, http.ErrSchemeMismatch
	case errors.As(err, &dns):
		e.Code, e.Unsent, e.Err = "dns", true, dns
	case isUntrusted(err):
		e.Code, e.Unsent, e.Err = "tls", true, innermost(err)
	case errors.As(err, &record), errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		e.Code, e.Err = "tls", errors.New("tls broke off") // in the handshake or after it
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Code, e.Unsent, e.Err = "refused", true, syscall.ECONNREFUSED
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &slow) && slow.Timeout():
		e.Code, e.Err = "timeout", context.DeadlineExceeded
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		e.Code, e.Err = "reset", errors.New("connection reset")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Code, e.Err = "cut", errors.New("answer cut off")
	}
	if errors.As(err, &op) && op.Op == "dial" {
		e.Unsent = true
		if e.Code == "broken" { // no route, network unreachable and their kin
			e.Code, e.Err = "unreachable", fmt.Errorf("dial: %w", op.Err)
		}
	}
	e.Over = e.Unsent
	return e
}

// isUntrusted reports whether the server's certificate was refused. That is an
// outage like a closed port: it is over when the certificate is renewed.
func isUntrusted(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &verify) || errors.As(err, &authority) ||
		errors.As(err, &host) || errors.As(err, &invalid)
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
