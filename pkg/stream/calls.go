package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// Calls is one member's journal of calls that can't be repeated, at one
// destination. It outlives the member.
type Calls struct {
	streams *Streams
	prefix  string // of the keys, up to the slot
}

var _ pipeline.Calls = (*Calls)(nil)

const callKey = "call."

// Calls returns this member's journal for a destination.
func (m *Member) Calls(destination string) *Calls {
	return &Calls{m.streams, callKey + destination + "." + m.record.ID + "."}
}

// Open stores the call of this slot.
func (c *Calls) Open(ctx context.Context, slot int, call pipeline.OpenCall) error {
	data, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("journal a call: %w", err)
	}
	if err := c.write(ctx, []int{slot}, data); err != nil {
		return fmt.Errorf("journal a call: %w", err)
	}
	return nil
}

// Close empties the slots.
func (c *Calls) Close(ctx context.Context, slots []int) error {
	if err := c.write(ctx, slots, nil); err != nil {
		return fmt.Errorf("close calls in the journal: %w", err)
	}
	return nil
}

func (c *Calls) write(ctx context.Context, slots []int, data []byte) error {
	answers, err := c.streams.post.send(ctx, len(slots), func(i int, m *nats.Msg) bool {
		m.Subject, m.Data = workersPrefix+c.prefix+strconv.Itoa(slots[i]), data
		if data == nil {
			setHeader(m, "KV-Operation", "DEL")
			setHeader(m, "Nats-TTL", tombstoneTTL)
		}
		return true
	})
	for i := range answers {
		if err == nil {
			err = answers[i].err()
		}
	}
	return err
}

// Doubt marks, in the ledger, every row of the place's shard that an earlier
// owner may have sent in a call whose verdict nobody stored. It is done by a
// shard's new owner before it reads the shard, and may be done again.
func (m *Member) Doubt(ctx context.Context, place Place, l *Ledger) error {
	if err := m.streams.catchUp(ctx, l); err != nil {
		return err
	}
	journal, err := m.streams.leaderRecords(ctx, callKey+place.Destination+".>")
	if err != nil {
		return err
	}
	first, last := place.partitions(m.streams.config.Partitions)
	own := callKey + place.Destination + "." + m.record.ID + "."
	for _, r := range journal {
		if strings.HasPrefix(r.Key, own) {
			continue // under way here, for other shards
		}
		var call pipeline.OpenCall
		if err := json.Unmarshal(r.Value, &call); err != nil {
			return fmt.Errorf("read %s: %w", r.Key, err)
		}
		var mine, rest []pipeline.CallRow
		for _, row := range call.Rows {
			if p := partitionOf(row.Key); first <= p && p < last {
				mine = append(mine, row)
			} else {
				rest = append(rest, row)
			}
		}
		if len(mine) == 0 && len(rest) > 0 {
			continue
		}
		if err := doubt(ctx, l, mine, &call); err != nil {
			return err
		}
		if err := m.strike(ctx, place.Destination, r, pipeline.OpenCall{At: call.At, Until: call.Until, Rows: rest}); err != nil {
			return err
		}
	}
	return nil
}

// doubt marks rows in the ledger.
func doubt(ctx context.Context, l *Ledger, rows []pipeline.CallRow, call *pipeline.OpenCall) error {
	for len(rows) > 0 {
		keys := make([]ledger.Key, len(rows))
		for i, row := range rows {
			keys[i] = row.Key
		}
		found, err := l.Get(ctx, keys)
		if err != nil {
			return err
		}
		var writes []pipeline.Write
		var written []pipeline.CallRow
		for i, f := range found {
			mark := ledger.Mark{Version: rows[i].Version, Seq: rows[i].Seq}
			if doubted, ok := f.Entry.Doubted(mark, call.At, call.Until); ok {
				writes = append(writes, pipeline.Write{Key: keys[i], Revision: f.Revision, Entry: doubted})
				written = append(written, rows[i])
			}
		}
		outcome, err := l.Put(ctx, writes)
		if err != nil {
			return err
		}
		rows = rows[:0:0]
		for i, w := range outcome {
			if w.Lost {
				rows = append(rows, written[i]) // the former owner's last write: look again
			}
		}
	}
	return nil
}

// strike removes rows that are marked from a journal whose writer is gone.
func (m *Member) strike(ctx context.Context, destination string, r Record, rest pipeline.OpenCall) error {
	writer, _, _ := strings.Cut(strings.TrimPrefix(r.Key, callKey+destination+"."), ".")
	if alive, err := m.streams.alive(ctx, writer); err != nil || alive {
		return err // it clears its journal itself
	}
	var err error
	if len(rest.Rows) == 0 {
		err = m.streams.dropRecord(ctx, r.Key, r.Revision)
	} else {
		_, err = m.streams.setRecord(ctx, r.Key, r.Revision, rest)
	}
	if isConflict(err) {
		return nil // another new owner was there at the same time; marks stay
	}
	return err
}

func partitionOf(key ledger.Key) int {
	token, _, _ := strings.Cut(key, ".")
	n, err := strconv.Atoi(token)
	if err != nil {
		return -1
	}
	return n
}
