package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// Alarm keeps one destination's wake-ups as JetStream message schedules: the
// server itself turns at.<destination>.<key> into wake.<destination>.<key> when
// the time has come, also when it was down then.
type Alarm struct {
	streams     *Streams
	destination string
}

var _ pipeline.Alarm = (*Alarm)(nil)

// Alarm returns a destination's wake-ups.
func (s *Streams) Alarm(destination string) *Alarm { return &Alarm{s, destination} }

// wakeBody is what a wake-up says. The event is not in it: the customer's newest
// state is read when the time has come.
type wakeBody struct {
	Cause pipeline.Cause `json:"cause"`
	Force bool           `json:"force"`
}

// Set stores wake-ups and returns once all are stored. They never fire early.
func (a *Alarm) Set(ctx context.Context, wakeups []pipeline.Wakeup) error {
	now := time.Now() // the zero time is no time to the server, and never comes
	bodies := make([][]byte, len(wakeups))
	for i, w := range wakeups {
		body, err := json.Marshal(wakeBody{w.Cause, w.Force})
		if err != nil {
			return fmt.Errorf("set wake-ups: %w", err)
		}
		bodies[i] = body
	}
	answers, err := a.streams.post.send(ctx, len(wakeups), func(i int, m *nats.Msg) bool {
		w := &wakeups[i]
		tail := a.destination + "." + w.Key
		m.Subject, m.Data = schedulePrefix+tail, bodies[i]
		// Not nats.go's own option, which cuts the time to whole seconds.
		setHeader(m, "Nats-Schedule", "@at "+later(w.At, now).UTC().Format(time.RFC3339Nano))
		setHeader(m, "Nats-Schedule-Target", wakePrefix+tail)
		return true
	})
	for i := range answers {
		if err == nil {
			err = answers[i].err()
		}
	}
	if err != nil {
		return fmt.Errorf("set wake-ups: %w", err)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
