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
	remembered  prometheus.Counter

	pushed         prometheus.Counter
	kept, fellBack *prometheus.CounterVec
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
	m.remembered = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mcloud_query_long_term_remembered_total", Help: "Questions of the time just before the hot storage that the long-term store had answered before; it was not asked again.",
	})
	m.pushed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mcloud_query_pushdown_queries_total", Help: "Queries of which the long-term store computed a part.",
	})
	m.kept = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mcloud_query_pushdown_kept_total", Help: "Functions over time that were not left to the long-term store, by the first reason found.",
	}, []string{"reason"})
	m.fellBack = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mcloud_query_pushdown_fallbacks_total", Help: "Queries that ran without push-down after the long-term store could not compute a part, by reason.",
	}, []string{"reason"})
	for _, r := range []string{"ok", "error", "paused"} {
		m.asked.WithLabelValues(r)
	}
	for _, c := range []prometheus.Collector{m.asked, m.seconds, m.closeErrors, m.remembered, m.pushed, m.kept, m.fellBack} {
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
