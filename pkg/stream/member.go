package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// ErrMemberLost says that a worker's membership ran out.
var ErrMemberLost = errors.New("the membership ran out")

// MemberRecord is what a worker tells of itself.
type MemberRecord struct {
	ID    string          `json:"id"`
	Since time.Time       `json:"since"`
	Stats json.RawMessage `json:"stats,omitempty"` // by destination, for status
}

// Member is this worker's membership: a record that runs out unless it is
// renewed. All leases of the worker hang on it, so that a worker with many
// shards renews one record and not one for each. A membership that ran out never
// comes back; the worker joins anew.
type Member struct {
	streams *Streams
	record  MemberRecord
	ttl     time.Duration
	stats   func() json.RawMessage

	revision uint64                    // used by renew only
	renewed  atomic.Pointer[time.Time] // when the last successful renewal was started
	ctx      context.Context
	end      context.CancelCauseFunc
	stop     chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup
}

// Join makes this worker a member. Name begins its id, for people; ttl is whole
// seconds, at least one; stats may be nil. The membership ends with Leave, or
// when it could not be renewed in time.
func (s *Streams) Join(ctx context.Context, name string, ttl time.Duration, stats func() json.RawMessage) (*Member, error) {
	if ttl < time.Second || ttl%time.Second != 0 {
		return nil, fmt.Errorf("join: a lease of %v is not of whole seconds", ttl)
	}
	id := nuid.Next()
	m := &Member{
		streams: s, ttl: ttl, stats: stats, stop: make(chan struct{}),
		record: MemberRecord{ID: token(name) + "-" + id[len(id)-8:], Since: time.Now().UTC()},
	}
	m.ctx, m.end = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := m.renew(ctx); err != nil {
		m.end(err)
		return nil, fmt.Errorf("join: %w", err)
	}
	m.wg.Go(m.run)
	return m, nil
}

// token is a name as a part of a key.
func token(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c != '-' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			b[i] = '-'
		}
	}
	if len(b) == 0 {
		return "worker"
	}
	return string(b)
}

// ID names the member.
func (m *Member) ID() string { return m.record.ID }

// Context ends when the membership has ended or may have run out.
func (m *Member) Context() context.Context { return m.ctx }

// Held reports whether the membership certainly lasts for another third of its
// TTL. Both clocks count: the monotonic one may stand still while a machine
// sleeps, and the other one may be set back.
func (m *Member) Held() bool {
	renewed := m.renewed.Load()
	return m.ctx.Err() == nil && renewed != nil && since(*renewed, time.Now()) < m.ttl*2/3
}

// since is the longer of what the two clocks say.
func since(from, now time.Time) time.Duration {
	return max(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}

// Leave ends the membership and tells the others.
func (m *Member) Leave(ctx context.Context) error {
	m.stopOnce.Do(func() { close(m.stop) })
	m.wg.Wait()
	if m.ctx.Err() != nil {
		return nil // it ran out before
	}
	m.end(context.Canceled)
	if err := m.streams.dropRecord(ctx, memberKey+m.record.ID, m.revision); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// run renews until Leave, or until it is too late.
func (m *Member) run() {
	tick := time.NewTicker(m.ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
		}
		// A renewal that hangs must not outlast what it renews.
		left := m.ttl*9/10 - since(*m.renewed.Load(), time.Now())
		if left <= 0 {
			m.end(ErrMemberLost)
			return
		}
		ctx, cancel := context.WithTimeout(m.ctx, left)
		err := m.renew(ctx)
		if errors.Is(err, errAdopted) {
			err = m.renew(ctx)
		}
		cancel()
		if errors.Is(err, ErrMemberLost) || since(*m.renewed.Load(), time.Now()) >= m.ttl*9/10 {
			m.end(ErrMemberLost)
			return
		}
	}
}

// renew stores the record for another TTL. The time counts from before it was
// sent, since the server may have stored it at any time after.
func (m *Member) renew(ctx context.Context) error {
	started := time.Now()
	if m.stats != nil {
		m.record.Stats = m.stats()
	}
	data, err := json.Marshal(m.record)
	if err != nil {
		return err
	}
	subject := workersPrefix + memberKey + m.record.ID
	msg := compareAndSet(subject, m.revision, data)
	msg.Header["Nats-TTL"] = []string{strconv.Itoa(int(m.ttl/time.Second)) + "s"}
	// Not with the others' mail, which may be much.
	answered, err := m.ask(ctx, msg)
	if err != nil {
		return err
	}
	if answered.lost() {
		return m.adopt(ctx, subject)
	}
	if err := answered.err(); err != nil {
		return err
	}
	m.revision = answered.seq
	m.renewed.Store(&started)
	return nil
}

func (m *Member) ask(ctx context.Context, msg *nats.Msg) (answer, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, m.ttl)
		defer cancel()
	}
	reply, err := m.streams.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return answer{code: noAnswer}, err
	}
	return readAnswer(reply), nil
}

// adopt looks whether an earlier renewal was stored whose answer got lost. It
// does not count as one, since nobody knows when it was stored: the next does.
func (m *Member) adopt(ctx context.Context, subject string) error {
	stored, revision, err := m.streams.post.last(ctx, workersStream, subject)
	if err != nil {
		return err
	}
	if len(stored) == 0 {
		return ErrMemberLost
	}
	m.revision = revision
	return errAdopted
}

var errAdopted = errors.New("an earlier renewal was stored late")
