package ops

import (
	"sync"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
)

// Renderers make the destinations' rows as their workers do, without any call.
type Renderers struct {
	Make worker.Maker

	mu   sync.Mutex
	made map[string]pipeline.Renderer
}

// of returns the renderer of a destination.
func (r *Renderers) of(c *config.Destination) (pipeline.Renderer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if made := r.made[c.Name]; made != nil {
		return made, nil
	}
	_, renderer, err := r.Make(c, sinks.Caller{})
	if err != nil {
		return nil, err
	}
	if r.made == nil {
		r.made = map[string]pipeline.Renderer{}
	}
	r.made[c.Name] = renderer
	return renderer, nil
}
