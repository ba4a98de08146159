package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// Close removes the letter that an end closes, if there is one, its row, and its
// edits but the one that the end names. Whoever has the shard next may have stored
// something newer meanwhile: that stays. The letter goes last: what is left of a
// removal that is cut short can be seen and removed again.
func (l *Letters) Close(ctx context.Context, key ledger.Key, end ledger.Settled) error {
	_, tail, _ := strings.Cut(key, ".")
	shop, customer, ok := strings.Cut(tail, ".")
	if !ok || strings.ContainsAny(tail, "*>") {
		return fmt.Errorf("close a dead letter: %q is no key", key)
	}
	if err := l.close(ctx, l.subjectTail(shop, customer), &end); err != nil {
		return fmt.Errorf("close a dead letter: %w", err)
	}
	return nil
}

func (l *Letters) close(ctx context.Context, tail string, end *ledger.Settled) error {
	data, header, letter, err := l.streams.post.lastWith(ctx, DeadLetters, lettersPrefix+tail)
	if err != nil {
		return err
	}
	if letter > 0 {
		at, err := l.streams.readLetter(lettersPrefix+tail, header, data)
		if err == nil && !overtaken(at, &ledger.Entry{Settled: end}) {
			return nil // it is of something newer, as its row and its edits are
		}
	}
	if err := l.dropEdits(ctx, tail, end.Edit); err != nil {
		return err
	}
	_, header, row, err := l.streams.post.lastWith(ctx, DeadLetters, rowsPrefix+tail)
	if err == nil && row > 0 && (row < letter || !rowAbove(header, end)) {
		err = l.streams.purge(ctx, DeadLetters, rowsPrefix+tail, row+1)
	}
	if err == nil && letter > 0 {
		err = l.streams.purge(ctx, DeadLetters, lettersPrefix+tail, letter+1)
	}
	return err
}

// rowAbove reports whether a row is of something newer than an end: its letter is
// about to be stored.
func rowAbove(header nats.Header, end *ledger.Settled) bool {
	version, err := strconv.ParseInt(header.Get("Custsync-Version"), 10, 64)
	seq, wrong := strconv.ParseUint(header.Get("Custsync-Seq"), 10, 64)
	return err == nil && wrong == nil && (ledger.Mark{Version: version, Seq: seq}).Compare(ledger.Mark{Version: end.Version, Seq: end.Seq}) > 0
}
