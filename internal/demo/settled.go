package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// settled reports whether nothing waits anywhere: not in the worker's memory,
// and, by the stream's own word, neither beyond the cursors nor for a time.
func (s *stage) settled(ctx context.Context) (bool, error) {
	for _, p := range s.providers {
		if snap := s.worker.Snapshot(p.name); snap == nil || snap.Waiting+snap.InFlight > 0 {
			return false, nil
		}
	}
	for _, p := range s.providers {
		layout, err := s.streams.Layout(ctx, p.name)
		if err != nil || layout == nil {
			return false, err
		}
		b, err := s.streams.Backlog(ctx, p.name, *layout)
		if err != nil || b.Waiting+b.Retrying > 0 {
			return false, err
		}
	}
	return true, nil
}

// tally is how published events ended at one destination.
type tally struct {
	pipeline.Counts
	again uint64 // rows that were sent once more, by a wake-up, after their event had ended
	sum   uint64 // of events
}

// tally reads the counts of a destination whose loop is at rest.
func (s *stage) tally(p *provider) tally {
	t := tally{Counts: s.worker.Snapshot(p.name).Counts}
	t.sum = t.Events()
	// An event that was handed to a wake-up ended by it, or was superseded; a
	// wake-up that ended beyond these sent something once more.
	if t.Woken > t.Handed {
		t.again = t.Woken - t.Handed
		t.Delivered -= min(t.again, t.Delivered)
	} else {
		t.Superseded += t.Handed - t.Woken
	}
	return t
}

// balance is what a provider holds against what was published newest.
type balance struct {
	newest, gone, kept, filtered, dead int
	off                                []string // customers for whom neither is so
	duplicates, backSteps              int
	reasons                            map[deadletter.Reason]int
	letter                             *deadletter.Letter // one of them, as an example
}

// sound reports whether nothing is wrong.
func (b *balance) sound() bool { return len(b.off)+b.duplicates+b.backSteps == 0 }

// balance looks each customer up at the provider.
func (s *stage) balance(ctx context.Context, p *provider) (*balance, error) {
	b := &balance{reasons: map[deadletter.Reason]int{}}
	letters := map[string]bool{}
	for letter, err := range s.streams.DeadLetters(ctx, stream.Query{Destination: p.name}) {
		if err != nil {
			return nil, fmt.Errorf("destination %s: %w", p.name, err)
		}
		letters[letter.Shop+"."+letter.Customer] = true
		b.reasons[letter.Reason]++
		if b.letter == nil || letter.Reason == deadletter.Rejected {
			b.letter = letter
		}
	}
	counters := p.standIn.Book().Counters()
	b.duplicates, b.backSteps = counters.Duplicates, counters.BackSteps
	for _, c := range s.shop.customers {
		b.weigh(p, c, letters[events.EscapeToken(c.shop)+"."+events.EscapeToken(c.state.ID)])
	}
	return b, nil
}

// weigh puts a customer where it belongs.
func (b *balance) weigh(p *provider, c *customer, dead bool) {
	held, _ := p.standIn.Book().Held(p.key(&c.state))
	n := len(held.Records)
	switch admitted := len(p.shops) == 0 || slices.Contains(p.shops, c.shop); {
	case dead:
		b.dead++
	case c.newest > 0 && !admitted && n == 0:
		b.filtered++
	case c.deleted && p.keeps && n <= 1:
		b.kept++
	case c.deleted && !p.keeps && n == 0:
		b.gone++
	case c.newest > 0 && admitted && !c.deleted && n == 1 && (p.unnamed || slices.Max(append(held.Versions, 0)) == c.newest && held.Versions[len(held.Versions)-1] == c.newest):
		b.newest++
	default:
		b.off = append(b.off, c.shop+" "+c.state.ID)
	}
}
