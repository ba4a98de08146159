package ingress

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Ends of an event, as a label.
const (
	stored      = "stored"
	duplicate   = "duplicate"
	refused     = "refused"
	unavailable = "unavailable"
)

// metrics are what the publisher counts, under the prefix custsync_publisher_.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	events   *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	const prefix = "custsync_publisher_"
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "requests_total", Help: "Requests, by route and status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "request_seconds", Help: "Time from a request's header to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16), // 0.5 ms to 16 s
		}, []string{"route"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "events_total", Help: "Events, by what became of them.",
		}, []string{"end"}),
	}
	for _, end := range []string{stored, duplicate, refused, unavailable} {
		m.events.WithLabelValues(end) // so that a rate starts at 0
	}
	busy := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: prefix + "requests_in_flight", Help: "Requests that are being stored.",
	}, func() float64 { return float64(s.places.taken()) })
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: prefix + "nats_up", Help: "1 while NATS is connected.",
	}, func() float64 {
		if s.Conn.IsConnected() {
			return 1
		}
		return 0
	})
	m.registry.MustRegister(m.requests, m.seconds, m.events, busy, up, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) end(end string) { m.events.WithLabelValues(end).Inc() }

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (s *Server) showMetrics(x *exchange) {
	x.status = http.StatusOK
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(x.w, x.req)
}
