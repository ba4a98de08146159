package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// get is a direct get of several messages: the last one of each of some
// subjects, or those of one filter from a sequence on.
type get struct {
	Last   []string `json:"multi_last,omitempty"`
	Filter string   `json:"next_by_subj,omitempty"`
	Seq    uint64   `json:"seq,omitempty"`
	Batch  int      `json:"batch,omitempty"`
	UpTo   uint64   `json:"up_to_seq,omitempty"` // with Last: as it was then, of what is still kept
}

// kept is a message as a direct get tells it.
type kept struct {
	subject string
	seq     uint64
	msg     *nats.Msg
}

func (k *kept) at() time.Time {
	at, err := time.Parse(time.RFC3339Nano, k.msg.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// got is how a direct get ended.
type got struct {
	last uint64 // sequence of the last message told
	upTo uint64 // the end of the stream as the answering server has it; last gets only
	left int    // messages that are there beyond those told
	none bool   // there is no such message
}

// errTorn says that a part of an answer did not arrive.
var errTorn = errors.New("a part of the answer did not arrive")

// turns is how long an answer may take to begin before it is asked for again. Any
// replica may be the one that is asked, and in a cluster the way to one of them
// may be cut without the others knowing.
func turns() []time.Duration { return []time.Duration{time.Second, 2 * time.Second, patience} }

// fetch asks a stream for messages and hands them to each, in the order of
// their sequences.
func (p *post) fetch(ctx context.Context, stream string, g get, each func(kept)) (got, error) {
	ask, err := json.Marshal(g)
	if err != nil {
		return got{}, err
	}
	var end got
	for _, turn := range turns() {
		var begun bool
		if end, begun, err = p.fetchOnce(ctx, stream, ask, turn, each); begun || !errors.Is(err, errNoAnswer) {
			return end, err
		}
	}
	return end, err
}

// fetchOnce asks once. It reports whether the answer has begun.
func (p *post) fetchOnce(ctx context.Context, stream string, ask []byte, turn time.Duration, each func(kept)) (end got, begun bool, err error) {
	b, err := p.take(ctx)
	if err != nil {
		return got{}, false, err
	}
	defer func() { p.free <- b }()
	reply := b.prefix + strconv.Itoa(b.use)
	if err := p.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, reply, ask); err != nil {
		return got{}, false, fmt.Errorf("publish: %w", err)
	}
	wait := time.NewTimer(glance)
	defer wait.Stop()
	var last uint64
	for {
		m, err := b.next(ctx, wait, turn)
		if err != nil {
			return got{}, begun, err
		}
		if m.Subject != reply {
			continue // late, of an earlier use
		}
		begun, turn = true, patience
		if status := m.Header.Get("Status"); status != "" {
			end, err = ended(m, status, last)
			return end, begun, err
		}
		k := kept{subject: m.Header.Get("Nats-Subject"), seq: number(m, "Nats-Sequence"), msg: m}
		if k.subject == "" || k.seq == 0 || number(m, "Nats-Last-Sequence") != last {
			return got{}, begun, errTorn
		}
		last = k.seq
		each(k)
	}
}

// ended reads the message that ends an answer.
func ended(m *nats.Msg, status string, last uint64) (got, error) {
	switch status {
	case "204":
		if number(m, "Nats-Last-Sequence") != last {
			return got{}, errTorn
		}
		return got{last: last, upTo: number(m, "Nats-UpTo-Sequence"), left: int(number(m, "Nats-Num-Pending"))}, nil
	case "404":
		return got{none: true}, nil
	case "503":
		return got{}, errors.New("the stream is not available")
	}
	return got{}, fmt.Errorf("refused by JetStream: %s (%s)", m.Header.Get("Description"), status)
}

func number(m *nats.Msg, header string) uint64 {
	n, err := strconv.ParseUint(m.Header.Get(header), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// last returns the newest message of a subject as the stream's leader has it,
// and its sequence; nothing and 0 if there is none. A follower's older answer
// would not do for a compare-and-set.
func (p *post) last(ctx context.Context, stream, subject string) (data []byte, seq uint64, err error) {
	data, _, seq, err = p.lastWith(ctx, stream, subject)
	return data, seq, err
}

func (p *post) lastWith(ctx context.Context, stream, subject string) (data []byte, header nats.Header, seq uint64, err error) {
	ask, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return nil, nil, 0, err
	}
	k, err := p.leaders(ctx, stream, ask)
	if err != nil || k == nil {
		return nil, nil, 0, err
	}
	return k.msg.Data, k.msg.Header, k.seq, nil
}

// leaders returns the message that is asked for as the stream's leader has it; nil
// if there is none.
func (p *post) leaders(ctx context.Context, stream string, ask []byte) (*kept, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := p.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, ask)
	if err != nil {
		return nil, err
	}
	var a struct {
		Message *struct {
			Subject string `json:"subject"`
			Seq     uint64 `json:"seq"`
			Hdrs    []byte `json:"hdrs"`
			Data    []byte `json:"data"`
		} `json:"message"`
		Error *struct {
			Code        int    `json:"code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	switch {
	case a.Error != nil && a.Error.Code == 404:
		return nil, nil
	case a.Error != nil:
		return nil, fmt.Errorf("refused by JetStream: %s", a.Error.Description)
	case a.Message == nil:
		return nil, errors.New("the answer holds no message")
	}
	k := &kept{subject: a.Message.Subject, seq: a.Message.Seq, msg: &nats.Msg{Data: a.Message.Data}}
	if len(a.Message.Hdrs) > 0 {
		if k.msg.Header, err = nats.DecodeHeadersMsg(a.Message.Hdrs); err != nil {
			return nil, fmt.Errorf("read the headers: %w", err)
		}
	}
	return k, nil
}
