package sinks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

// While returns a context whose calls write to the provider only as long as may
// returns nil, its error being a *retry.Error that is marked unsent. It is asked
// before every single write: a process that was frozen in the middle of a call
// finds out before it lets out what somebody else may have overtaken. May has to
// be fast, and safe to call from any goroutine.
func While(ctx context.Context, may func() error) context.Context {
	return context.WithValue(ctx, whileKey{}, may)
}

type whileKey struct{}

// turn is one call's right to write to a connection.
type turn struct {
	ctx     context.Context
	may     func() error // nil: there is nothing to ask
	guarded atomic.Bool  // the call's connection asks before it writes
	wrote   atomic.Bool  // the provider may have something of the call
	refused atomic.Pointer[retry.Error]
}

func newTurn(ctx context.Context) *turn {
	may, _ := ctx.Value(whileKey{}).(func() error)
	return &turn{ctx: ctx, may: may}
}

// trace is how the turn comes to the connection that the call is given.
func (t *turn) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			conn := got.Conn
			if secure, ok := conn.(*tls.Conn); ok {
				conn = secure.NetConn()
			}
			if w, ok := conn.(*wire); ok {
				t.guarded.Store(true)
				w.turn.Store(t)
			}
		},
		// Where the connection can't tell: headers are written to a buffer first
		// and a body only after them, so that nothing went out before that.
		WroteHeaders: func() {
			if !t.guarded.Load() {
				t.wrote.Store(true)
			}
		},
	}
}

// allows returns why the call may not be written any further. It reads the
// clock: after a freeze the context's own timer may not have fired yet.
func (t *turn) allows() error {
	if deadline, ok := t.ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	if t.may == nil {
		return nil
	}
	if err := t.may(); err != nil {
		t.refused.Store(retry.Of(err))
		return err
	}
	return nil
}

// wire is a connection that asks before it writes.
type wire struct {
	net.Conn
	turn atomic.Pointer[turn] // of the call that it was given to last
}

// dialWire connects as the dialer does. Closing such a connection resets it: what
// the kernel still holds of a call that was given up, or whose process was killed,
// is thrown away, and not sent when the way to the provider is open again, long
// after a newer version went another way.
func dialWire(dialer *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			if err := tcp.SetLinger(0); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
		}
		return &wire{Conn: conn}, nil
	}
}

func (w *wire) Write(p []byte) (int, error) {
	t := w.turn.Load()
	if t == nil { // a handshake, which tells the provider of no row
		return w.Conn.Write(p)
	}
	return writeAsking(w.Conn, p, func() error {
		if err := t.allows(); err != nil {
			return err
		}
		t.wrote.Store(true)
		return nil
	})
}
