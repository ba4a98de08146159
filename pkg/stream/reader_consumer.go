package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// begin makes a consumer that delivers from next on, unless the connection breaks
// meanwhile: then there is none.
func (r *reader) begin(ctx context.Context) error {
	r.consumer = r.name + "-" + nuid.Next()
	r.inbox = r.nc.NewInbox()
	r.arrived = make(chan *nats.Msg, pullBatch+16)
	sub, err := r.nc.ChanSubscribe(r.inbox+".*", r.arrived)
	if err != nil {
		return err
	}
	r.sub = sub
	for len(r.status) > 0 {
		<-r.status // of before
	}
	if r.status == nil {
		r.status = r.nc.StatusChanged(nats.CONNECTED)
		r.wait = time.NewTimer(silence)
	}
	r.dseq, r.open, r.heard = 0, 0, time.Now()
	ask, err := json.Marshal(struct {
		Stream string                   `json:"stream_name"`
		Config jetstream.ConsumerConfig `json:"config"`
	}{r.stream, jetstream.ConsumerConfig{
		Name:              r.consumer,
		FilterSubjects:    r.filters,
		AckPolicy:         jetstream.AckNonePolicy,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       max(r.next, 1),
		InactiveThreshold: idleFor,
		MemoryStorage:     true,
		Replicas:          1,
		HeadersOnly:       r.headers,
	}})
	if err != nil {
		return err
	}
	// Not by nats.go, which waits in vain for an answer that a broken connection took along.
	reply := r.inbox + ".0"
	if err := r.nc.PublishRequest("$JS.API.CONSUMER.CREATE."+r.stream+"."+r.consumer, reply, ask); err != nil {
		return err
	}
	for {
		m, err := r.await(ctx)
		if m == nil {
			return err
		}
		if m.Subject == reply {
			return r.made(m)
		}
	}
}

// made reads the answer to the making of a consumer.
func (r *reader) made(m *nats.Msg) error {
	if m.Header.Get("Status") == "503" {
		return errors.New("JetStream is not available")
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

// drop gives up the consumer: the next read begins anew. What arrived and was
// not handed out comes again.
func (r *reader) drop() {
	if r.consumer == "" {
		return
	}
	if r.sub != nil {
		_ = r.sub.Unsubscribe() // fails only when the connection is closed
	}
	// Without an answer: a consumer that stays is removed when it was idle for long.
	_ = r.nc.Publish("$JS.API.CONSUMER.DELETE."+r.stream+"."+r.consumer, nil)
	r.consumer, r.sub, r.open = "", nil, 0
	r.fruitless++
}

// rest gives up the consumer while nothing is to be read.
func (r *reader) rest() {
	r.drop()
	r.fruitless = 0
}

// close ends the reading.
func (r *reader) close() {
	r.drop()
	if r.status != nil {
		r.nc.RemoveStatusListener(r.status)
		r.status = nil
		r.wait.Stop()
	}
}
