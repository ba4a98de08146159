package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
)

func TestRenameMovesEverything(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 1})
	ctx := testContext(t)
	place := lay(t, s, "d", 1)
	shard := openShard(t, s, place)
	publish(t, s, "acme", "c", 1)
	second := publish(t, s, "acme", "c2", 1)
	lend(t, shard.Feeds[0], 2)
	shard.Feeds[0].Settle(second)
	if err := shard.Close(ctx); err != nil {
		t.Fatal(err)
	}
	putAll(t, openLedger(t, s), []string{"0.acme.c"}, nil, 3)
	if err := s.Letters("d").Open(ctx, letter("0.acme.c2", 7)); err != nil {
		t.Fatal(err)
	}
	setAlarm(t, s.Alarm("d"), pipeline.Wakeup{Key: "0.acme.c", Cause: pipeline.Replay})
	if err := s.Pause(ctx, "d", Paused{Since: time.Now(), Note: "why"}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.Rename(ctx, "d", "new"); err != nil {
			t.Fatal(err)
		}
	}
	book, err := s.Ledger(ctx, "new")
	if err != nil {
		t.Fatal(err)
	}
	found, err := book.Get(ctx, []string{"0.acme.c"})
	if err != nil || found[0].Entry.Settled == nil || found[0].Entry.Settled.Version != 3 {
		t.Errorf("ledger: got %+v and error %v", found, err)
	}
	if l, err := s.Letters("new").Get(ctx, "acme", "c2"); err != nil || l == nil || l.Version != 7 || l.Row == nil {
		t.Errorf("letter: got %+v and error %v", l, err)
	}
	if l, err := s.Letters("d").Get(ctx, "acme", "c2"); err != nil || l != nil {
		t.Errorf("letter under the old name: got %+v and error %v", l, err)
	}
	if board, err := s.Board(ctx); err != nil || board.Paused["new"].Note != "why" || len(board.Paused) > 1 {
		t.Errorf("pauses: got %+v and error %v", board.Paused, err)
	}
	moved := openShard(t, s, Place{"new", 1, 1, 0})
	if moved.cursor.stored.Events[0].Settled != second {
		t.Errorf("cursor: got %+v, want settled %d", moved.cursor.stored, second)
	}
	if m := lend(t, wakes(moved), 1)[0]; m.Key != "0.acme.c" || m.Cause != pipeline.Replay {
		t.Errorf("wake-up: got %+v", m)
	}
	if l, err := s.Layout(ctx, "d"); err != nil || l != nil {
		t.Errorf("old layout: got %+v and error %v", l, err)
	}
}

// Whoever knows a destination by the name that it had does not fill it once more, nor
// takes a shard of it while it is being moved.
func TestRenamedDestinationIsNotBegunAnew(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 2})
	ctx := testContext(t)
	place := lay(t, s, "d", 1)
	a, b := join(t, s), join(t, s)
	lease, err := a.Take(ctx, place)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rename(ctx, "d", "new"); !errors.Is(err, ErrLayoutBusy) {
		t.Fatalf("while a shard is owned: got error %v, want %v", err, ErrLayoutBusy)
	}
	if err := lease.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if lease, err = b.Take(ctx, place); err != nil {
		t.Fatalf("after a try to rename it: %v", err)
	}
	if err := lease.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.overwrite(ctx, renamedKey+"d", renamedRecord{"new"}); err != nil { // it is being moved
		t.Fatal(err)
	}
	if _, err := a.Take(ctx, place); !errors.Is(err, ErrRenamed) {
		t.Errorf("while it is moved: got error %v, want %v", err, ErrRenamed)
	}
	if err := s.Rename(ctx, "d", "new"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EnsureLayout(ctx, "d", 1, Position{}); !errors.Is(err, ErrRenamed) {
		t.Errorf("by its old name: got error %v, want %v", err, ErrRenamed)
	}
	if _, err := b.Take(ctx, Place{"new", 1, 1, 0}); err != nil {
		t.Errorf("by its new name: %v", err)
	}
	if err := b.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename(ctx, "new", "d"); err != nil {
		t.Fatalf("back to its old name: %v", err)
	}
	if _, err := a.Take(ctx, place); err != nil {
		t.Errorf("back at its old name: %v", err)
	}
	if kept, err := s.KeptFor(ctx, "new"); err != nil || kept != (Kept{Records: 1}) {
		t.Errorf("of the name that it had: got %+v and error %v, want the word that it is renamed", kept, err)
	}
	if err := s.Remove(ctx, "new"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EnsureLayout(ctx, "new", 1, Position{}); err != nil {
		t.Errorf("a new one, after the old one was removed: %v", err)
	}
}
