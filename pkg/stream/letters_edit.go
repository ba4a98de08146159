package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/nats-io/nats.go"
)

// An edit lies beside the row of its letter, as rows.<destination>.<shop>.<customer>.<id>.
// It is never changed: the ledger names the one that is in force.
const (
	editVersion = "Custsync-Version"
	editSeq     = "Custsync-Seq"
	editOf      = "Custsync-Of"
	editAt      = "Custsync-At"
	editBy      = "Custsync-By"
	editNote    = "Custsync-Note"
)

// Edit returns an edit of a customer; nil: it is not kept.
func (l *Letters) Edit(ctx context.Context, key ledger.Key, id string) (*deadletter.Edit, error) {
	edits, err := l.Edits(ctx, []ledger.Key{key}, []string{id})
	if err != nil {
		return nil, err
	}
	if edits[0] != nil {
		return edits[0], nil
	}
	// A replica may not have it yet.
	data, header, seq, err := l.streams.post.lastWith(ctx, DeadLetters, l.editSubject(key, id))
	if err != nil {
		return nil, fmt.Errorf("read an edit: %w", err)
	}
	if seq == 0 {
		return nil, nil
	}
	return readEdit(id, header, data)
}

// Edits returns the edits of customers by their ids, in order; nil: none is kept,
// or its id is empty. No key may be there twice, and there may be at most 1,000.
func (l *Letters) Edits(ctx context.Context, keys []ledger.Key, ids []string) ([]*deadletter.Edit, error) {
	edits := make([]*deadletter.Edit, len(keys))
	var subjects []string
	var of []int
	for i, key := range keys {
		if ids[i] != "" {
			subjects, of = append(subjects, l.editSubject(key, ids[i])), append(of, i)
		}
	}
	var wrong error
	err := l.streams.lastOf(ctx, DeadLetters, subjects, 0, func(n int, k kept) {
		i := of[n]
		edit, err := readEdit(ids[i], k.msg.Header, k.msg.Data)
		if err != nil {
			wrong = err
		}
		edits[i] = edit
	})
	if err == nil {
		err = wrong
	}
	if err != nil {
		return nil, fmt.Errorf("read edits: %w", err)
	}
	return edits, nil
}

// StoreEdits stores edits of customers and returns once all are stored. They are
// in force when the ledger says so.
func (l *Letters) StoreEdits(ctx context.Context, keys []ledger.Key, edits []*deadletter.Edit) error {
	answers, err := l.streams.post.send(ctx, len(keys), func(i int, m *nats.Msg) bool {
		e := edits[i]
		m.Subject, m.Data = l.editSubject(keys[i], e.ID), e.Patch
		setHeader(m, editVersion, strconv.FormatInt(e.Version, 10))
		setHeader(m, editSeq, strconv.FormatUint(e.Seq, 10))
		setHeader(m, editOf, e.Of)
		setHeader(m, editAt, e.At.UTC().Format(time.RFC3339Nano))
		setHeader(m, editBy, deadletter.Line(e.By, 256))
		setHeader(m, editNote, deadletter.Line(e.Note, 4<<10))
		return true
	})
	for i := range answers {
		if err == nil {
			err = answers[i].err()
		}
	}
	if err != nil {
		return fmt.Errorf("store edits: %w", err)
	}
	return nil
}

// DropEdit removes one edit.
func (l *Letters) DropEdit(ctx context.Context, key ledger.Key, id string) error {
	if err := l.streams.purge(ctx, DeadLetters, l.editSubject(key, id), 0); err != nil {
		return fmt.Errorf("remove an edit: %w", err)
	}
	return nil
}

func (l *Letters) editSubject(key ledger.Key, id string) string {
	_, tail, _ := strings.Cut(key, ".")
	return rowsPrefix + l.destination + "." + tail + "." + id
}

// dropEdits removes the edits of a letter but the one with the id given.
func (l *Letters) dropEdits(ctx context.Context, tail, but string) error {
	filter := rowsPrefix + tail + ".*"
	if but == "" {
		return l.streams.purge(ctx, DeadLetters, filter, 0)
	}
	var over []string
	for seq := uint64(1); ; {
		end, err := l.streams.post.fetch(ctx, DeadLetters, get{Filter: filter, Seq: seq, Batch: keptAtOnce}, func(k kept) {
			if !strings.HasSuffix(k.subject, "."+but) {
				over = append(over, k.subject)
			}
		})
		if err != nil {
			return err
		}
		if end.none || end.left == 0 {
			break
		}
		seq = end.last + 1
	}
	for _, subject := range over {
		if err := l.streams.purge(ctx, DeadLetters, subject, 0); err != nil {
			return err
		}
	}
	return nil
}

func readEdit(id string, header nats.Header, data []byte) (*deadletter.Edit, error) {
	e := &deadletter.Edit{ID: id, Of: header.Get(editOf), By: header.Get(editBy), Note: header.Get(editNote), Patch: data}
	var err error
	if e.Version, err = strconv.ParseInt(header.Get(editVersion), 10, 64); err != nil {
		return nil, fmt.Errorf("edit %s: header %s: %w", id, editVersion, err)
	}
	if e.Seq, err = strconv.ParseUint(header.Get(editSeq), 10, 64); err != nil {
		return nil, fmt.Errorf("edit %s: header %s: %w", id, editSeq, err)
	}
	if e.At, err = time.Parse(time.RFC3339Nano, header.Get(editAt)); err != nil {
		return nil, fmt.Errorf("edit %s: header %s: %w", id, editAt, err)
	}
	return e, nil
}
