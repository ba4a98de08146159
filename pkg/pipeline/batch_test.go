package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// apartRenderer keeps rows of one note apart.
type apartRenderer struct{ plainRenderer }

func (a apartRenderer) Render(ev *events.Event) (Rendered, error) {
	r, err := a.plainRenderer.Render(ev)
	r.Apart = ev.Customer.Note.V
	return r, err
}

func TestBatchesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name string
		set  func(*rig)
		note string
		want int // rows in the largest batch
	}{
		{"by the destination's rows", func(r *rig) { r.d.Batch.MaxRows = 7 }, "", 7},
		{"by the sink's rows", func(r *rig) { r.sink.limits.MaxRows = 5; r.d.Batch.MaxRows = 7 }, "", 5},
		{"by the lane's rows", func(r *rig) { r.sink.lane = func(sinks.Row) sinks.Lane { return sinks.Lane{MaxRows: 3} } }, "", 3},
		{"by the destination's bytes", func(r *rig) { r.d.Batch.MaxBytes = 5000 }, long, 4},
		{"by the sink's bytes", func(r *rig) { r.sink.limits = sinks.Limits{MaxBytes: 5000, Frame: 1000, PerRow: 200} }, long, 3},
		{"by bytes that one row alone exceeds", func(r *rig) { r.d.Batch.MaxBytes = 500 }, long, 1},
		{"by what is to be apart", func(r *rig) { r.d.Renderer = apartRenderer{} }, "same", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				tt.set(r)
				r.start()
				r.many(40, tt.note)
				r.wait(time.Minute)
				largest, rows := 0, 0
				for _, call := range r.sink.asked() {
					largest, rows = max(largest, len(call.rows)), rows+len(call.rows)
				}
				if largest != tt.want || rows != 40 {
					t.Errorf("the largest batch of %d has %d rows, want %d; %d rows in all", r.sink.count(), largest, tt.want, rows)
				}
			})
		})
	}
}

func TestRowsToBeApartDontHoldUpOthers(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Renderer = apartRenderer{}
		r.d.Concurrency = 1
		r.sink.took = time.Second
		r.start()
		r.many(3000, "same")
		for i := range 100 {
			r.changed(fmt.Sprintf("other%d", i), 1, fmt.Sprint(i))
		}
		r.wait(time.Minute)
		if got := r.outcome("other99"); got == "" {
			t.Errorf("nothing of the others was sent in a minute; %d calls", r.sink.count())
		}
	})
}

func TestLinger(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch = Batch{MaxRows: 3, Linger: 2 * time.Second}
		r.start()
		begin := time.Now()
		r.many(3, "") // full: goes at once
		r.wait(time.Second)
		r.changed("x", 1, "")
		r.wait(time.Second)
		r.changed("y", 1, "")
		r.wait(10 * time.Second)
		at := r.sink.times()
		r.wantSent("c0:1 c1:1 c2:1", "x:1 y:1")
		if len(at) == 2 && (at[0].Sub(begin) > 0 || at[1].Sub(begin) != 3*time.Second) {
			t.Errorf("calls after %v and %v, want at once and after 3s", at[0].Sub(begin), at[1].Sub(begin))
		}
	})
}

func TestConcurrencyAndRateAreKept(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Batch.MaxRows, r.d.Concurrency = 1, 3
		r.d.Rate = NewRate(2)
		r.sink.took = 10 * time.Second
		r.d.Timeout = time.Minute
		r.start()
		r.many(60, "")
		r.wait(5 * time.Minute)
		if r.sink.atOnce() != 3 {
			t.Errorf("%d calls at once, want 3", r.sink.atOnce())
		}
		at := r.sink.times()
		if len(at) != 60 {
			t.Fatalf("%d calls, want 60", len(at))
		}
		for i := 2; i < len(at); i++ {
			if at[i].Sub(at[i-2]) < 500*time.Millisecond {
				t.Errorf("calls %d to %d within %v, at two a second", i-2, i, at[i].Sub(at[i-2]))
			}
		}
	})
}

func TestMemoryIsBoundedWhateverTheBacklog(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Window = 1 << 20
		r.d.SetPaused(true, time.Now(), "")
		r.start()
		r.many(50_000, "")
		r.wait(time.Hour)
		most := r.d.Window + 50*(2*1024) // what one fetch of the fake brings
		if got := r.d.Snapshot(); got.Bytes > most || got.Waiting > 5000 {
			t.Errorf("%d bytes of %d customers in memory, want at most %d", got.Bytes, got.Waiting, most)
		}
		r.d.SetPaused(false, time.Time{}, "")
		r.wait(time.Hour)
		if got := r.d.Snapshot(); got.Counts.Delivered != 50_000 || got.Bytes != 0 || got.Waiting != 0 {
			t.Errorf("in the end %d are delivered, and %d bytes of %d customers in memory", got.Counts.Delivered, got.Bytes, got.Waiting)
		}
		r.wantSettled()
	})
}
