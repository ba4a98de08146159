package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// purge removes the messages of a filter that lie before a sequence; 0: all.
func (s *Streams) purge(ctx context.Context, stream, filter string, before uint64) error {
	ask, err := json.Marshal(struct {
		Filter string `json:"filter"`
		Seq    uint64 `json:"seq,omitempty"`
	}{filter, before})
	if err != nil {
		return err
	}
	return s.manage(ctx, "STREAM.PURGE."+stream, ask)
}

// manage asks JetStream's API for something that it only has to confirm.
func (s *Streams) manage(ctx context.Context, verb string, ask []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "$JS.API."+verb, ask)
	if errors.Is(err, nats.ErrNoResponders) {
		return errors.New("JetStream is not available")
	}
	if err != nil {
		return err
	}
	var a struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if a.Error != nil {
		return fmt.Errorf("refused by JetStream: %s", a.Error.Description)
	}
	return nil
}
