package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var errNotConnected = errors.New("not connected to NATS: check nats.url and that the server runs")

// IsAway tells an error that says no more than that a server is not there, or that
// JetStream can't do it yet, as while a cluster elects who leads, from one that says
// what a person has to mend.
func IsAway(err error) bool {
	// The server's name may be unknown for as long as it is away, and a server that
	// goes may do so in the middle of a greeting. What TLS refuses has other names.
	if at, ok := errors.AsType[*net.OpError](err); ok && slices.Contains([]string{"dial", "read", "write"}, at.Op) {
		return true
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok &&
		(api.Code == http.StatusServiceUnavailable || slices.Contains([]jetstream.ErrorCode{incomplete, noPeers, unavailable, notLeader}, api.ErrorCode)) {
		return true
	}
	return slices.ContainsFunc([]error{
		errNotConnected, errNoAnswer, errUnavailable, context.DeadlineExceeded, jetstream.ErrJetStreamNotEnabled, jetstream.ErrNoStreamResponse,
		io.EOF, io.ErrUnexpectedEOF, nats.ErrStaleConnection, nats.ErrNoServers, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrConnectionClosed, nats.ErrDisconnected,
	}, func(away error) bool { return errors.Is(err, away) })
}

// Codes of nats-server that nats.go has no names for.
const (
	incomplete  = 10004
	noPeers     = 10005 // as long as not all nodes of a cluster are there
	unavailable = 10008
	notLeader   = 10009
)
