package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Gate is what a destination's gate is like across the fleet.
type Gate struct {
	State  string    `json:"state"` // running, throttled, outage, blocked
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"` // nothing before; zero: not known
	Member string    `json:"member,omitempty"`
}

// Paused says that a person stopped a destination.
type Paused struct {
	Since time.Time `json:"since"`
	Note  string    `json:"note,omitempty"`
	By    string    `json:"by,omitempty"`
}

// Accepted is the reason of a gate that a person opens although the streams are not
// those that the destination was worked on with.
const Accepted = "accepted"

// SetGate stores a destination's gate, whatever it was: at once, since others are
// to hear of it before their next call.
func (s *Streams) SetGate(ctx context.Context, destination string, g Gate) error {
	data, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("set a gate: %w", err)
	}
	a, err := s.post.one(ctx, &nats.Msg{Subject: workersPrefix + gateKey + destination, Data: data})
	if err == nil {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("set a gate: %w", err)
	}
	return nil
}

// Pause stops a destination across the fleet. Pausing it again changes the note.
func (s *Streams) Pause(ctx context.Context, destination string, p Paused) error {
	return s.overwrite(ctx, pausedKey+destination, p)
}

// Resume starts a paused destination; false: it was not paused.
func (s *Streams) Resume(ctx context.Context, destination string) (bool, error) {
	var p Paused
	revision, there, err := s.record(ctx, pausedKey+destination, &p)
	if err != nil || !there {
		return false, err
	}
	return true, s.dropRecord(ctx, pausedKey+destination, revision)
}

// overwrite stores a record of which the last writer is right.
func (s *Streams) overwrite(ctx context.Context, key string, value any) error {
	for {
		var before any
		revision, _, err := s.record(ctx, key, &before)
		if err != nil {
			return err
		}
		if _, err = s.setRecord(ctx, key, revision, value); err == nil {
			return nil
		}
		if ctx.Err() != nil || !isConflict(err) {
			return fmt.Errorf("overwrite: %w", err)
		}
	}
}
