// Package worker puts the parts together: a NATS server of its own or the one
// that is configured, the streams, a membership in the fleet, and one loop for
// each destination with the shards that fall to this worker.
//
// Promises: a worker that is told to stop finishes what is in flight within the
// grace time, hands the rest back and ends without an error; while NATS is away
// it waits and comes back by itself.
package worker

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/stream"
)

// Maker makes the sink and the renderer of a destination. The caller given is
// what the sink makes its calls with.
type Maker func(d *config.Destination, caller sinks.Caller) (sinks.Sink, pipeline.Renderer, error)

// Worker is one worker of the fleet. The fields are set before Run.
type Worker struct {
	Config *config.Config
	Make   Maker
	Site   Site // nil: health and metrics only
	Log    zerolog.Logger
	Name   string // begins the member's id; the host's name if empty
	// Listener serves HTTP; nil: one is opened at Config.HTTP.Listen. Run closes it.
	Listener net.Listener

	runners []*runner
	made    atomic.Bool // runners are all there
	metrics *metrics
	ready   atomic.Bool // the shards have settled
	nc      *nats.Conn
	streams *stream.Streams
}

// Run works until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	if w.Name == "" {
		w.Name, _ = os.Hostname()
	}
	w.metrics = newMetrics()
	web, err := w.listen()
	if err != nil {
		return err
	}
	defer web.close()
	server, err := w.embed()
	if err != nil {
		return err
	}
	if server != nil {
		defer server.Shutdown()
	}
	if w.nc, err = w.connect(ctx); err != nil || w.nc == nil {
		return err
	}
	defer w.nc.Close()
	if w.streams, err = w.open(ctx); err != nil || w.streams == nil {
		return err
	}
	defer w.streams.Close()
	return w.work(ctx, web)
}

// work runs the loops and the membership, and ends them in order.
func (w *Worker) work(ctx context.Context, web *web) error {
	for i := range w.Config.Destinations {
		r, err := w.begin(ctx, &w.Config.Destinations[i])
		if err != nil || r == nil {
			return err
		}
		w.runners = append(w.runners, r)
	}
	w.made.Store(true)
	if opened, err := web.open(ctx, w); err != nil || !opened {
		return err
	}
	// Calls in flight may finish within the grace time after ctx has ended.
	calls, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	stopped := context.AfterFunc(ctx, func() {
		w.Log.Info().Dur("grace", w.Config.Workers.Grace).Msg("stopping")
		grace := time.NewTimer(w.Config.Workers.Grace)
		defer grace.Stop()
		select {
		case <-grace.C:
			giveUp()
		case <-calls.Done():
		}
	})
	defer stopped()

	var loops, others sync.WaitGroup
	side, endSide := context.WithCancel(context.WithoutCancel(ctx))
	for _, r := range w.runners {
		loops.Go(func() {
			if err := r.loop.Run(ctx, calls); err != nil {
				w.Log.Error().Err(err).Str(logDestination, r.config.Name).Msg("loop")
			}
		})
		others.Go(func() { r.tellGate(side) })
		others.Go(func() { r.look(side) })
	}
	others.Go(func() { w.hear(side) })
	w.belong(ctx, &loops)
	loops.Wait()
	giveUp()
	for _, r := range w.runners {
		r.closing.Wait()
	}
	endSide()
	web.close()
	others.Wait()
	w.Log.Info().Msg("stopped")
	return nil
}

// belong is a member of the fleet until ctx ends, and joins anew when the
// membership was lost.
func (w *Worker) belong(ctx context.Context, loops *sync.WaitGroup) {
	for ctx.Err() == nil {
		m, err := w.streams.Join(ctx, w.Name, w.Config.Workers.Lease, w.stats)
		if err != nil {
			w.Log.Error().Err(err).Msg("join the fleet")
			w.tryAnother(ctx)
			pause(ctx, time.Second)
			continue
		}
		w.Log.Info().Str(logWorker, m.ID()).Msg("joined")
		for _, r := range w.runners {
			r.join(m)
			r.share(m)
		}
		w.serve(ctx, m)
		w.ready.Store(false)
		if ctx.Err() != nil {
			loops.Wait()
		}
		// What is stored last may take its time even where ctx has ended.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Config.Workers.Lease)
		for _, r := range w.runners {
			r.drop(last)
			r.unshare(last)
			if err := r.streams.Remember(last, r.config.Name); err != nil {
				w.Log.Warn().Err(err).Msg("remember the streams")
			}
		}
		if err := m.Leave(last); err != nil {
			w.Log.Warn().Err(err).Msg("leave the fleet")
		}
		cancel()
	}
	loops.Wait()
}

// tryAnother goes to another server, where there is one: this one may be cut off
// from the rest of its cluster, and still be there for its clients.
func (w *Worker) tryAnother(ctx context.Context) {
	if ctx.Err() != nil || len(w.nc.Servers()) < 2 {
		return
	}
	if err := w.nc.ForceReconnect(); err != nil {
		w.Log.Warn().Err(err).Msg("try another nats server")
	}
}

// serve takes and gives up shards as the fleet changes, until ctx or the
// membership ends.
func (w *Worker) serve(ctx context.Context, m *stream.Member) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.Context(), cancel)()
	changed := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		w.streams.Changes(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	defer watching.Wait()
	tick := time.NewTicker(w.Config.Workers.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		board, err := w.streams.Board(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Error().Err(err).Msg("read what the workers tell")
			}
			continue
		}
		settled := true
		for _, r := range w.runners {
			settled = r.heed(ctx, m, board) && settled
		}
		w.ready.Store(settled)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
