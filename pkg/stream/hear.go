package stream

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Ears are what a worker hears of the others at once, each as it is when the
// hearing begins and after every change. They are called from one goroutine and
// must not wait for long.
type Ears struct {
	Gate   func(destination string, g Gate)
	Paused func(destination string, p *Paused) // nil: it is not, or no longer
	Share  func(destination string)            // who has what of its limits has changed
}

// hearPause is how long the hearing rests when the stream is away.
const hearPause = time.Second

// Hear hears until ctx ends. What changes again and again may be heard less often.
func (s *Streams) Hear(ctx context.Context, ears Ears) {
	r := &reader{nc: s.nc, stream: workersStream, name: "ears"}
	for _, kind := range []string{gateKey, pausedKey, shareKey} {
		r.filters = append(r.filters, workersPrefix+kind+">")
	}
	defer r.close()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for ctx.Err() == nil {
		if err := r.read(ctx, largest, func(m *nats.Msg, _ delivery) { ears.hear(m) }); err == nil {
			continue
		}
		rest.Reset(hearPause)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
	}
}

// hear tells of one record. One that can't be read is of a later custsync.
func (e *Ears) hear(m *nats.Msg) {
	kind, destination, _ := strings.Cut(strings.TrimPrefix(m.Subject, workersPrefix), ".")
	switch kind + "." {
	case shareKey:
		e.Share(destination)
	case gateKey:
		var g Gate
		if len(m.Data) > 0 && json.Unmarshal(m.Data, &g) == nil {
			e.Gate(destination, g)
		}
	case pausedKey:
		var p *Paused
		if len(m.Data) == 0 || json.Unmarshal(m.Data, &p) == nil {
			e.Paused(destination, p)
		}
	}
}
