package outbox

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the relay counts, under the prefix custsync_outbox_. Only the
// active relay knows what waits; the others' figures are 0.
type metrics struct {
	registry                      *prometheus.Registry
	active, waiting, refused, lag prometheus.Gauge
	events                        *prometheus.CounterVec
	errors                        prometheus.Counter
	isActive                      atomic.Bool
}

func newMetrics() *metrics {
	const prefix = "custsync_outbox_"
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + name, Help: help})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		active:   gauge("active", "1 while this relay is the active one."),
		waiting:  gauge("waiting", "Rows that wait to be published; at most a million are counted."),
		refused:  gauge("refused", "Rows that were set aside and wait for a person."),
		lag:      gauge("lag_seconds", "Age of the row that has waited longest, from its being written."),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "events_total", Help: "Events, by what became of them.",
		}, []string{"end"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "errors_total", Help: "Failures that the relay rode out.",
		}),
	}
	for _, end := range []string{"stored", "duplicate", "refused"} {
		m.events.WithLabelValues(end) // so that a rate starts at 0
	}
	m.registry.MustRegister(m.active, m.waiting, m.refused, m.lag, m.events, m.errors, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) end(end string) { m.events.WithLabelValues(end).Inc() }

func (m *metrics) setActive(active bool) {
	m.isActive.Store(active)
	m.active.Set(0)
	if active {
		m.active.Set(1)
		return
	}
	m.figures(0, 0, 0)
}

func (m *metrics) figures(waiting, refused int64, lag float64) {
	m.waiting.Set(float64(waiting))
	m.refused.Set(float64(refused))
	m.lag.Set(lag)
}

// Handler answers /healthz (alive), /readyz (NATS is there; it says whether this
// relay is the active one) and /metrics.
func (r *Relay) Handler() http.Handler {
	r.init()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case !r.connected():
			http.Error(w, "nats is away", http.StatusServiceUnavailable)
		case r.metrics.isActive.Load():
			fmt.Fprintln(w, "active")
		default:
			fmt.Fprintln(w, "standing by")
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}
