package stream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// IsAway tells an error that says no more than that a server is not there, or that
// JetStream can't do it yet, as while a cluster elects who leads, from one that says
// what a person has to mend.
func IsAway(err error) bool {
	// The server's name may be unknown for as long as it is away.
	if at, ok := errors.AsType[*net.OpError](err); ok && at.Op == "dial" {
		return true
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok &&
		(api.Code == http.StatusServiceUnavailable || slices.Contains([]jetstream.ErrorCode{incomplete, noPeers, unavailable, notLeader}, api.ErrorCode)) {
		return true
	}
	return slices.ContainsFunc([]error{
		errNoAnswer, errUnavailable, context.DeadlineExceeded, jetstream.ErrJetStreamNotEnabled, jetstream.ErrNoStreamResponse,
		nats.ErrNoServers, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrConnectionClosed, nats.ErrDisconnected,
	}, func(away error) bool { return errors.Is(err, away) })
}

// Codes of nats-server that nats.go has no names for.
const (
	incomplete  = 10004
	noPeers     = 10005 // as long as not all nodes of a cluster are there
	unavailable = 10008
	notLeader   = 10009
)
