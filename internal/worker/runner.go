package worker

import (
	"context"
	"encoding/json"
	"fmt"
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
	journal journal
	log     zerolog.Logger
	rate    *pipeline.Rate

	owned    map[int]*owned // by shard; touched by heed and drop only
	gates    chan pipeline.Gate
	gate     atomic.Pointer[pipeline.Gate]
	resumed  time.Time // the last resume that was heeded
	compared bool      // the configuration was held against the layout's
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
	r.ledger = ledger
	r.loop = &pipeline.Destination{
		Name: d.Name, Sink: sink, Renderer: renderer,
		Ledger: ledger, Letters: w.streams.Letters(d.Name), Alarm: w.streams.Alarm(d.Name), Calls: &r.journal,
		Observer: &observer{
			log: r.log, gate: r.announce,
			calls:   w.metrics.calls.MustCurryWith(map[string]string{"destination": d.Name}),
			latency: w.metrics.latency.WithLabelValues(d.Name),
		},
		Batch:       pipeline.Batch{MaxRows: d.Batch.MaxRows, MaxBytes: int(d.Batch.MaxBytes), Linger: d.Batch.Linger},
		Concurrency: d.Rate.Concurrency, Timeout: d.Timeout, Rate: r.rate,
		Retry: d.Retry.Policy(), OnLeave: onLeave(d.OnLeave),
	}
	return r, nil
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
}

// heed acts on what the fleet and the operators say, and reports whether this
// worker has the shards that are its own.
func (r *runner) heed(ctx context.Context, m *stream.Member, board *stream.Board) bool {
	name := r.config.Name
	p, paused := board.Paused[name]
	r.loop.SetPaused(paused, p.Since, p.Note)
	if g, ok := board.Gates[name]; ok {
		switch {
		case g.Member == "" && g.State == string(pipeline.Running) && g.Since.After(r.resumed):
			if !r.resumed.IsZero() || time.Since(g.Since) < resumeWindow {
				r.loop.Resume(true)
			}
			r.resumed = g.Since
		case g.Member != "" && g.Member != m.ID():
			r.loop.Learn(pipeline.Gate{State: pipeline.GateState(g.State), Since: g.Since, Reason: g.Reason, Until: g.Until})
		}
	}
	return r.own(ctx, m, board)
}

// resumeWindow is how old a resume may be that a worker finds when it starts.
const resumeWindow = time.Minute

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
