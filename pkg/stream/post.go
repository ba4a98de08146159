package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// post sends many messages at once and gathers JetStream's answers. It keeps a
// few letter boxes, subscriptions that are used again and again, since one for
// every message would cost more than the message.
type post struct {
	nc   *nats.Conn
	free chan *box
	all  []*box
}

// box is a subscription for answers. What is late for an earlier use is known
// by its subject and dropped.
type box struct {
	prefix string
	use    int
	nc     *nats.Conn
	// reconnects of the connection when this use began: what was asked on the
	// connection before is not answered on the next.
	reconnects uint64
	sub        *nats.Subscription
	answers    chan *nats.Msg
}

const (
	boxes     = 8    // at once; more callers wait
	boxSize   = 4096 // answers
	unclaimed = 2048 // messages on their way without an answer
	// patience is how long an answer may take after the one before.
	patience = 5 * time.Second
	// glance is how often a caller that waits looks whether the connection is new.
	glance = 250 * time.Millisecond
)

// errUnavailable says that JetStream can't do it at the moment.
var errUnavailable = errors.New("JetStream is not available")

// errNoAnswer says that messages may or may not have been stored.
var errNoAnswer = errors.New("no answer from JetStream")

func newPost(nc *nats.Conn) *post {
	p := &post{nc: nc, free: make(chan *box, boxes)}
	for range boxes {
		b := &box{nc: nc, prefix: nc.NewInbox() + "."}
		p.all = append(p.all, b)
		p.free <- b
	}
	return p
}

func (p *post) close() {
	for range boxes {
		if b := <-p.free; b.sub != nil {
			_ = b.sub.Unsubscribe() // the connection may be gone already
		}
	}
}

func (p *post) take(ctx context.Context) (*box, error) {
	select {
	case b := <-p.free:
		if b.sub == nil {
			b.answers = make(chan *nats.Msg, boxSize)
			sub, err := p.nc.ChanSubscribe(b.prefix+">", b.answers)
			if err != nil {
				p.free <- b
				return nil, fmt.Errorf("subscribe for answers: %w", err)
			}
			b.sub = sub
		}
		b.use++
		b.reconnects = p.nc.Stats().Reconnects
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer is what JetStream said to one message.
type answer struct {
	seq  uint64 // where it was stored
	code int    // why not: JetStream's error code; noAnswer: unknown
	text string
}

const (
	noAnswer       = -1
	noStream       = 503   // nobody took it
	wrongLast      = 10071 // compare-and-set lost
	wrongLastBatch = 10164 // the same, inside the server's current batch
	storeFull      = 10023
	storeFailed    = 10077
)

func (a *answer) lost() bool { return a.code == wrongLast || a.code == wrongLastBatch }

func (a *answer) err() error {
	switch a.code {
	case 0:
		return nil
	case noAnswer:
		return errNoAnswer
	case storeFull, storeFailed:
		return fmt.Errorf("refused by JetStream: %s (%d): make room on the server's disk, or raise the limit of its store", a.text, a.code)
	}
	refused := fmt.Errorf("refused by JetStream: %s (%d)", a.text, a.code)
	if a.code == noStream || slices.Contains([]int{incomplete, noPeers, unavailable, notLeader}, a.code) {
		return fmt.Errorf("%w: %w", errUnavailable, refused)
	}
	return refused
}

// send publishes n messages, each filled in by fill, and returns their answers
// in order. A message for which fill returns false asks for none, and counts as
// answered. The error says why answers are missing; the others count beside it.
func (p *post) send(ctx context.Context, n int, fill func(i int, m *nats.Msg) bool) ([]answer, error) {
	b, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.free <- b }()
	answers := make([]answer, n)
	for i := range answers {
		answers[i].code = noAnswer
	}
	m := nats.Msg{Header: make(nats.Header, 4)}
	reply := append(strconv.AppendInt([]byte(b.prefix), int64(b.use), 10), '.')
	head := len(reply)
	own := string(reply)
	open, wait := 0, time.NewTimer(glance)
	defer wait.Stop()
	for i := range n {
		m.Reply = ""
		asks := fill(i, &m)
		if asks {
			reply = strconv.AppendInt(reply[:head], int64(i), 10)
			m.Reply = string(reply)
			open++
		}
		if err := p.nc.PublishMsg(&m); err != nil {
			return answers, fmt.Errorf("publish: %w", err)
		}
		if !asks {
			answers[i].code = 0
		}
		for open >= unclaimed {
			if err := b.gather(ctx, wait, own, answers); err != nil {
				return answers, err
			}
			open--
		}
	}
	for ; open > 0; open-- {
		if err := b.gather(ctx, wait, own, answers); err != nil {
			return answers, err
		}
	}
	return answers, nil
}

// gather waits for one answer of this use of the box.
func (b *box) gather(ctx context.Context, wait *time.Timer, head string, answers []answer) error {
	for {
		m, err := b.next(ctx, wait, patience)
		if err != nil {
			return err
		}
		if len(m.Subject) <= len(head) || m.Subject[:len(head)] != head {
			continue // late, of an earlier use
		}
		i, err := strconv.Atoi(m.Subject[len(head):])
		if err != nil || i >= len(answers) || answers[i].code != noAnswer {
			continue
		}
		answers[i] = readAnswer(m)
		return nil
	}
}

// next waits for a message in the box, about as long as given.
func (b *box) next(ctx context.Context, wait *time.Timer, long time.Duration) (*nats.Msg, error) {
	select {
	case m := <-b.answers:
		return m, nil
	default:
	}
	for waited := time.Duration(0); waited < long; waited += glance {
		wait.Reset(glance)
		select {
		case m := <-b.answers:
			return m, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wait.C:
			if b.nc.Stats().Reconnects != b.reconnects {
				return nil, errNoAnswer
			}
		}
	}
	return nil, errNoAnswer
}

var (
	seqField   = []byte(`"seq":`)
	errorField = []byte(`"error":`)
)

// readAnswer reads a publish ack: {"stream":"S","seq":7} or {"error":{...}}.
func readAnswer(m *nats.Msg) answer {
	if len(m.Data) == 0 {
		if m.Header.Get("Status") == "503" {
			return answer{code: noStream, text: "no stream takes this subject, or none does at the moment"}
		}
		return answer{code: noAnswer}
	}
	if i := bytes.Index(m.Data, seqField); i >= 0 && !bytes.Contains(m.Data, errorField) {
		var seq uint64
		for _, c := range bytes.TrimLeft(m.Data[i+len(seqField):], " ") {
			if c < '0' || c > '9' {
				break
			}
			seq = seq*10 + uint64(c-'0')
		}
		if seq > 0 {
			return answer{seq: seq}
		}
	}
	var a struct {
		Error struct {
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil || a.Error.ErrCode == 0 {
		return answer{code: noAnswer}
	}
	return answer{code: a.Error.ErrCode, text: a.Error.Description}
}

// one sends a single message and returns its answer; a lost one is an error.
func (p *post) one(ctx context.Context, m *nats.Msg) (answer, error) {
	answers, err := p.send(ctx, 1, func(_ int, to *nats.Msg) bool {
		to.Subject, to.Header, to.Data = m.Subject, m.Header, m.Data
		return true
	})
	if err != nil {
		return answer{code: noAnswer}, err
	}
	return answers[0], nil
}
