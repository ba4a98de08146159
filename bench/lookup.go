package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// window is how many keys one look-up asks for.
const window = 500

// lookUp asks for the newest values of subjects with one request and returns how
// many there are.
type lookUp func(ctx context.Context, js jetstream.JetStream, stream string, subjects []string) (int, error)

// lookUpExt is jetstreamext's way: every value with all of its headers read.
func lookUpExt(ctx context.Context, js jetstream.JetStream, stream string, subjects []string) (int, error) {
	found, err := jetstreamext.GetLastMsgsFor(ctx, js, stream, subjects)
	if err != nil {
		return 0, fmt.Errorf("look up: %w", err)
	}
	n := 0
	for _, err := range found {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return n, fmt.Errorf("look up: %w", err)
		}
		n++
	}
	return n, nil
}

// lookUpOwn is the same request by hand: of the headers only the subject and the
// sequence are read.
func lookUpOwn(ctx context.Context, js jetstream.JetStream, stream string, subjects []string) (int, error) {
	ask, err := json.Marshal(struct {
		Subjects []string `json:"multi_last"`
	}{subjects})
	if err != nil {
		return 0, fmt.Errorf("look up: %w", err)
	}
	nc := js.Conn()
	arrived := make(chan *nats.Msg, len(subjects)+1)
	inbox := nc.NewInbox()
	sub, err := nc.ChanSubscribe(inbox, arrived)
	if err != nil {
		return 0, fmt.Errorf("look up: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, ask); err != nil {
		return 0, fmt.Errorf("look up: %w", err)
	}
	revisions := make(map[string]uint64, len(subjects))
	for {
		select {
		case msg := <-arrived:
			switch status := msg.Header["Status"]; {
			case len(status) == 0:
			case status[0] == "204", status[0] == "404": // that was all, or there is nothing
				return len(revisions), nil
			default:
				return 0, fmt.Errorf("look up: status %s", status[0])
			}
			subject, sequence := msg.Header[jetstream.SubjectHeader], msg.Header[jetstream.SequenceHeader]
			if len(subject) == 0 || len(sequence) == 0 {
				return 0, errors.New("look up: answer without subject or sequence")
			}
			if revisions[subject[0]], err = strconv.ParseUint(sequence[0], 10, 64); err != nil {
				return 0, fmt.Errorf("look up: sequence: %w", err)
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// lookUps are rounds look-ups in a ledger that holds the keys 0 to held-1,
// spread over all of it; of keys that are there or of others.
type lookUps struct {
	way     lookUp
	ledger  string
	held    int
	present bool
	atOnce  int
	rounds  int
}

func (l lookUps) run(ctx context.Context, s *server, js jetstream.JetStream) (sample, error) {
	asked := make([][]string, l.rounds)
	for r := range asked {
		const stride = 7919 // a prime: rounds ask far from each other
		first := r * window * stride % max(1, l.held-window)
		if !l.present {
			first += l.held
		}
		asked[r] = entrySubjects("$KV."+l.ledger, first, window)
	}
	want := 0
	if l.present {
		want = window
	}
	m, err := startMeter(s)
	if err != nil {
		return sample{}, err
	}
	err = inGroups(l.rounds, 1, l.atOnce, func(r, _ int) error {
		got, err := l.way(ctx, js, "KV_"+l.ledger, asked[r])
		if err == nil && got != want {
			return fmt.Errorf("look up: found %d keys, want %d", got, want)
		}
		return err
	})
	if err != nil {
		return sample{}, err
	}
	return m.stop(l.rounds * window)
}
