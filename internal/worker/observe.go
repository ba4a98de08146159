package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
)

// Names of the log's fields; no other ones carry what happens to a destination.
const (
	logDestination = "destination"
	logLane        = "lane"
	logRows        = "rows"
	logTook        = "took"
	logCode        = "code"
	logClass       = "class"
	logState       = "state"
	logReason      = "reason"
	logUntil       = "until"
	logShard       = "shard"
	logDoing       = "doing"
	logWorker      = "worker"
	logLeftOut     = "left_out"
)

// observer logs and counts what a destination's loop does. It never sees
// customer data: calls are told by counts and codes. It is used from the loop only.
type observer struct {
	log      zerolog.Logger
	calls    *prometheus.CounterVec // by class
	latency  prometheus.Observer
	gate     func(pipeline.Gate)
	troubles map[string]trouble // by what was being done
}

// Call writes one line for a delivery: a quiet one when it went well.
func (o *observer) Call(c *pipeline.Call) {
	class := c.Class
	if class == "" {
		class = "ok"
	}
	o.calls.WithLabelValues(class).Inc()
	line := o.log.Debug()
	if c.Class != "" || c.Unheard > 0 {
		line = o.log.Warn()
	}
	line = line.Str(logLane, c.Lane).Int(logRows, c.Rows).Dur(logTook, c.Took)
	for v := sinks.Delivered; v <= sinks.Rejected; v++ {
		if n := c.Verdicts[v]; n > 0 {
			line = line.Int(v.String(), n)
		}
	}
	if c.Unheard > 0 {
		line = line.Int("no_verdict", c.Unheard)
	}
	if c.Probe {
		line = line.Bool("probe", true)
	}
	if c.Err != nil {
		line = line.Str(logClass, c.Class).Str(logCode, c.Code).AnErr("error", c.Err)
	}
	line.Msg("delivery")
}

// Gate tells that calls stop or go on.
func (o *observer) Gate(g pipeline.Gate) {
	line := o.log.Info()
	if g.State != pipeline.Running {
		line = o.log.Warn()
	}
	line = line.Str(logState, string(g.State))
	if g.Reason != "" {
		line = line.Str(logReason, g.Reason)
	}
	if !g.Until.IsZero() {
		line = line.Time(logUntil, g.Until)
	}
	line.Msg("gate")
	o.gate(g)
}

// Trouble tells that the stream or a store failed and is asked again. Every shard
// and every try has the same to tell while the stream is away: of each kind one
// line is written in a while, with how many others there were.
func (o *observer) Trouble(t pipeline.Trouble) {
	now := time.Now()
	last, known := o.troubles[t.Doing]
	if known && now.Sub(last.told) < troubleEvery {
		last.more++
		o.troubles[t.Doing] = last
		return
	}
	if o.troubles == nil {
		o.troubles = map[string]trouble{}
	}
	o.troubles[t.Doing] = trouble{told: now}
	line := o.log.Error().Str(logDoing, t.Doing).Int(logShard, t.Shard).Err(t.Err)
	if last.more > 0 {
		line = line.Int(logLeftOut, last.more)
	}
	line.Msg("stream")
}

// trouble is what was told of a kind of trouble.
type trouble struct {
	told time.Time
	more int // that were left out since
}

const troubleEvery = 10 * time.Second

func (o *observer) Latency(age time.Duration) { o.latency.Observe(age.Seconds()) }
