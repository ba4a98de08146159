package stream

import (
	"encoding/json"
	"errors"
	"testing"
)

// A write that was stored although nobody waited for its answer is the owner's
// own; only another owner's takes the shard away.
func TestCursorKnowsItsOwnWrites(t *testing.T) {
	t.Parallel()
	for name, mine := range map[string]bool{"its own": true, "another's": false} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{Partitions: 1})
			ctx := testContext(t)
			c, err := s.openCursor(ctx, lay(t, s, "d", 1))
			if err != nil {
				t.Fatal(err)
			}
			c.stop() // nothing is written but by the test
			c.wg.Wait()
			unheard := ownedCursor{c.stored.clone(), c.owner}
			unheard.Events[0].Settled = 3
			if !mine {
				unheard.Owner = "another"
			}
			data, err := json.Marshal(unheard)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := s.post.one(ctx, compareAndSet(c.subject, c.revision, data)); err != nil || a.err() != nil {
				t.Fatal(err, a.err())
			}
			c.settle(ofEvents(0), 5)
			err = c.save(ctx)
			if mine && err != nil || !mine && !errors.Is(err, ErrShardLost) {
				t.Errorf("got error %v", err)
			}
			want := unheard.Cursor
			if mine {
				want.Events[0].Settled = 5
			}
			if got, _, err := s.readCursor(ctx, Place{"d", 1, 1, 0}); err != nil || !got.equal(&want) {
				t.Errorf("got cursor %+v and error %v, want %+v", got, err, want)
			}
		})
	}
}
