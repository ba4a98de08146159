package stream

import (
	"context"
	"errors"

	"github.com/custsync/custsync/pkg/pipeline"
)

const shareKey = "share."

// shareRecord says who has what of a destination's limits.
type shareRecord struct {
	Claims pipeline.Claims `json:"claims"`
}

// Shares are the claims of a destination's workers on its limits, as one worker
// reads and writes them.
type Shares struct {
	streams *Streams
	key     string
	changed chan struct{}
}

var _ pipeline.Shares = (*Shares)(nil)

// Shares returns a destination's claims. Whoever hears that their record has
// changed calls Heard.
func (s *Streams) Shares(destination string) *Shares {
	return &Shares{s, shareKey + destination, make(chan struct{}, 1)}
}

// Heard notes that the record has changed.
func (s *Shares) Heard() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Changed implements pipeline.Shares.
func (s *Shares) Changed() <-chan struct{} { return s.changed }

// Read implements pipeline.Shares.
func (s *Shares) Read(ctx context.Context) (pipeline.Claims, uint64, error) {
	var r shareRecord
	revision, _, err := s.streams.record(ctx, s.key, &r)
	return r.Claims, revision, err
}

// Write implements pipeline.Shares.
func (s *Shares) Write(ctx context.Context, claims pipeline.Claims, revision uint64) (uint64, error) {
	revision, err := s.streams.setRecord(ctx, s.key, revision, shareRecord{claims})
	if errors.Is(err, ErrConflict) {
		return 0, nil
	}
	return revision, err
}

// Over implements pipeline.Shares. That a record runs out is agreed on like any write,
// so that a server that lags shows it too long, never too short; only one that has not
// seen the member join yet is wrong.
func (s *Shares) Over(ctx context.Context, member string) (bool, error) {
	alive, err := s.streams.alive(ctx, member)
	return err == nil && !alive, err
}
