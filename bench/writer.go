package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// writerSlots is how many values one group of writes holds at most.
const writerSlots = 1000

// writer is the cheapest way found to write values singly and learn the fate of
// each: one reply inbox for all, reply subjects made beforehand, and one count
// for a group of writes instead of a future for each.
type writer struct {
	nc     *nats.Conn
	sub    *nats.Subscription
	prefix string // of the reply subjects
	groups []*writeGroup
	free   chan *writeGroup
}

type writeGroup struct {
	replies []string
	seqs    []uint64 // what each value was stored as
	open    atomic.Int64
	refused atomic.Int64
	done    chan struct{}
}

// newWriter makes a writer of that many groups at once, of size values each.
func newWriter(nc *nats.Conn, groups, size int) (*writer, error) {
	w := &writer{nc: nc, prefix: nats.NewInbox() + ".", free: make(chan *writeGroup, groups)}
	for g := range groups {
		group := &writeGroup{replies: make([]string, size), seqs: make([]uint64, size), done: make(chan struct{}, 1)}
		for i := range size {
			group.replies[i] = w.prefix + strconv.Itoa(g*writerSlots+i)
		}
		w.groups = append(w.groups, group)
		w.free <- group
	}
	sub, err := nc.Subscribe(w.prefix+"*", w.answered)
	if err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	w.sub = sub
	return w, nil
}

func (w *writer) close() { _ = w.sub.Unsubscribe() } // fails only when the connection is closed

// write publishes the values and returns when all are stored. They are at most
// as many as a group has slots.
func (w *writer) write(ctx context.Context, subjects []string, values [][]byte, header nats.Header) error {
	var group *writeGroup
	select {
	case group = <-w.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	group.open.Store(int64(len(subjects)))
	group.refused.Store(0)
	msg := nats.Msg{Header: header}
	for i, subject := range subjects {
		msg.Subject, msg.Reply, msg.Data = subject, group.replies[i], values[i]
		if err := w.nc.PublishMsg(&msg); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	select {
	case <-group.done:
	case <-ctx.Done():
		return ctx.Err() // the group is not used again: answers may still come
	}
	refused := group.refused.Load()
	w.free <- group
	if refused > 0 {
		return fmt.Errorf("write: %d of %d values refused", refused, len(subjects))
	}
	return nil
}

// answered files one answer.
func (w *writer) answered(msg *nats.Msg) {
	slot, err := strconv.Atoi(strings.TrimPrefix(msg.Subject, w.prefix))
	if err != nil {
		return
	}
	group := w.groups[slot/writerSlots]
	if seq, ok := storedSeq(msg.Data); ok {
		group.seqs[slot%writerSlots] = seq
	} else {
		group.refused.Add(1)
	}
	if group.open.Add(-1) == 0 {
		group.done <- struct{}{}
	}
}

// storedSeq reads the sequence from the answer to a publish.
func storedSeq(answer []byte) (uint64, bool) {
	_, tail, found := bytes.Cut(answer, []byte(`"seq":`))
	if !found || bytes.Contains(answer, []byte(`"error":`)) {
		return 0, false
	}
	seq := uint64(0)
	for _, c := range tail {
		if c < '0' || c > '9' {
			break
		}
		seq = seq*10 + uint64(c-'0')
	}
	return seq, seq > 0
}

// inGroups cuts n into groups of at most size, calls do for each, atOnce at a
// time, and returns when all are done.
func inGroups(n, size, atOnce int, do func(first, count int) error) error {
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, atOnce)
	for i := range atOnce {
		group.Go(func() {
			for errs[i] == nil {
				first := int(next.Add(int64(size))) - size
				if first >= n {
					return
				}
				errs[i] = do(first, min(size, n-first))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
