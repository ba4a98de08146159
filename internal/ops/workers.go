package ops

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/stream"
)

// Workers are the living workers of the fleet.
type Workers struct {
	Workers []WorkerStatus `json:"workers"`
}

// WorkerStatus is one worker and what it does.
type WorkerStatus struct {
	ID           string     `json:"id"` // begins with the host's name
	Since        time.Time  `json:"since"`
	Destinations []WorkerAt `json:"destinations"`
}

// WorkerAt is what one worker does for one destination.
type WorkerAt struct {
	Name           string  `json:"name"`
	RowsPerSecond  float64 `json:"rows_per_second"`
	CallsPerSecond float64 `json:"calls_per_second"`
	Waiting        int     `json:"waiting"`   // customers in memory
	InFlight       int     `json:"in_flight"` // calls under way
	Shards         []int   `json:"shards"`
}

// BoardWorkers are the workers as they tell of themselves.
func (d *Desk) BoardWorkers(board *stream.Board) *Workers {
	all := &Workers{Workers: []WorkerStatus{}}
	for id, m := range board.Members {
		w := WorkerStatus{ID: id, Since: m.Since.UTC(), Destinations: []WorkerAt{}}
		var told map[string]worker.Stats
		if json.Unmarshal(m.Stats, &told) != nil {
			told = nil // of another version
		}
		for _, name := range slices.Sorted(maps.Keys(told)) {
			s := told[name]
			w.Destinations = append(w.Destinations, WorkerAt{
				name, s.RowsPerSecond, s.CallsPerSecond, s.Waiting, s.InFlight, shardsOf(board, id, name),
			})
		}
		all.Workers = append(all.Workers, w)
	}
	slices.SortFunc(all.Workers, func(a, b WorkerStatus) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return all
}

func shardsOf(board *stream.Board, member, destination string) []int {
	shards := []int{}
	for _, l := range board.Leases {
		if l.Member == member && l.Destination == destination && l.Generation == board.Layouts[destination].Generation {
			shards = append(shards, l.Shard)
		}
	}
	slices.Sort(shards)
	return shards
}
