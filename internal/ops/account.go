package ops

import (
	"context"
	"fmt"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/stream"
)

// assessWindow is how many customers are looked at together where the ledger alone
// does not tell where they are.
const assessWindow = 500

// judgeAll returns, for each destination, what the ledger tells of the customers of
// a roll, as places in words.
func judgeAll(ctx context.Context, roll *stream.Roll, assessors []*assessor) ([][]word, error) {
	all := make([][]word, len(assessors))
	of := map[string][]word{}
	for n, a := range assessors {
		all[n] = make([]word, roll.Len())
		of[a.destination] = all[n]
		for i := range all[n] {
			newest := roll.Newest(i)
			all[n][i] = wordOf(judge(&newest, &ledger.Entry{}))
		}
	}
	err := roll.Entries(ctx, func(destination string, i int, e *ledger.Entry) {
		if words := of[destination]; words != nil {
			newest := roll.Newest(i)
			words[i] = wordOf(judge(&newest, e))
		}
	})
	return all, err
}

// word is a State in one byte, for many of them.
type word uint8

// words are the States that the ledger alone can tell; the first: it does not.
func words() [9]State {
	return [9]State{"", InStep, Dead, Discarded, Filtered, Skipped, Retrying, InDoubt, Regressed}
}

func wordOf(s State) word {
	for w, is := range words() {
		if s == is {
			return word(w)
		}
	}
	return 0
}

// account counts the customers of a roll by their states and hands the counts, and
// those that are lost, to tell, a window at a time. Of nearly everyone the ledger
// has told the state. Those that it says nothing of wait, if the shard's cursor has
// not come to them; whoever is left is looked at closely.
func (a *assessor) account(ctx context.Context, roll *stream.Roll, judged []word, tell func(Counts, []matter)) error {
	// After the ledger: what is beyond a cursor now was beyond it then.
	passed, err := a.passed(ctx)
	if err != nil {
		return err
	}
	states := words()
	var counts Counts
	var open []int
	for i, w := range judged {
		switch state := states[w]; {
		case state.plain():
			counts.add(state)
			continue
		case (state == "" || state == Retrying || state == InDoubt) && passed != nil && roll.Newest(i).Seq > passed[roll.Partition(i)]:
			counts.add(Waiting)
			continue
		}
		if open = append(open, i); len(open) == assessWindow {
			if err := a.closely(ctx, roll, open, tell); err != nil {
				return err
			}
			open = open[:0]
		}
	}
	if err := a.closely(ctx, roll, open, tell); err != nil {
		return err
	}
	tell(counts, nil)
	return nil
}

// passed is up to where the events of each partition are settled; nil: no worker
// ever worked on the destination.
func (a *assessor) passed(ctx context.Context) ([]uint64, error) {
	layout, err := a.streams.Layout(ctx, a.destination)
	if err != nil || layout == nil {
		return nil, err
	}
	var passed []uint64
	for id := range layout.Shards {
		c, err := a.streams.Cursor(ctx, stream.Place{Destination: a.destination, Generation: layout.Generation, Shards: layout.Shards, ID: id})
		if err != nil {
			return nil, fmt.Errorf("%w; ask again, if the layout changes just now", err)
		}
		for _, p := range c.Events {
			passed = append(passed, p.Settled)
		}
	}
	return passed, nil
}

// closely assesses customers of whom the ledger alone does not tell enough.
func (a *assessor) closely(ctx context.Context, roll *stream.Roll, places []int, tell func(Counts, []matter)) error {
	if len(places) == 0 {
		return nil
	}
	found, err := roll.Keys(ctx, places)
	if err != nil {
		return err
	}
	var counts Counts
	var keys []ledger.Key
	var newest []*stream.State
	for i, key := range found {
		if key == "" {
			counts.add(Waiting) // newer states came meanwhile
			continue
		}
		state := roll.Newest(places[i])
		keys, newest = append(keys, key), append(newest, &state)
	}
	matters, err := a.assess(ctx, keys, newest)
	if err != nil {
		return err
	}
	var lost []matter
	for i := range matters {
		counts.add(matters[i].state)
		if matters[i].state == Lost {
			lost = append(lost, matters[i])
		}
	}
	tell(counts, lost)
	return nil
}
