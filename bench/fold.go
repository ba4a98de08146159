package main

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/custsync/custsync/pkg/stream"
)

// fold measures a backlog in which few customers change often, most of all the
// few at the top, beside a drain of as many events as customers in the same run.
type fold struct {
	Events, Customers int
	Beside            drain
}

func (f fold) runs(ctx context.Context, s *suite) (runs [][]measure, err error) {
	plain, err := s.openSite(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.close()) }()
	folded, err := s.openSite(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folded.close()) }()
	if err := publish(ctx, plain.nc, firstEvents(f.Beside.Waiting), 4); err != nil {
		return nil, err
	}
	// In order, as one shop does: at once with others an older version could come
	// behind a newer one.
	if err := publish(ctx, folded.nc, f.changes(), 1); err != nil {
		return nil, err
	}
	return s.repeat("fold", func(n int) ([]measure, error) {
		var beside float64
		_, err := plain.try(ctx, func(ctx context.Context, t *trial) ([]measure, error) {
			done, err := t.drain(ctx, f.Beside.destination(n), f.Beside.Waiting, f.Beside.Waiting)
			beside = done.perSecond(f.Beside.Waiting)
			return nil, err
		})
		if err != nil {
			return nil, err
		}
		return folded.try(ctx, func(ctx context.Context, t *trial) ([]measure, error) { return f.run(ctx, t, n, beside) })
	})
}

// run drains once; beside is the rate of the other drain.
func (f fold) run(ctx context.Context, t *trial, n int, beside float64) ([]measure, error) {
	waiting, err := t.stored(ctx, stream.Customers)
	if err != nil {
		return nil, err
	}
	raw, err := t.rawPull(ctx, rawEvents)
	if err != nil {
		return nil, err
	}
	done, err := t.drain(ctx, f.Beside.destination(n), f.Customers, f.Events)
	if err != nil {
		return nil, err
	}
	rate := done.perSecond(f.Events)
	told := []measure{
		{What: "events that wait, the others evicted by newer ones", Value: float64(waiting), Beside: "published", Raw: float64(f.Events)},
		{What: "drained, of those published", Unit: "/s", Value: rate, Beside: "drain of as many customers", Raw: beside},
		{What: "of that drain", Value: rate / beside, Want: atLeast(1.5)},
		{What: "drained, of those that wait", Unit: "/s", Value: done.perSecond(waiting), Beside: "raw pull, ack each", Raw: raw.perSecond()},
		{What: "rows sent for each customer", Value: float64(done.seen.Rows) / float64(f.Customers), Want: atMost(1.05)},
		{What: "worker's peak memory", Unit: "MiB", Value: mebibytes(done.peak)},
	}
	return append(told, done.cost.beside(raw, waiting)...), nil
}

// changes are the events in the order in which they are published: each customer
// comes once at least, and beyond that the more often the lower its number.
func (f fold) changes() []change {
	dice := rand.New(rand.NewPCG(3, 4))
	often := rand.NewZipf(dice, 1.1, 1, uint64(f.Customers-1))
	who := make([]int, f.Events)
	for i := range who {
		if i < f.Customers {
			who[i] = i
		} else {
			who[i] = int(often.Uint64())
		}
	}
	dice.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
	versions := make([]int, f.Customers)
	changes := make([]change, len(who))
	for i, n := range who {
		versions[n]++
		changes[i] = change{Customer: n, Version: versions[n]}
	}
	return changes
}
