package worker

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// owned is a shard that is this worker's.
type owned struct {
	lease *stream.Lease
	shard *stream.Shard
}

// own brings the shards of this worker to its fair share: what is too much is
// given up first, then free shards are taken. It reports whether the share is
// reached.
func (r *runner) own(ctx context.Context, m *stream.Member, board *stream.Board) bool {
	if !r.vet(ctx, board.Gates[r.config.Name]) {
		return r.foreign
	}
	layout, err := r.layOut(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn().Err(err).Msg("layout")
		}
		if errors.Is(err, stream.ErrLayoutBusy) {
			r.drop(ctx) // let go of the old layout's shards
			r.disown(ctx, m, board)
		}
		return false
	}
	r.compare(ctx, layout)
	for id, o := range r.owned {
		if o.lease.Context().Err() != nil || o.lease.Place.Generation != layout.Generation {
			r.giveUp(ctx, id)
		}
	}
	share := fairShare(r.config.Name, m.ID(), rivals(board, r.config.Name, m.ID()), layout.Shards)
	for id := range r.owned {
		if len(r.owned) <= share {
			break
		}
		r.giveUp(ctx, id)
	}
	taken := map[int]string{}
	for _, l := range board.Leases {
		if _, alive := board.Members[l.Member]; alive && l.Destination == r.config.Name && l.Generation == layout.Generation {
			taken[l.Shard] = l.Member
		}
	}
	for id := range layout.Shards {
		if len(r.owned) >= share {
			break
		}
		if r.owned[id] != nil || taken[id] != "" && taken[id] != m.ID() {
			continue
		}
		r.takeOver(ctx, m, stream.Place{Destination: r.config.Name, Generation: layout.Generation, Shards: layout.Shards, ID: id})
	}
	r.disown(ctx, m, board)
	return len(r.owned) >= share
}

// disown gives back the leases that are this member's by the board and are not worked
// on here: while the member lives nobody else could take these shards.
func (r *runner) disown(ctx context.Context, m *stream.Member, board *stream.Board) {
	for _, l := range board.Leases {
		if l.Member != m.ID() || l.Destination != r.config.Name {
			continue
		}
		if o := r.owned[l.Shard]; o != nil && o.lease.Place.Generation == l.Generation {
			continue
		}
		place := stream.Place{Destination: l.Destination, Generation: l.Generation, ID: l.Shard}
		if err := m.Disown(ctx, place); err != nil && ctx.Err() == nil {
			r.log.Warn().Err(err).Int(logShard, l.Shard).Msg("release a shard")
		}
	}
}

// layOut sees that the destination is laid out as configured.
func (r *runner) layOut(ctx context.Context) (stream.Layout, error) {
	var begin stream.Position
	if r.config.Start == "new" {
		ends, err := r.streams.Ends(ctx)
		if err != nil {
			return stream.Layout{}, err
		}
		begin = ends
	}
	return r.streams.EnsureLayout(ctx, r.config.Name, r.config.Shards, begin)
}

// compare tells once when the configuration decides other rows than the ones
// that the destination was filled by: what it was given before stays as it is
// until somebody fills it anew.
func (r *runner) compare(ctx context.Context, layout stream.Layout) {
	hash := r.config.Hash()
	switch {
	case r.compared || layout.Hash == hash:
	case layout.Hash == "":
		if err := r.streams.SetLayoutHash(ctx, r.config.Name, hash); err != nil {
			return // the next time tries again
		}
	default:
		r.log.Warn().Msgf("shops, when, map or options have changed: customers that change from now on are sent by them; "+
			"for all others run: worker backfill -c FILE --destination %s", r.config.Name)
	}
	r.compared = true
}

// takeOver makes a shard this worker's: the lease first, then what the one
// before left in doubt, then its feeds.
func (r *runner) takeOver(ctx context.Context, m *stream.Member, place stream.Place) {
	lease, err := m.Take(ctx, place)
	if err != nil {
		if !errors.Is(err, stream.ErrTaken) && ctx.Err() == nil {
			r.log.Warn().Err(err).Int(logShard, place.ID).Msg("take a shard")
		}
		return
	}
	if err = m.Doubt(ctx, place, r.ledger); err == nil {
		var shard *stream.Shard
		if shard, err = r.streams.OpenShard(ctx, place, r.trunk); err == nil {
			err = r.loop.Take(ctx, pipeline.Shard{ID: place.ID, Lease: lease, Feeds: shard.Feeds})
			if err == nil {
				r.owned[place.ID] = &owned{lease, shard}
				r.log.Debug().Int(logShard, place.ID).Msg("shard taken")
				return
			}
			err = errors.Join(err, shard.Close(ctx))
		}
	}
	if ctx.Err() == nil {
		r.log.Warn().Err(errors.Join(err, lease.Release(ctx))).Int(logShard, place.ID).Msg("take a shard")
	}
}

// giveUp ends the work on a shard and hands it back. Where that takes longer than
// ctx lasts, something of the shard is under way: its lease is left to run out, and
// its feeds are closed when the work has ended.
func (r *runner) giveUp(ctx context.Context, id int) {
	o := r.owned[id]
	delete(r.owned, id)
	released := make(chan struct{})
	r.closing.Go(func() {
		defer close(released)
		_ = r.loop.Release(context.WithoutCancel(ctx), id) // an error is the loop's end, which is as good
	})
	select {
	case <-released:
		if err := errors.Join(o.shard.Close(ctx), o.lease.Release(ctx)); err != nil {
			r.log.Warn().Err(err).Int(logShard, id).Msg("release a shard")
			return
		}
		r.log.Debug().Int(logShard, id).Msg("shard handed back")
	case <-ctx.Done():
		r.log.Warn().Err(ctx.Err()).Int(logShard, id).Msg("release a shard")
		r.closing.Go(func() {
			<-released
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTakes)
			defer cancel()
			if err := o.shard.Close(ctx); err != nil && !errors.Is(err, stream.ErrShardLost) {
				r.log.Warn().Err(err).Int(logShard, id).Msg("close a shard")
			}
		})
	}
}

// closeTakes bounds the closing of a shard that nobody waits for.
const closeTakes = 5 * time.Second

// drop gives up all shards.
func (r *runner) drop(ctx context.Context) {
	for id := range r.owned {
		r.giveUp(ctx, id)
	}
}

// rivals are the members that work on a destination, this one among them.
func rivals(board *stream.Board, destination, me string) []string {
	members := []string{me}
	for id, record := range board.Members {
		var stats map[string]json.RawMessage
		if id == me || json.Unmarshal(record.Stats, &stats) != nil {
			continue
		}
		if _, works := stats[destination]; works {
			members = append(members, id)
		}
	}
	return members
}

// fairShare is how many shards fall to a member. What can't be shared out evenly
// goes to other members at each destination.
func fairShare(destination, me string, members []string, shards int) int {
	rank := func(member string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(destination + " " + member)) // never fails
		return h.Sum64()
	}
	slices.SortFunc(members, func(a, b string) int {
		if x, y := rank(a), rank(b); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return 0
	})
	share := shards / len(members)
	if slices.Index(members, me) < shards%len(members) {
		share++
	}
	return share
}
