package ledger

import (
	"testing"
	"time"
)

func TestDoubtedMarksWhatTheJournalLeft(t *testing.T) {
	began := time.Now()
	until := began.Add(time.Minute)
	mark := Mark{Version: 7, Seq: 3}
	settled := func(version int64, at time.Time) *Settled {
		return &Settled{Version: version, Seq: 3, Outcome: Dead, At: at}
	}
	tests := []struct {
		name string
		have Entry
		want bool
	}{
		{"never seen", Entry{}, true},
		{"an older end", Entry{Settled: settled(6, began.Add(time.Second))}, true},
		{"its own end", Entry{Settled: settled(7, began.Add(time.Second))}, false},
		{"an end before the call", Entry{Settled: settled(7, began.Add(-time.Second))}, true},
		{"a newer end", Entry{Settled: settled(8, began.Add(-time.Second))}, false},
		{"marked", Entry{Pending: &Pending{Version: 7, Seq: 3, Doubt: true, Next: until}}, false},
		{"marked for an earlier call", Entry{Pending: &Pending{Version: 7, Seq: 3, Doubt: true, Next: began}}, true},
		{"an earlier doubt alone", Entry{Pending: &Pending{Doubt: true, Next: until.Add(time.Minute)}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, marks := tt.have.Doubted(mark, began, until)
			if marks != tt.want {
				t.Fatalf("marks %v, want %v: %+v", marks, tt.want, got.Pending)
			}
			if p := got.Pending; marks && (!p.Doubt || p.Version != 7 || p.Seq != 3 || p.Next.Before(until)) {
				t.Errorf("got pending %+v, want version 7 in doubt until %v at least", p, until)
			}
		})
	}
}
