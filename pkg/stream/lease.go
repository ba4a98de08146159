package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/custsync/custsync/pkg/pipeline"
)

// ErrTaken says that another worker owns the shard.
var ErrTaken = errors.New("owned by another worker")

// LeaseRecord says who owns a shard. It counts as long as its member's record
// is there.
type LeaseRecord struct {
	Destination string `json:"destination"`
	Generation  int    `json:"generation"`
	Shard       int    `json:"shard"`
	Member      string `json:"member"`
}

// Lease is this worker's right to a shard.
type Lease struct {
	Place Place

	member   *Member
	revision uint64
	ctx      context.Context
	cancel   context.CancelFunc
}

var _ pipeline.Lease = (*Lease)(nil)

func (p Place) lease() string {
	return leaseKey + p.Destination + "." + strconv.Itoa(p.Generation) + "." + strconv.Itoa(p.ID)
}

// Take makes this worker the owner of a shard that has none, or whose owner's
// membership is over. ErrTaken: another member owns it. ErrLayout: the
// destination is laid out otherwise, or is about to be.
func (m *Member) Take(ctx context.Context, place Place) (*Lease, error) {
	var owner LeaseRecord
	revision, there, err := m.streams.record(ctx, place.lease(), &owner)
	if err != nil {
		return nil, fmt.Errorf("take shard %s: %w", place, err)
	}
	if there && owner.Member != m.record.ID {
		alive, err := m.streams.alive(ctx, owner.Member)
		if err != nil {
			return nil, fmt.Errorf("take shard %s: %w", place, err)
		}
		if alive {
			return nil, fmt.Errorf("take shard %s: %w", place, ErrTaken)
		}
	}
	mine := LeaseRecord{place.Destination, place.Generation, place.ID, m.record.ID}
	revision, err = m.streams.setRecord(ctx, place.lease(), revision, mine)
	if errors.Is(err, ErrConflict) {
		return nil, fmt.Errorf("take shard %s: %w", place, ErrTaken)
	}
	if err != nil {
		return nil, fmt.Errorf("take shard %s: %w", place, err)
	}
	l := &Lease{Place: place, member: m, revision: revision}
	l.ctx, l.cancel = context.WithCancel(m.ctx)
	// Only now: whoever changes the layout looks for leases after saying so.
	if err := m.streams.agrees(ctx, place); err != nil {
		return nil, errors.Join(err, l.Release(ctx))
	}
	return l, nil
}

// alive tells whether a member's record is there.
func (s *Streams) alive(ctx context.Context, member string) (bool, error) {
	var r MemberRecord
	_, there, err := s.record(ctx, memberKey+member, &r)
	return there, err
}

// Context ends when the lease was given up or may have run out.
func (l *Lease) Context() context.Context { return l.ctx }

// Held reports whether a call may start now.
func (l *Lease) Held() bool { return l.ctx.Err() == nil && l.member.Held() }

// Release gives the shard up, after all work on it has ended.
func (l *Lease) Release(ctx context.Context) error {
	l.cancel()
	err := l.member.streams.dropRecord(ctx, l.Place.lease(), l.revision)
	if isConflict(err) {
		return nil // another one has it by now
	}
	return err
}

// Disown gives back a shard that is this worker's by the record alone: nobody heard
// that it was stored, or giving it back failed. It does nothing where the record says
// otherwise.
func (m *Member) Disown(ctx context.Context, place Place) error {
	var owner LeaseRecord
	revision, there, err := m.streams.record(ctx, place.lease(), &owner)
	if err != nil || !there || owner.Member != m.record.ID {
		return err
	}
	if err := m.streams.dropRecord(ctx, place.lease(), revision); !isConflict(err) {
		return err
	}
	return nil
}
