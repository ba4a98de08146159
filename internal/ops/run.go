package ops

import (
	"context"
	"crypto/rand"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/stream"
)

// Began is what to go on by with an act on many letters that is cut short, and what
// keeps it to the letters that a person saw before.
type Began struct {
	// Run names it: a replay is resumed by it, a discard undone.
	Run string `json:"run,omitempty"`
	// UpTo is the place of the last letter that it is about. With a filter that has
	// it, the same letters are selected again, as far as they are still open.
	UpTo uint64 `json:"up_to,omitempty"`
}

func newRun() string { return rand.Text()[:8] }

// begin tells that an act begins, once.
func (b *Bulk) begin(as Began) {
	if b.Began != nil {
		b.Began(as)
		b.Began = nil
	}
}

// bounded is the query of a filter without the letters that come from now on. There
// was never a letter where its UpTo is 0.
func (d *Desk) bounded(ctx context.Context, f Filter) (stream.Query, error) {
	q := f.query()
	if err := d.known(ctx, f.Destination); err != nil {
		return q, err
	}
	end, err := d.Streams.LettersEnd(ctx)
	if q.UpTo == 0 || q.UpTo > end {
		q.UpTo = end
	}
	return q, err
}

// through is the place of the last letter of a window. What a dry run has told of
// ends there: a letter behind it may have been too young for the filter.
func through(window []*deadletter.Letter) uint64 { return window[len(window)-1].Place }
