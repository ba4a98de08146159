package stream

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

func openLedger(t testing.TB, s *Streams) *Ledger {
	t.Helper()
	l, err := s.Ledger(testContext(t), "d")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entry(version int64) ledger.Entry {
	return ledger.Entry{Settled: &ledger.Settled{
		Version: version, Seq: uint64(version), Outcome: ledger.Delivered, At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
	}}
}

func customers(n int) []ledger.Key {
	keys := make([]ledger.Key, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%d.acme.c%d", i%7, i)
	}
	return keys
}

// put writes version to all keys and returns them as they are then.
func putAll(t testing.TB, l *Ledger, keys []ledger.Key, before []pipeline.Found, version int64) []pipeline.Found {
	t.Helper()
	writes := make([]pipeline.Write, len(keys))
	for i, k := range keys {
		writes[i] = pipeline.Write{Key: k, Entry: entry(version)}
		if before != nil {
			writes[i].Revision = before[i].Revision
		}
	}
	ctx := testContext(t)
	written, err := l.Put(ctx, writes)
	for err != nil && ctx.Err() == nil {
		written, err = l.Put(ctx, writes) // as the loop does in an outage
	}
	if err != nil {
		t.Fatal(err)
	}
	now := make([]pipeline.Found, len(keys))
	for i, w := range written {
		if w.Lost || w.Revision == 0 {
			t.Fatalf("write %d: got %+v, want it written", i, w)
		}
		now[i] = pipeline.Found{Revision: w.Revision, Entry: writes[i].Entry}
	}
	return now
}

func TestLedgerKeepsWhatIsPut(t *testing.T) {
	t.Parallel()
	for name, synced := range map[string]bool{"singly": false, "atomically": true} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{Synced: synced})
			l := openLedger(t, s)
			keys := customers(2300) // three look-ups and three batches
			if got, err := l.Get(testContext(t), keys); err != nil || !reflect.DeepEqual(got, make([]pipeline.Found, len(keys))) {
				t.Fatalf("an empty ledger: got entries or error %v", err)
			}
			now := putAll(t, l, keys, nil, 1)
			now = putAll(t, l, keys[:1200], now, 2)
			got, err := l.Get(testContext(t), keys[:1200])
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, now) {
				t.Errorf("got other entries or revisions than were put")
			}
		})
	}
}

func TestLedgerDestinationsAreApart(t *testing.T) {
	_, s := open(t, Config{})
	putAll(t, openLedger(t, s), customers(3), nil, 1)
	other, err := s.Ledger(testContext(t), "other")
	if err != nil {
		t.Fatal(err)
	}
	got, err := other.Get(testContext(t), customers(3))
	if err != nil || !reflect.DeepEqual(got, make([]pipeline.Found, 3)) {
		t.Errorf("got %+v and error %v, want nothing", got, err)
	}
}

// One row that somebody else wrote costs its neighbours nothing.
func TestLedgerTellsWhichRowIsLost(t *testing.T) {
	for name, synced := range map[string]bool{"singly": false, "atomically": true} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{Synced: synced})
			l := openLedger(t, s)
			keys := customers(100)
			now := putAll(t, l, keys, nil, 1)
			putAll(t, openLedger(t, s), keys[40:41], now[40:41], 5)
			writes := make([]pipeline.Write, len(keys))
			for i, k := range keys {
				writes[i] = pipeline.Write{Key: k, Revision: now[i].Revision, Entry: entry(2)}
			}
			written, err := l.Put(testContext(t), writes)
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range written {
				if lost := i == 40; w.Lost != lost || (w.Revision == 0) != lost {
					t.Errorf("row %d: got %+v, want lost %v", i, w, lost)
				}
			}
		})
	}
}

// A write that was stored, and whose answer never came, is found to be there.
func TestLedgerFindsItsOwnWrite(t *testing.T) {
	_, s := open(t, Config{})
	l := openLedger(t, s)
	keys := customers(60)
	now := putAll(t, l, keys, nil, 1)
	writes := make([]pipeline.Write, len(keys))
	for i, k := range keys {
		writes[i] = pipeline.Write{Key: k, Entry: entry(1)} // as sent the first time
	}
	written, err := l.Put(testContext(t), writes)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written {
		if w.Lost || w.Revision != now[i].Revision {
			t.Errorf("row %d: got %+v, want revision %d", i, w, now[i].Revision)
		}
	}
}

func TestLedgerSurvivesARestartInTheMiddle(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	s := openAt(t, server.Connect(), Config{})
	l := openLedger(t, s)
	keys := customers(3000)
	began := make(chan struct{})
	go func() {
		defer close(began)
		server.Restart()
	}()
	now := putAll(t, l, keys, nil, 1)
	<-began
	until(t, "the client is back", s.nc.IsConnected)
	got, err := l.Get(testContext(t), keys)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, now) {
		t.Error("got other entries or revisions than were put")
	}
}

func TestMeterKeepsTheCheaperWay(t *testing.T) {
	m := newMeter(false)
	if got := m.pick(fewRows - 1); got != singly {
		t.Errorf("few rows: got %v, want singly", got)
	}
	if got := m.pick(100); got != singly {
		t.Errorf("first: got %v, want singly", got)
	}
	m.observe(singly, 100, 20*time.Millisecond)
	if got := m.pick(100); got != atomically {
		t.Errorf("second: got %v, want atomically", got)
	}
	m.observe(atomically, 100, 10*time.Millisecond)
	ways := map[way]int{}
	for range probeEvery {
		ways[m.pick(100)]++
	}
	if ways[atomically] != probeEvery-1 || ways[singly] != 1 {
		t.Errorf("got %v, want the cheaper way, and the other one once", ways)
	}
	for range 20 {
		m.observe(atomically, 100, 100*time.Millisecond)
	}
	if got := m.pick(100); got != singly {
		t.Errorf("after batches got dear: got %v, want singly", got)
	}
	if got := newMeter(true).pick(fewRows); got != atomically {
		t.Errorf("a server that syncs: got %v, want atomically", got)
	}
}

func BenchmarkLedgerPut(b *testing.B) {
	for _, synced := range []bool{false, true} {
		for _, way := range []way{singly, atomically} {
			b.Run(fmt.Sprintf("synced=%v/way=%v", synced, way), func(b *testing.B) {
				server := natstest.Start(b)
				if synced {
					server = natstest.StartSynced(b)
				}
				s := openAt(b, server.Connect(), Config{})
				l := openLedger(b, s)
				l.writes.cost = [2]time.Duration{2, 2}
				l.writes.cost[way] = 1
				keys := customers(1000)
				now := putAll(b, l, keys, nil, 1)
				version := int64(1)
				for b.Loop() {
					version++
					l.writes.cost = [2]time.Duration{2, 2}
					l.writes.cost[way], l.writes.turns = 1, 0
					now = putAll(b, l, keys, now, version)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*1000), "µs/row")
			})
		}
	}
}
