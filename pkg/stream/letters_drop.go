package stream

import (
	"context"
	"fmt"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
)

// Drop removes just this letter and its row. One that was stored for the
// customer since then stays.
func (l *Letters) Drop(ctx context.Context, letter *deadletter.Letter) error {
	header, err := letter.Headers()
	if err != nil {
		return fmt.Errorf("drop a dead letter: %w", err)
	}
	tail := l.subjectTail(letter.Shop, letter.Customer)
	for _, prefix := range []string{rowsPrefix, lettersPrefix} {
		_, stored, seq, err := l.streams.post.lastWith(ctx, DeadLetters, prefix+tail)
		if err != nil {
			return fmt.Errorf("drop a dead letter: %w", err)
		}
		if seq == 0 || stored.Get("Custsync-Seq") != header["Custsync-Seq"][0] || stored.Get("Custsync-Version") != header["Custsync-Version"][0] {
			continue
		}
		if err := l.streams.purge(ctx, DeadLetters, prefix+tail, seq+1); err != nil {
			return fmt.Errorf("drop a dead letter: %w", err)
		}
	}
	return nil
}

// Stored tells of each customer whether a letter is stored, open or not. No key
// may be there twice, and there may be at most 1,000.
func (l *Letters) Stored(ctx context.Context, keys []ledger.Key) ([]bool, error) {
	there := make([]bool, len(keys))
	subjects := make([]string, len(keys))
	for i, key := range keys {
		var letter deadletter.Letter
		letter.SetKey(key)
		subjects[i] = lettersPrefix + l.subjectTail(letter.Shop, letter.Customer)
	}
	err := l.streams.lastOf(ctx, DeadLetters, subjects, 0, func(i int, _ kept) { there[i] = true })
	if err != nil {
		return nil, fmt.Errorf("look for dead letters: %w", err)
	}
	return there, nil
}
