package worker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/custsync/custsync/pkg/pipeline"
)

// metrics are what the worker counts, under the prefix custsync_.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "custsync_calls_total", Help: "Deliveries, by the class of their error; ok when there was none.",
		}, []string{"destination", "class"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "custsync_delivery_seconds",
			Help:    "From an event's being stored to the provider's taking it.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16), // 5 ms to 164 s
		}, []string{"destination"}),
	}
	m.registry.MustRegister(m.calls, m.latency, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

var (
	rowsDesc    = prometheus.NewDesc("custsync_rows_total", "Ends of customers' versions, by outcome.", []string{"destination", "outcome"}, nil)
	waitingDesc = prometheus.NewDesc("custsync_waiting", "Events and wake-ups that are not settled yet, across all workers.", []string{"destination"}, nil)
	oldestDesc  = prometheus.NewDesc("custsync_oldest_waiting_seconds", "Age of the oldest event that is not settled yet.", []string{"destination"}, nil)
	deadDesc    = prometheus.NewDesc("custsync_dead", "Open dead letters.", []string{"destination"}, nil)
	gateDesc    = prometheus.NewDesc("custsync_gate_state", "1 for the state that the destination's gate is in.", []string{"destination", "state"}, nil)
)

var gateStates = []pipeline.GateState{pipeline.Running, pipeline.Throttled, pipeline.Outage, pipeline.Refusing, pipeline.Paused}

// Describe implements prometheus.Collector.
func (w *Worker) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{rowsDesc, waitingDesc, oldestDesc, deadDesc, gateDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector: it reads the loops' snapshots, and
// the stream's figures as they were last asked for.
func (w *Worker) Collect(ch chan<- prometheus.Metric) {
	if !w.made.Load() {
		return
	}
	for _, r := range w.runners {
		name := r.config.Name
		s := r.loop.Snapshot()
		if s == nil {
			continue
		}
		c := s.Counts
		for outcome, n := range map[string]uint64{
			"delivered": c.Delivered, "unchanged": c.Unchanged, "skipped": c.Skipped, "filtered": c.Filtered,
			"dead": c.Dead, "superseded": c.Superseded, "retryable": c.Retried,
		} {
			ch <- prometheus.MustNewConstMetric(rowsDesc, prometheus.CounterValue, float64(n), name, outcome)
		}
		for _, state := range gateStates {
			is := 0.0
			if s.Gate.State == state {
				is = 1
			}
			ch <- prometheus.MustNewConstMetric(gateDesc, prometheus.GaugeValue, is, name, string(state))
		}
		if b := r.backlog.Load(); b != nil {
			ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(b.Waiting), name)
			ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, b.age().Seconds(), name)
			ch <- prometheus.MustNewConstMetric(deadDesc, prometheus.GaugeValue, float64(b.Dead), name)
		}
	}
}
