package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/nats-io/nats.go"
)

// Letters are the dead letters of one destination.
type Letters struct {
	streams     *Streams
	destination string
}

var _ pipeline.Letters = (*Letters)(nil)

// Letters returns a destination's dead letters.
func (s *Streams) Letters(destination string) *Letters { return &Letters{s, destination} }

// subjectTail is the subject of a customer's letter and row without its first
// token. The partition is not in it.
func (l *Letters) subjectTail(shop, customer string) string {
	return l.destination + "." + shop + "." + customer
}

// Open stores the letter, and before it the request row in a message of its own.
func (l *Letters) Open(ctx context.Context, letter *deadletter.Letter) error {
	if letter.Shop == "" || letter.Customer == "" {
		return errors.New("store a dead letter: it names no customer")
	}
	if err := l.since(ctx, letter); err != nil {
		return fmt.Errorf("store a dead letter: %w", err)
	}
	header, err := letter.Headers()
	if err != nil {
		return fmt.Errorf("store a dead letter: %w", err)
	}
	tail := l.subjectTail(letter.Shop, letter.Customer)
	if len(letter.Row) > 0 && len(letter.Row) <= deadletter.MaxRow {
		// The row names its letter, so that it is never shown with another one.
		row := &nats.Msg{Subject: rowsPrefix + tail, Header: nats.Header{}, Data: letter.Row}
		for _, name := range []string{"Custsync-Seq", "Custsync-Version"} {
			row.Header[name] = header[name]
		}
		if err := l.store(ctx, row); err != nil {
			return fmt.Errorf("store a dead letter's row: %w", err)
		}
	}
	if err := l.store(ctx, &nats.Msg{Subject: lettersPrefix + tail, Header: header, Data: letter.Event}); err != nil {
		return fmt.Errorf("store a dead letter: %w", err)
	}
	return nil
}

// since gives a letter that comes back the time at which it first was there.
func (l *Letters) since(ctx context.Context, letter *deadletter.Letter) error {
	if !letter.FirstAt.IsZero() {
		return nil
	}
	subject := lettersPrefix + l.subjectTail(letter.Shop, letter.Customer)
	data, header, seq, err := l.streams.post.lastWith(ctx, DeadLetters, subject)
	if err != nil {
		return err
	}
	letter.FirstAt = letter.LastAt
	if seq == 0 {
		return nil
	}
	if before, err := l.streams.readLetter(subject, header, data); err == nil && before.Seq == letter.Seq {
		letter.FirstAt = before.FirstAt
	}
	return nil
}

// store publishes until it is known to be stored: a letter stored twice is the
// same letter.
func (l *Letters) store(ctx context.Context, m *nats.Msg) error {
	for {
		a, err := l.streams.post.one(ctx, m)
		if errors.Is(err, errNoAnswer) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		return a.err()
	}
}

// Get returns the stored letter of a customer with its row; nil if there is none.
func (l *Letters) Get(ctx context.Context, shop, customer string) (*deadletter.Letter, error) {
	tail := l.subjectTail(shop, customer)
	data, header, seq, err := l.streams.post.lastWith(ctx, DeadLetters, lettersPrefix+tail)
	if err != nil {
		return nil, fmt.Errorf("read a dead letter: %w", err)
	}
	if seq == 0 {
		return nil, nil
	}
	letter, err := l.streams.readLetter(lettersPrefix+tail, header, data)
	if err != nil {
		return nil, err
	}
	letter.Place = seq
	row, rowHeader, seq, err := l.streams.post.lastWith(ctx, DeadLetters, rowsPrefix+tail)
	if err != nil {
		return nil, fmt.Errorf("read a dead letter's row: %w", err)
	}
	if seq > 0 && rowHeader.Get("Custsync-Seq") == header.Get("Custsync-Seq") && rowHeader.Get("Custsync-Version") == header.Get("Custsync-Version") {
		letter.Row = row
	}
	return letter, nil
}

// readLetter makes a letter of a stored message.
func (s *Streams) readLetter(subject string, header nats.Header, data []byte) (*deadletter.Letter, error) {
	token := strings.Split(subject, ".")
	if len(token) != 4 {
		return nil, fmt.Errorf("dead letter %s: not a letter's subject", subject)
	}
	letter := &deadletter.Letter{
		Destination: token[1],
		Shop:        token[2],
		Customer:    token[3],
		Partition:   events.Partition(token[2], token[3], s.config.Partitions),
		Event:       data,
	}
	if err := letter.ReadHeaders(header.Get); err != nil {
		return nil, fmt.Errorf("dead letter %s: %w", subject, err)
	}
	return letter, nil
}
