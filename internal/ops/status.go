package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// Status is how the destinations are.
type Status struct {
	Destinations []DestinationStatus `json:"destinations"`
}

// DestinationStatus is how one destination is across the fleet.
type DestinationStatus struct {
	Name     string     `json:"name"`
	Provider string     `json:"provider"` // empty: no longer in the configuration
	State    string     `json:"state"`    // running, throttled, outage, blocked, paused, stopped
	Since    *time.Time `json:"since"`
	Reason   string     `json:"reason"`
	// Waiting are events and wake-ups that came and are not settled: what lies
	// beyond the shards' cursors. Rows that wait in a worker's memory are among
	// them, and so is what is settled behind one of those, since a cursor has no
	// gaps. Nothing waits in a destination that is in step.
	Waiting uint64 `json:"waiting"`
	// Retrying are customers who were handed to a wake-up whose time has not come.
	Retrying        uint64        `json:"retrying"`
	Dead            uint64        `json:"dead"` // open dead letters
	OldestWaitingAt *time.Time    `json:"oldest_waiting_at"`
	RowsPerSecond   float64       `json:"rows_per_second"`
	CallsPerSecond  float64       `json:"calls_per_second"`
	Shards          []ShardStatus `json:"shards"`
}

// Overview is a Status with all that a person at a screen wants to see beside it.
type Overview struct {
	Destinations []DestinationView `json:"destinations"`
}

// DestinationView is a DestinationStatus with what beside it is known.
type DestinationView struct {
	DestinationStatus
	Gate                *GateStatus       `json:"gate"`                   // as the workers last told it; null: never
	Paused              *PausedStatus     `json:"paused"`                 // null: it is not
	CallsPerSecondLimit float64           `json:"calls_per_second_limit"` // 0: none
	ConcurrencyLimit    int               `json:"concurrency_limit"`
	Outcomes            map[string]uint64 `json:"outcomes"` // rows, since the living workers began
}

// GateStatus says whether calls are made.
type GateStatus struct {
	State  string     `json:"state"`
	Since  time.Time  `json:"since"`
	Reason string     `json:"reason"`
	Until  *time.Time `json:"until"` // when it is tried again; null: it is open, or a person has to act
}

// PausedStatus says who stopped a destination.
type PausedStatus struct {
	Since time.Time `json:"since"`
	Note  string    `json:"note"`
	By    string    `json:"by"`
}

// ShardStatus says who owns a shard.
type ShardStatus struct {
	Shard int    `json:"shard"`
	Owner string `json:"owner"` // empty: nobody
}

// Stopped is the state of a destination that no living worker works on.
const Stopped = "stopped"

// Status tells how the destinations are: those of the configuration in its
// order, then those that are left over from an earlier one.
func (d *Desk) Status(ctx context.Context) (*Status, error) {
	board, err := d.Streams.Board(ctx)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	st := &Status{Destinations: []DestinationStatus{}}
	for _, view := range d.Overview(board).Destinations {
		if err := d.Count(ctx, board, &view.DestinationStatus); err != nil {
			return nil, err
		}
		st.Destinations = append(st.Destinations, view.DestinationStatus)
	}
	return st, nil
}

// Overview tells how the destinations are as far as the workers tell it, without
// what waits and what is dead: that is Count's to find, which takes longer.
func (d *Desk) Overview(board *stream.Board) *Overview {
	all := &Overview{Destinations: []DestinationView{}}
	for _, name := range d.names(board) {
		all.Destinations = append(all.Destinations, *d.destination(board, name))
	}
	return all
}

// names are those of the configuration, then those that only the streams know.
func (d *Desk) names(board *stream.Board) []string {
	var names, left []string
	for i := range d.Config.Destinations {
		names = append(names, d.Config.Destinations[i].Name)
	}
	for name := range board.Layouts {
		if !slices.Contains(names, name) {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	return append(names, left...)
}

func (d *Desk) destination(board *stream.Board, name string) *DestinationView {
	st := &DestinationView{Outcomes: map[string]uint64{}}
	st.Name, st.Shards = name, []ShardStatus{}
	c := d.Config.Destination(name)
	if c != nil {
		st.Provider = c.Provider
		st.CallsPerSecondLimit, st.ConcurrencyLimit = c.Rate.CallsPerSecond, c.Rate.Concurrency
	}
	layout := board.Layouts[name]
	working := st.speed(board)
	for id := range layout.Shards {
		st.Shards = append(st.Shards, ShardStatus{Shard: id})
	}
	for _, l := range board.Leases {
		if _, alive := board.Members[l.Member]; alive && l.Destination == name && l.Generation == layout.Generation && l.Shard < layout.Shards {
			st.Shards[l.Shard].Owner = l.Member
			working = true
		}
	}
	st.tellState(board, working, c)
	if g, told := board.Gates[name]; told {
		st.Gate = &GateStatus{g.State, g.Since.UTC(), g.Reason, known(g.Until)}
	}
	if p, is := board.Paused[name]; is {
		st.Paused = &PausedStatus{p.Since.UTC(), p.Note, p.By}
	}
	return st
}

// Count finds what waits and what is dead.
func (d *Desk) Count(ctx context.Context, board *stream.Board, st *DestinationStatus) error {
	layout, laidOut := board.Layouts[st.Name]
	if !laidOut {
		return nil
	}
	backlog, err := d.Streams.Backlog(ctx, st.Name, layout)
	if err != nil {
		return fmt.Errorf("status of %s: %w", st.Name, err)
	}
	st.Waiting, st.Retrying, st.Dead = backlog.Waiting, backlog.Retrying, backlog.Dead
	if !backlog.Oldest.IsZero() {
		st.OldestWaitingAt = &backlog.Oldest
	}
	if st.Dead <= countedLetters {
		st.Dead = d.openLetters(ctx, st.Name, st.Dead)
	}
	return ctx.Err()
}

// countedLetters is up to how many stored letters are held against the ledger,
// which tells those that a newer version has closed. Beyond it the few closed
// ones make no difference, and looking would take seconds.
const countedLetters = 20_000

// openLetters counts the open ones of the stored letters. Where not all can be
// read, all stored ones count.
func (d *Desk) openLetters(ctx context.Context, destination string, stored uint64) (open uint64) {
	if stored == 0 {
		return 0
	}
	for _, err := range d.Streams.DeadLetters(ctx, stream.Query{Destination: destination}) {
		if err != nil {
			return stored
		}
		open++
	}
	return open
}

// speed adds up what the workers tell, and reports whether any works on it.
func (st *DestinationView) speed(board *stream.Board) (working bool) {
	for _, m := range board.Members {
		var told map[string]worker.Stats
		if json.Unmarshal(m.Stats, &told) != nil {
			continue // of another version: its leases count still
		}
		if s, works := told[st.Name]; works {
			st.RowsPerSecond += s.RowsPerSecond
			st.CallsPerSecond += s.CallsPerSecond
			for outcome, n := range s.Outcomes {
				st.Outcomes[outcome] += n
			}
			working = true
		}
	}
	return working
}

// tellState finds the state that an operator has to know of first: nobody works
// on it; a person stopped it; the provider or the way to it fails.
func (st *DestinationStatus) tellState(board *stream.Board, working bool, c *config.Destination) {
	paused, isPaused := board.Paused[st.Name]
	gate, told := board.Gates[st.Name]
	_, alive := board.Members[gate.Member]
	var reasons []string
	switch {
	case !working:
		st.State = Stopped
		reasons = append(reasons, "no worker runs it")
		if c == nil {
			reasons[0] = "no longer in the configuration"
		}
		if isPaused {
			reasons = append(reasons, "paused by a person")
		}
	case isPaused:
		st.State, st.Since = string(pipeline.Paused), known(paused.Since)
		reasons = append(reasons, paused.Note)
	case told && (alive || gate.Member == ""):
		st.State, st.Since = gate.State, known(gate.Since)
		reasons = append(reasons, gate.Reason)
	default:
		// What a worker told that is gone says nothing of those that are there.
		st.State = string(pipeline.Running)
	}
	st.Reason = strings.Join(slices.DeleteFunc(reasons, func(s string) bool { return s == "" }), "; ")
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
