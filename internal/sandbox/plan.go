package sandbox

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is a list of faults. A call meets the first one that matches it and is
// not used up. The zero Plan has none. Its methods may be called at any time.
type Plan struct {
	some   atomic.Bool // whether there are any, so that a plan without costs nothing
	mu     sync.Mutex
	faults []*planned
	dice   *rand.Rand
}

// planned is a fault and what became of it.
type planned struct {
	Fault
	since  time.Time
	seen   int // matching calls, those passed by included
	struck int
	recent window // for Throttle
}

// Add puts faults at the end of the plan.
func (p *Plan) Add(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		p.faults = append(p.faults, &planned{Fault: f, since: time.Now()})
	}
	p.some.Store(len(p.faults) > 0)
}

// Set replaces the plan.
func (p *Plan) Set(faults ...Fault) {
	p.Clear()
	p.Add(faults...)
}

// Clear ends all faults. Calls that already met one go on with it.
func (p *Plan) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
	p.some.Store(false)
}

// List returns the plan, faults that are used up included.
func (p *Plan) List() []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Fault, len(p.faults))
	for i, f := range p.faults {
		list[i] = f.Fault
	}
	return list
}

// Left is how many faults are neither used up nor over.
func (p *Plan) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := 0
	for _, f := range p.faults {
		if !f.over(time.Now()) {
			left++
		}
	}
	return left
}

// next returns the fault that the call meets, nil for none.
func (p *Plan) next(r *http.Request, now time.Time) *Fault {
	if !p.some.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dice == nil {
		p.dice = rand.New(rand.NewPCG(1, 2)) // the same chance in every run
	}
	for _, f := range p.faults {
		if f.over(now) || !f.matches(r) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Share > 0 && p.dice.Float64() >= f.Share {
			continue
		}
		if f.Kind == Throttle && f.recent.add(now, max(f.PerSecond, 1)) {
			continue
		}
		f.struck++
		met := f.Fault
		return &met
	}
	return nil
}

func (f *planned) over(now time.Time) bool {
	return f.Times > 0 && f.struck >= f.Times || f.For > 0 && now.Sub(f.since) >= f.For
}

func (f *planned) matches(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
}
