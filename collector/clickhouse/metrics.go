package clickhouse

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what callers cannot see from the errors they get.
type metrics struct {
	overTime                         *prometheus.CounterVec
	samples, skipped, series, events prometheus.Counter
	objects                          *prometheus.CounterVec
	staleLooks                       prometheus.Counter
	rollupUnits, rollupFailures      prometheus.Counter
	rollupPending                    prometheus.Gauge
	dropped                          *prometheus.CounterVec
}

func (m *metrics) init(r prometheus.Registerer) error {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "mcloud", Subsystem: "store", Name: name, Help: help})
	}
	m.samples = counter("samples_written_total", "Samples acknowledged by the store, repeated ones included.")
	m.skipped = counter("samples_skipped_total", "Samples left out because their time is before 1970 or after 2105.")
	m.series = counter("series_written_total", "Rows written to say which series there are.")
	m.events = counter("events_written_total", "Events acknowledged by the store, repeated ones included.")
	m.objects = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "mcloud", Subsystem: "store", Name: "object_changes_total", Help: "Changes of objects written, by what changed.",
	}, []string{"change"})
	m.staleLooks = counter("stale_looks_total", "Inventories ignored because a later one is stored.")
	m.rollupUnits = counter("rollup_units_total", "Stretches of two hours that rollups were computed for, again ones included.")
	m.rollupFailures = counter("rollup_failures_total", "Stretches of two hours that could not be rolled up and are tried again.")
	m.rollupPending = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "mcloud", Subsystem: "store", Name: "rollup_pending_units", Help: "Stretches of two hours that are over and not rolled up."})
	m.overTime = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "mcloud", Subsystem: "store", Name: "over_time_total", Help: "Functions computed in the store, by the coarsest table that was read: samples, rollup_5m or rollup_1h.",
	}, []string{"table"})
	m.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "mcloud", Subsystem: "store", Name: "retention_drops_total", Help: "Partitions that retention dropped, whole or some metrics of, by table.",
	}, []string{"table"})
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.overTime, m.samples, m.skipped, m.series, m.events, m.objects, m.staleLooks, m.rollupUnits, m.rollupFailures, m.rollupPending, m.dropped} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
