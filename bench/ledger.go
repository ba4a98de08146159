package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// absent makes a write a compare-and-set: the key must not be there yet.
func absent() nats.Header { return nats.Header{jetstream.ExpectedLastSubjSeqHeader: {"0"}} }

// ledgerWay is one way of writing new entries into a ledger.
type ledgerWay struct {
	name string
	rows int
	put  func(ctx context.Context, js jetstream.JetStream, subjects []string, value []byte) error
}

func ledgerWays(rows int) []ledgerWay {
	return []ledgerWay{
		{"futures, 1000 outstanding", rows, putFutures(1000)},
		{"futures, 4000 outstanding", rows, putFutures(4000)},
		{"counted, 1 group of 1000", rows, putCounted(1, 1000)},
		{"counted, 4 groups of 1000", rows, putCounted(4, 1000)},
		{"counted, 8 groups of 500", rows, putCounted(8, 500)},
		{"atomic 100", rows, putAtomic(1, 100)},
		{"atomic 100, 4 at once", rows, putAtomic(4, 100)},
		{"atomic 500", rows, putAtomic(1, 500)},
		{"atomic 500, 4 at once", rows, putAtomic(4, 500)},
		{"atomic 1000", rows, putAtomic(1, 1000)},
		{"atomic 1000, 4 at once", rows, putAtomic(4, 1000)},
		{"fast ingest, commit each 1000", rows, putFast(1, 1000)},
		{"fast ingest, commit each 1000, 4 at once", rows, putFast(4, 1000)},
		{"fast ingest, one commit", rows, putFast(1, rows)},
	}
}

// run writes w.rows new entries into a ledger of their own.
func (w ledgerWay) run(ctx context.Context, s *server, nc *nats.Conn, name string) (sample, error) {
	// A way's memory of subjects and futures is not the next one's business.
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(w.rows+1))
	if err != nil {
		return sample{}, err
	}
	prefix, err := makeLedger(ctx, js, name)
	if err != nil {
		return sample{}, err
	}
	subjects, value := entrySubjects(prefix, 0, w.rows), entryOf()
	m, err := startMeter(s)
	if err != nil {
		return sample{}, err
	}
	if err := w.put(ctx, js, subjects, value); err != nil {
		return sample{}, fmt.Errorf("%s: %w", w.name, err)
	}
	taken, err := m.stop(w.rows)
	if err != nil {
		return sample{}, err
	}
	stream, err := js.Stream(ctx, "KV_"+name)
	if err != nil {
		return sample{}, err
	}
	if got := stream.CachedInfo().State.Msgs; got != uint64(w.rows) {
		return sample{}, fmt.Errorf("%s: ledger holds %d entries, want %d", w.name, got, w.rows)
	}
	return taken, js.DeleteStream(ctx, "KV_"+name)
}

// putFutures uses nats.go's asynchronous publish: a future for each entry.
func putFutures(outstanding int) func(context.Context, jetstream.JetStream, []string, []byte) error {
	return func(ctx context.Context, js jetstream.JetStream, subjects []string, value []byte) error {
		var waiting []jetstream.PubAckFuture
		settle := func(n int) error {
			for _, f := range waiting[:n] {
				select {
				case <-f.Ok():
				case err := <-f.Err():
					return fmt.Errorf("publish: %w", err)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			waiting = slices.Delete(waiting, 0, n)
			return nil
		}
		for _, subject := range subjects {
			f, err := js.PublishMsgAsync(&nats.Msg{Subject: subject, Header: absent(), Data: value})
			if err != nil {
				return fmt.Errorf("publish: %w", err)
			}
			if waiting = append(waiting, f); len(waiting) == outstanding {
				if err := settle(outstanding / 2); err != nil {
					return err
				}
			}
		}
		return settle(len(waiting))
	}
}

// putCounted uses writer.
func putCounted(groups, size int) func(context.Context, jetstream.JetStream, []string, []byte) error {
	return func(ctx context.Context, js jetstream.JetStream, subjects []string, value []byte) error {
		w, err := newWriter(js.Conn(), groups, size)
		if err != nil {
			return err
		}
		defer w.close()
		values := slices.Repeat([][]byte{value}, size)
		return inGroups(len(subjects), size, groups, func(first, count int) error {
			return w.write(ctx, subjects[first:first+count], values, absent())
		})
	}
}

// putAtomic uses atomic batches: all entries of a batch or none, one answer.
func putAtomic(atOnce, size int) func(context.Context, jetstream.JetStream, []string, []byte) error {
	return func(ctx context.Context, js jetstream.JetStream, subjects []string, value []byte) error {
		return inGroups(len(subjects), size, atOnce, func(first, count int) error {
			return atomicBatch(ctx, js.Conn(), subjects[first:first+count], value)
		})
	}
}

func atomicBatch(ctx context.Context, nc *nats.Conn, subjects []string, value []byte) error {
	header := absent()
	header["Nats-Batch-Id"] = []string{nuid.Next()}
	seq := []string{""}
	header["Nats-Batch-Sequence"] = seq
	msg := nats.Msg{Header: header, Data: value}
	last := len(subjects) - 1
	for i, subject := range subjects[:last] {
		seq[0], msg.Subject = strconv.Itoa(i+1), subject
		if err := nc.PublishMsg(&msg); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	seq[0], msg.Subject = strconv.Itoa(last+1), subjects[last]
	header["Nats-Batch-Commit"] = []string{"1"}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ack, err := nc.RequestMsgWithContext(ctx, &msg)
	if err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	if _, ok := storedSeq(ack.Data); !ok {
		return fmt.Errorf("commit batch: refused: %s", ack.Data)
	}
	return nil
}

// putFast uses fast ingest: answers for many entries at once, and a batch ends
// at its first refused entry.
func putFast(atOnce, size int) func(context.Context, jetstream.JetStream, []string, []byte) error {
	return func(ctx context.Context, js jetstream.JetStream, subjects []string, value []byte) error {
		return inGroups(len(subjects), size, atOnce, func(first, count int) error {
			return fastBatch(ctx, js, subjects[first:first+count], value)
		})
	}
}

func fastBatch(ctx context.Context, js jetstream.JetStream, subjects []string, value []byte) error {
	var refused atomic.Int64
	p, err := jetstreamext.NewFastPublisher(js,
		jetstreamext.FastPublishFlowControl{Flow: 500, MaxOutstandingAcks: 4, AckTimeout: 30 * time.Second},
		jetstreamext.WithFastPublisherErrorHandler(func(error) { refused.Add(1) }))
	if err != nil {
		return fmt.Errorf("make fast publisher: %w", err)
	}
	last := len(subjects) - 1
	for _, subject := range subjects[:last] {
		if _, err := p.AddMsg(&nats.Msg{Subject: subject, Header: absent(), Data: value}); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	ack, err := p.CommitMsg(ctx, &nats.Msg{Subject: subjects[last], Header: absent(), Data: value})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if refused.Load() > 0 || int(ack.BatchSize) != len(subjects) {
		return fmt.Errorf("commit: %d refused, %d of %d stored", refused.Load(), ack.BatchSize, len(subjects))
	}
	return nil
}
