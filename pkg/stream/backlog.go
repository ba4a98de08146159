package stream

import (
	"context"
	"fmt"
)

// Retrying counts the wake-ups of a destination whose time has not come.
func (s *Streams) Retrying(ctx context.Context, destination string) (uint64, error) {
	return s.count(ctx, Wakeups, schedulePrefix+destination+".>")
}

// count tells how many messages of a filter a stream holds: a consumer is asked
// for what it would deliver, since the stream itself would list every subject.
func (s *Streams) count(ctx context.Context, stream, filter string) (uint64, error) {
	r := &reader{nc: s.nc, js: s.js, stream: stream, filters: []string{filter}, name: "count", headers: true}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return 0, fmt.Errorf("count %s: %w", filter, err)
	}
	return r.pending, nil
}
