package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestIsAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		away bool
	}{
		{&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, true},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, false},
		{io.EOF, true},
		{errNotConnected, true},
		{nats.ErrNoServers, true},
		{nats.ErrAuthorization, false},
		{&jetstream.APIError{Code: 503, ErrorCode: unavailable}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: noPeers}, true},
		{&jetstream.APIError{Code: 500, ErrorCode: 10074}, false},
		{errors.New("the stream has 16 partitions"), false},
	} {
		if got := IsAway(fmt.Errorf("ledger: %w", c.err)); got != c.away {
			t.Errorf("%v: got %t, want %t", c.err, got, c.away)
		}
	}
}
