package stream

import (
	"context"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
)

func setAlarm(t testing.TB, a *Alarm, wakeups ...pipeline.Wakeup) {
	t.Helper()
	if err := a.Set(testContext(t), wakeups); err != nil {
		t.Fatal(err)
	}
}

func TestAlarmWakesWithTheNewestState(t *testing.T) {
	_, s := open(t, Config{Partitions: 1, History: 3})
	shard := openShard(t, s, lay(t, s, "d", 1))
	publish(t, s, "acme", "c", 5)
	newest := publish(t, s, "acme", "c", 9)
	publishRaw(t, s, "acme", "c", []byte(`not an event`))
	// The late old one evicts the first.
	publish(t, s, "acme", "c", 7)
	due := time.Now().Add(30 * time.Millisecond)
	setAlarm(t, s.Alarm("d"), pipeline.Wakeup{Key: "0.acme.c", At: due, Cause: pipeline.Replay, Force: true})
	m := lend(t, wakes(shard), 1)[0]
	if time.Now().Before(due) {
		t.Error("it came early")
	}
	if m.Key != "0.acme.c" || m.Event != newest || string(m.Data) != string(event("acme", "c", 9)) || m.Cause != pipeline.Replay || !m.Force || m.At.IsZero() {
		t.Errorf("got %+v with %s", m, m.Data)
	}
}

func TestAlarmOfACustomerThatIsGone(t *testing.T) {
	_, s := open(t, Config{Partitions: 1})
	shard := openShard(t, s, lay(t, s, "d", 1))
	setAlarm(t, s.Alarm("d"), pipeline.Wakeup{Key: "0.acme.c", Cause: pipeline.Retry})
	if m := lend(t, wakes(shard), 1)[0]; m.Data != nil || m.Key != "0.acme.c" || m.Cause != pipeline.Retry {
		t.Errorf("got %+v, want a wake-up without an event", m)
	}
}

// A later wake-up of a customer replaces the earlier one, and each goes to its
// own destination.
func TestAlarmReplaces(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 1})
	shard := openShard(t, s, lay(t, s, "d", 1))
	later := time.Now().Add(time.Hour)
	d, other := s.Alarm("d"), s.Alarm("other")
	setAlarm(t, d,
		pipeline.Wakeup{Key: "0.acme.a", At: later, Cause: pipeline.Retry},
		pipeline.Wakeup{Key: "0.acme.b", At: later, Cause: pipeline.Retry},
		pipeline.Wakeup{Key: "0.acme.c", At: later, Cause: pipeline.Retry})
	setAlarm(t, other, pipeline.Wakeup{Key: "0.acme.a", Cause: pipeline.Retry})
	setAlarm(t, d, pipeline.Wakeup{Key: "0.acme.b", Cause: pipeline.Backfill})
	if m := lend(t, wakes(shard), 1)[0]; m.Key != "0.acme.b" || m.Cause != pipeline.Backfill {
		t.Errorf("got %+v, want the later wake-up of b", m)
	}
	if got, err := s.Retrying(testContext(t), "d"); err != nil || got != 2 {
		t.Errorf("got %d waiting wake-ups and error %v, want 2", got, err)
	}
}

func TestWakeFeedTriesAgainWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	server, s := open(t, Config{Partitions: 1})
	shard := openShard(t, s, lay(t, s, "d", 1))
	publish(t, s, "acme", "c", 1)
	setAlarm(t, s.Alarm("d"), pipeline.Wakeup{Key: "0.acme.c", Cause: pipeline.Retry})
	f := wakes(shard).(*wakeFeed)
	// It is read, and then the stream is away.
	until(t, "the wake-up is read", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return f.fill(ctx) == nil && len(f.read) == 1
	})
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if got, err := f.Fetch(ctx, 1<<20); err == nil {
		t.Fatalf("without a server: got %v, want an error", got)
	}
	server.Restart()
	if m := lend(t, f, 1)[0]; m.Key != "0.acme.c" || m.Data == nil {
		t.Errorf("got %+v, want the wake-up with its event", m)
	}
}

// The stream would keep the last wake-up of every customer for ever.
func TestSettledWakeupsAreRemoved(t *testing.T) {
	t.Parallel()
	_, s := open(t, Config{Partitions: 2})
	shard := openShard(t, s, lay(t, s, "d", 1))
	setAlarm(t, s.Alarm("d"),
		pipeline.Wakeup{Key: "0.acme.a", Cause: pipeline.Retry},
		pipeline.Wakeup{Key: "1.acme.b", Cause: pipeline.Retry})
	messages := lend(t, wakes(shard), 2)
	f := wakes(shard).(*wakeFeed)
	left := func(want uint64) {
		t.Helper()
		f.next = time.Time{}
		f.clear(testContext(t))
		if got, err := s.count(testContext(t), Wakeups, ">"); err != nil || got != want {
			t.Errorf("got %d wake-ups left and error %v, want %d", got, err, want)
		}
	}
	left(2)
	f.Settle(messages[0].Seq)
	until(t, "it is stored", func() bool { return f.cursor.storedSettled(ofWakeups) == messages[0].Seq })
	left(1)
}
