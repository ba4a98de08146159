package stream

import (
	"sync"
	"time"
)

// way is how rows are written to the ledger.
type way uint8

const (
	singly     way = iota // each row for itself, all at once
	atomically            // as one batch: one sync on the server, and a fixed cost
)

// meter picks the cheaper way to write by what the run's own writes cost. A
// server that syncs every write takes singles by the thousand a second, and
// batches by ten thousands; one that doesn't takes singles faster.
type meter struct {
	synced bool // the server is known to sync: batches win, nothing to measure

	mu    sync.Mutex
	cost  [2]time.Duration // of a row, smoothed; 0: not known
	turns int
}

const (
	// fewRows are not worth a batch, whatever the server does.
	fewRows = 50
	// probeEvery is how often the way that lost is tried again, since disks and
	// neighbours change.
	probeEvery = 200
)

func newMeter(synced bool) *meter { return &meter{synced: synced} }

func (m *meter) pick(rows int) way {
	if rows < fewRows {
		return singly
	}
	if m.synced {
		return atomically
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turns++
	switch {
	case m.cost[singly] == 0:
		return singly
	case m.cost[atomically] == 0:
		return atomically
	}
	cheaper := m.cost[atomically] < m.cost[singly]
	if probe := m.turns%probeEvery == 0; cheaper != probe {
		return atomically
	}
	return singly
}

func (m *meter) observe(w way, rows int, took time.Duration) {
	if rows < fewRows {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	cost := max(took/time.Duration(rows), 1)
	if old := m.cost[w]; old > 0 {
		cost = (3*old + cost) / 4
	}
	m.cost[w] = cost
}
