package stream

import (
	"context"
	"errors"
	"fmt"
)

// Layout is how a destination's partitions are shared out.
type Layout struct {
	Generation int `json:"generation"`
	Shards     int `json:"shards"`
	// Next is the number of shards that it is about to have; 0: as it is. While it
	// is set nobody takes a shard, and the owners let go of theirs.
	Next int `json:"next,omitempty"`
	// Hash is of the configuration that decides what is owed to the destination.
	Hash string `json:"hash,omitempty"`
	// Start is the customers' last sequence that the destination was never owed: it
	// began with what was new then.
	Start uint64 `json:"start,omitempty"`
}

var (
	// ErrLayout says that a destination is laid out in another way than asked for.
	ErrLayout = errors.New("laid out otherwise")
	// ErrLayoutBusy says that the layout is about to change, once the shards of the
	// old one are free.
	ErrLayoutBusy = errors.New("shards of the old layout are still owned")
)

// Layout returns a destination's layout; nil if it has none.
func (s *Streams) Layout(ctx context.Context, destination string) (*Layout, error) {
	l := new(Layout)
	_, there, err := s.record(ctx, layoutKey+destination, l)
	if err != nil || !there {
		return nil, err
	}
	return l, nil
}

// SetLayoutHash stores the hash of a destination's configuration in its layout.
func (s *Streams) SetLayoutHash(ctx context.Context, destination, hash string) error {
	for {
		var l Layout
		revision, there, err := s.record(ctx, layoutKey+destination, &l)
		if err != nil || l.Hash == hash {
			return err
		}
		if !there {
			return fmt.Errorf("destination %s: %w", destination, ErrNoShard)
		}
		l.Hash = hash
		if _, err := s.setRecord(ctx, layoutKey+destination, revision, l); !isConflict(err) {
			return err
		}
	}
}

// EnsureLayout sees that a destination has so many shards. One that has none yet
// begins behind the position given. Changing the number is begun at once and
// done when no worker owns a shard of the old layout any more; till then it
// returns ErrLayoutBusy, and is to be called again.
func (s *Streams) EnsureLayout(ctx context.Context, destination string, shards int, begin Position) (Layout, error) {
	key := layoutKey + destination
	if err := (Place{destination, 1, shards, 0}).check(s.config.Partitions); err != nil {
		return Layout{}, err
	}
	for {
		var l Layout
		revision, there, err := s.record(ctx, key, &l)
		if err != nil {
			return Layout{}, err
		}
		next := l
		switch {
		case !there:
			if err := s.renamed(ctx, destination); err != nil {
				return l, err
			}
			next = Layout{Generation: 1, Shards: shards, Start: begin.Events}
			for id := range shards {
				err = errors.Join(err, s.layOut(ctx, Place{destination, 1, shards, id}, begin.cursor(s.config.Partitions/shards)))
			}
		case l.Shards == shards && l.Next == 0:
			return l, nil
		case l.Next != shards:
			if next.Next = shards; l.Shards == shards {
				next.Next = 0 // changed back before it was done
			}
		default:
			next, err = s.relay(ctx, destination, l)
		}
		if err != nil {
			return l, err
		}
		if _, err := s.setRecord(ctx, key, revision, next); err != nil && !isConflict(err) {
			return l, err
		}
	}
}

// relay makes the cursors of the next generation, once nobody owns a shard of
// this one. A partition's events go on where they are, and the wake-ups of a new
// shard where the one furthest behind is of those that had its partitions.
func (s *Streams) relay(ctx context.Context, destination string, l Layout) (Layout, error) {
	var events []Progress // by partition
	wakeups := make([]Progress, l.Shards)
	for id := range wakeups {
		place := Place{destination, l.Generation, l.Shards, id}
		owned, err := s.owned(ctx, place)
		if err != nil {
			return l, err
		}
		if owned {
			return l, fmt.Errorf("destination %s: %w", destination, ErrLayoutBusy)
		}
		c, err := s.Cursor(ctx, place)
		if err != nil {
			return l, err
		}
		events, wakeups[id] = append(events, c.Events...), c.Wakeups
	}
	next := Layout{Generation: l.Generation + 1, Shards: l.Next, Hash: l.Hash, Start: l.Start}
	for id := range next.Shards {
		place := Place{destination, next.Generation, next.Shards, id}
		first, last := place.partitions(s.config.Partitions)
		from, to := id*l.Shards/next.Shards, ((id+1)*l.Shards-1)/next.Shards
		begin := Cursor{events[first:last], wakeups[from]}
		for _, p := range wakeups[from : to+1] {
			begin.Wakeups = lower(begin.Wakeups, p)
		}
		if err := s.layOut(ctx, place, begin); err != nil {
			return l, err
		}
	}
	return next, nil
}

// owned tells whether a living member has the shard.
func (s *Streams) owned(ctx context.Context, place Place) (bool, error) {
	var owner LeaseRecord
	_, there, err := s.record(ctx, place.lease(), &owner)
	if err != nil || !there {
		return false, err
	}
	return s.alive(ctx, owner.Member)
}

func lower(a, b Progress) Progress {
	return Progress{Settled: min(a.Settled, b.Settled), Lent: max(a.Lent, b.Lent)}
}

// agrees tells whether a shard is of the layout in force.
func (s *Streams) agrees(ctx context.Context, place Place) error {
	l, err := s.Layout(ctx, place.Destination)
	if err != nil {
		return err
	}
	if l == nil || l.Generation != place.Generation || l.Shards != place.Shards || l.Next != 0 {
		return fmt.Errorf("take shard %s: %w", place, ErrLayout)
	}
	return s.renamed(ctx, place.Destination)
}

// layOut makes a shard's first cursor. One that is there stays as it is, so that
// it can be done again.
func (s *Streams) layOut(ctx context.Context, place Place, begin Cursor) error {
	if _, err := s.setRecord(ctx, place.cursor(), 0, begin); err != nil && !isConflict(err) {
		return fmt.Errorf("lay out shard %s: %w", place, err)
	}
	return nil
}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }
