package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// Book is what a stand-in holds and what it has seen. Its exported methods may
// be called at any time.
type Book struct {
	// Lean keeps keys and versions but not the customers' fields, and has them
	// judged less closely: for benchmarks with millions, where the stand-in must
	// not be what is measured. Set it before the first call.
	Lean bool

	mu       sync.Mutex // also guards the provider's switches and sessions
	accounts map[string]*account
	records  map[string]*entry
	counters Counters
	recent   window
}

// Counters are what a stand-in has seen since it started or was reset.
type Counters struct {
	Calls    int            `json:"calls"`    // all, those included that met a fault
	Requests map[string]int `json:"requests"` // calls that reached the provider, by method and route
	Rows     int            `json:"rows"`     // customers in calls that write
	MaxRows  int            `json:"max_rows"` // in one call

	Created int `json:"created"`
	Updated int `json:"updated"`
	Deleted int `json:"deleted"`
	Refused int `json:"refused"` // rows

	Duplicates int `json:"duplicates"` // created although the external key was there already
	BackSteps  int `json:"back_steps"` // writes of an older version than the customer had
	Repeats    int `json:"repeats"`    // writes of the version that the customer had

	Unauthorized int          `json:"unauthorized"`
	Followed     int          `json:"followed"` // redirects that somebody followed
	Faults       map[Kind]int `json:"faults"`

	PeakPerSecond int       `json:"peak_per_second"` // most calls in any one second
	PeakAtOnce    int       `json:"peak_at_once"`    // most calls being answered at once
	FirstAt       time.Time `json:"first_at,omitzero"`
	LastAt        time.Time `json:"last_at,omitzero"`
}

// Held is what a provider holds, and has held, under one external key.
type Held struct {
	Key      string   `json:"key"`
	Records  []Record `json:"records"`  // more than one: duplicates; none: deleted
	Versions []int64  `json:"versions"` // every version written, in order, where rows carry one
	Writes   int      `json:"writes"`
	Deletes  int      `json:"deletes"`
}

// Record is one customer record of the provider.
type Record struct {
	ID     string                     `json:"id"`
	Fields map[string]json.RawMessage `json:"fields"`
}

// account is what is remembered of one external key, beyond deletion.
type account struct {
	key      string
	entries  []*entry
	versions []int64
	writes   int
	deletes  int
}

// entry is a record as it is kept: the rows that made it, in order. They are
// folded into one when somebody looks.
type entry struct {
	id     string
	serial int // in order of creation
	owner  *account
	rows   [][]byte
	rules  *rules
}

// Len is the number of records held.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.records)
}

// Keys returns the external keys that were ever written, sorted.
func (b *Book) Keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.accounts))
}

// Held returns what is held under an external key; false if it was never written.
func (b *Book) Held(key string) (Held, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[key]
	if a == nil {
		return Held{Key: key}, false
	}
	h := Held{Key: key, Records: []Record{}, Versions: slices.Clone(a.versions), Writes: a.writes, Deletes: a.deletes}
	for _, e := range a.entries {
		h.Records = append(h.Records, Record{ID: e.id, Fields: e.fields()})
	}
	return h, true
}

// Counters returns a copy of the counters.
func (b *Book) Counters() Counters {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.counters
	c.Requests, c.Faults = maps.Clone(c.Requests), maps.Clone(c.Faults)
	return c
}

// ResetCounters sets the counters to zero; what is held stays.
func (b *Book) ResetCounters() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counters, b.recent = Counters{}, window{}
}

// Forget drops all records and their history, as a provider that is new.
func (b *Book) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts, b.records = nil, nil
}

// Count changes the counters.
func (b *Book) Count(change func(*Counters)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.count())
}

// called notes that a call came in.
func (b *Book) called(now time.Time, atOnce int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.count()
	c.Calls++
	b.recent.add(now, 0)
	c.PeakPerSecond = max(c.PeakPerSecond, b.recent.len())
	c.PeakAtOnce = max(c.PeakAtOnce, atOnce)
	if c.FirstAt.IsZero() {
		c.FirstAt = now
	}
	c.LastAt = now
}
