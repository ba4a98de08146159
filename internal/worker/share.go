package worker

import (
	"context"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// sharing holds a destination to its part of the fleet's limits under one membership.
type sharing struct {
	sharer *pipeline.Sharer
	stop   context.CancelFunc
	ended  chan struct{}
}

// share begins to share the destination's limits as a member.
func (r *runner) share(m *stream.Member) {
	ctx, stop := context.WithCancel(m.Context())
	s := &sharing{stop: stop, ended: make(chan struct{}), sharer: &pipeline.Sharer{
		Destination: r.loop, Rate: r.rate, Shares: r.shares, Member: m.ID(),
		Limits: pipeline.Share{Concurrency: r.config.Rate.Concurrency, CallsPerSecond: r.config.Rate.CallsPerSecond},
	}}
	r.sharing = s
	go func() {
		defer close(s.ended)
		s.sharer.Run(ctx)
	}()
}

// unshare ends it, after the last call, and gives this worker's part back.
func (r *runner) unshare(ctx context.Context) {
	r.sharing.stop()
	<-r.sharing.ended
	if err := r.sharing.sharer.Leave(ctx); err != nil {
		// Its part is given out when the membership is over.
		r.log.Warn().Err(err).Msg("give back a part of the limits")
	}
}
