package stream

import (
	"sync/atomic"
	"testing"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/nats-io/nats.go"
)

// The replica that is asked first may be one that can't be reached.
func TestFetchAsksAgain(t *testing.T) {
	t.Parallel()
	nc := natstest.Start(t).Connect()
	var asked atomic.Int32
	sub, err := nc.Subscribe("$JS.API.DIRECT.GET.SILENT", func(m *nats.Msg) {
		if asked.Add(1) == 1 {
			return
		}
		told := nats.NewMsg(m.Reply)
		told.Header.Set("Nats-Subject", "s")
		told.Header.Set("Nats-Sequence", "7")
		told.Header.Set("Nats-Last-Sequence", "0")
		end := nats.NewMsg(m.Reply)
		end.Header.Set("Status", "204")
		end.Header.Set("Nats-Last-Sequence", "7")
		for _, answer := range []*nats.Msg{told, end} {
			if err := m.RespondMsg(answer); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	p := newPost(nc)
	defer p.close()
	var seqs []uint64
	end, err := p.fetch(testContext(t), "SILENT", get{Filter: "s", Seq: 1}, func(k kept) { seqs = append(seqs, k.seq) })
	if err != nil || end.last != 7 || len(seqs) != 1 || seqs[0] != 7 {
		t.Errorf("got end %+v, sequences %v and error %v, want the one message with sequence 7", end, seqs, err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("it was asked %d times, want 2", n)
	}
}
