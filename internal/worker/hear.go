package worker

import (
	"context"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// hear acts at once on what others say of the destinations, whatever else the
// worker is about, until ctx ends.
func (w *Worker) hear(ctx context.Context) {
	began := time.Now()
	on := func(destination string, do func(r *runner)) {
		for _, r := range w.runners {
			if r.config.Name == destination {
				do(r)
			}
		}
	}
	w.streams.Hear(ctx, stream.Ears{
		Gate: func(destination string, g stream.Gate) {
			on(destination, func(r *runner) { r.hearGate(g, began) })
		},
		Paused: func(destination string, p *stream.Paused) {
			on(destination, func(r *runner) { r.hearPaused(p) })
		},
		Share: func(destination string) {
			on(destination, func(r *runner) { r.shares.Heard() })
		},
	})
}

// resumeWindow is how old a resume may be that a worker finds when it starts.
const resumeWindow = time.Minute

// hearGate learns from another worker's gate, and tries at once where a person
// said so. Of what was said before this worker began only a time counts that the
// provider named: the rest it finds out by itself.
func (r *runner) hearGate(g stream.Gate, began time.Time) {
	state := pipeline.GateState(g.State)
	switch {
	case g.Member == "" && g.Reason == stream.Accepted: // which vet heeds
	case g.Member == "" && state == pipeline.Running:
		if g.Since.After(began) || time.Since(g.Since) < resumeWindow {
			r.loop.Resume(true)
		}
	case g.Member == "" || g.Member == r.journal.member():
	case state == pipeline.Throttled || g.Since.After(began):
		r.loop.Learn(pipeline.Gate{State: state, Since: g.Since, Reason: g.Reason, Until: g.Until})
	}
}

func (r *runner) hearPaused(p *stream.Paused) {
	r.heard.Store(true)
	if p == nil {
		p = new(stream.Paused)
	}
	r.loop.SetPaused(!p.Since.IsZero(), p.Since, p.Note)
}
