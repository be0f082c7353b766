package query

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	asked       *prometheus.CounterVec
	seconds     prometheus.Histogram
	closeErrors prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcloud_query_long_term_requests_total",
			Help: "Questions to the long-term store by result: ok, error, or paused (not asked because it did not answer just before). All but ok gave a partial answer with a warning.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcloud_query_long_term_duration_seconds", Help: "Time until the long-term store had answered one question.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 15),
		}),
		closeErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcloud_query_long_term_close_errors_total", Help: "Errors after the long-term store had answered; the answers were whole.",
		}),
	}
	for _, r := range []string{"ok", "error", "paused"} {
		m.asked.WithLabelValues(r)
	}
	for _, c := range []prometheus.Collector{m.asked, m.seconds, m.closeErrors} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(err error, took time.Duration) {
	switch {
	case err == nil:
		m.asked.WithLabelValues("ok").Inc()
	case errors.Is(err, errPaused):
		m.asked.WithLabelValues("paused").Inc()
		return
	default:
		m.asked.WithLabelValues("error").Inc()
	}
	m.seconds.Observe(took.Seconds())
}
