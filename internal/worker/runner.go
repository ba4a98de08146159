package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/stream"
)

// runner is one destination on this worker: its loop, and the shards that are
// this worker's.
type runner struct {
	config  *config.Destination
	loop    *pipeline.Destination
	streams *stream.Streams
	ledger  *stream.Ledger
	trunk   *stream.Trunk
	journal journal
	log     zerolog.Logger
	rate    *pipeline.Rate
	shares  *stream.Shares
	sharing *sharing // of the membership in force

	owned    map[int]*owned // by shard; touched by heed and drop only
	closing  sync.WaitGroup // of shards that were given up
	gates    chan pipeline.Gate
	gate     atomic.Pointer[pipeline.Gate]
	heard    atomic.Bool // it was told that it is paused, or no longer
	vetted   atomic.Bool // the streams are those of before
	foreign  bool        // they are not, and a person has to accept them
	compared bool        // the configuration was held against the layout's
	backlog  atomic.Pointer[backlog]
	speed    speed
}

// newRunner makes a destination's loop, and its layout in the streams.
func (w *Worker) newRunner(ctx context.Context, d *config.Destination) (*runner, error) {
	r := &runner{
		config: d, streams: w.streams, log: w.Log.With().Str(logDestination, d.Name).Logger(),
		rate: pipeline.NewRate(d.Rate.CallsPerSecond), owned: map[int]*owned{}, gates: make(chan pipeline.Gate, 1),
	}
	sink, renderer, err := w.Make(d, sinks.Caller{Before: r.rate.Before, Timeout: d.Timeout})
	if err != nil {
		return nil, fmt.Errorf("destination %s: %w", d.Name, err)
	}
	if d.Formerly != "" {
		if err := w.streams.Rename(ctx, d.Formerly, d.Name); err != nil {
			return nil, fmt.Errorf("destination %s: carry over from %s: %w", d.Name, d.Formerly, err)
		}
	}
	ledger, err := w.streams.Ledger(ctx, d.Name)
	if err != nil {
		return nil, fmt.Errorf("destination %s: %w", d.Name, err)
	}
	r.ledger, r.trunk, r.shares = ledger, w.streams.NewTrunk(d.Name), w.streams.Shares(d.Name)
	r.rate.Set(0, false) // until the fleet has given it a part
	r.loop = &pipeline.Destination{
		Name: d.Name, Sink: sink, Renderer: renderer,
		Ledger: ledger, Letters: w.streams.Letters(d.Name), Alarm: w.streams.Alarm(d.Name), Calls: &r.journal,
		States: w.streams.NewestStates(),
		Keeper: w.streams.Keeper(names(w.Config.Destinations)),
		Observer: &observer{
			log: r.log, gate: r.announce,
			calls:   w.metrics.calls.MustCurryWith(map[string]string{"destination": d.Name}),
			latency: w.metrics.latency.WithLabelValues(d.Name),
		},
		Batch:       pipeline.Batch{MaxRows: d.Batch.MaxRows, MaxBytes: int(d.Batch.MaxBytes), Linger: d.Batch.Linger},
		Concurrency: d.Rate.Concurrency, Shared: true, Timeout: d.Timeout, Rate: r.rate,
		Retry: d.Retry.Policy(), OnLeave: onLeave(d.OnLeave),
	}
	return r, nil
}

func names(destinations []config.Destination) []string {
	all := make([]string, len(destinations))
	for i := range destinations {
		all[i] = destinations[i].Name
	}
	return all
}

func onLeave(o config.OnLeave) pipeline.OnLeave {
	switch o {
	case config.LeaveDelete:
		return pipeline.LeaveDelete
	case config.LeaveKeep:
		return pipeline.LeaveKeep
	case config.LeaveUpdate:
	}
	return pipeline.LeaveUpdate
}

// announce hands the newest gate to tellGate; one that it did not come to is
// outdated.
func (r *runner) announce(g pipeline.Gate) {
	r.gate.Store(&g)
	for {
		select {
		case r.gates <- g:
			return
		default:
		}
		select {
		case <-r.gates:
		default:
		}
	}
}

// tellGate lets the fleet and the operators know of the gate.
func (r *runner) tellGate(ctx context.Context) {
	for {
		var g pipeline.Gate
		select {
		case g = <-r.gates:
		case <-ctx.Done():
			return
		}
		if g.State == pipeline.Paused {
			continue // a person said so, in a record of its own
		}
		told := stream.Gate{State: string(g.State), Since: g.Since, Reason: g.Reason, Until: g.Until, Member: r.journal.member()}
		if err := r.streams.SetGate(ctx, r.config.Name, told); err != nil && ctx.Err() == nil {
			r.log.Warn().Err(err).Msg("tell the gate")
			pause(ctx, time.Second)
			if g := r.gate.Load(); g != nil && len(r.gates) == 0 {
				r.announce(*g)
			}
		}
	}
}

// journal is that of the membership in force: a worker that joins anew begins a
// new one, and what the old one holds is in doubt.
type journal struct{ of atomic.Pointer[membership] }

type membership struct {
	id    string
	calls *stream.Calls
}

func (j *journal) Open(ctx context.Context, slot int, call pipeline.OpenCall) error {
	return j.of.Load().calls.Open(ctx, slot, call)
}

func (j *journal) Close(ctx context.Context, slots []int) error {
	return j.of.Load().calls.Close(ctx, slots)
}

func (j *journal) member() string {
	if m := j.of.Load(); m != nil {
		return m.id
	}
	return ""
}

// join makes the runner work under a membership.
func (r *runner) join(m *stream.Member) {
	r.journal.of.Store(&membership{m.ID(), m.Calls(r.config.Name)})
	r.vetted.Store(false)
}

// heed acts on what the fleet and the operators say, and reports whether this
// worker has the shards that are its own.
func (r *runner) heed(ctx context.Context, m *stream.Member, board *stream.Board) bool {
	if p, paused := board.Paused[r.config.Name]; !r.heard.Load() {
		r.loop.SetPaused(paused, p.Since, p.Note) // before it has any shard
	}
	return r.own(ctx, m, board)
}

// stats is what this worker tells of its destinations, by their names.
func (w *Worker) stats() json.RawMessage {
	all := map[string]Stats{}
	for _, r := range w.runners {
		all[r.config.Name] = r.stats()
	}
	data, err := json.Marshal(all)
	if err != nil {
		return nil // cannot be: Stats has numbers only
	}
	return data
}
