package shipper

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the shipper's own; atomics hold what several of them derive from.
type metrics struct {
	oldestUnshipped atomic.Int64 // Unix milliseconds; 0 when nothing waits
	heldSegments    atomic.Int64
	heldBytes       atomic.Int64
	queuedSegments  atomic.Int64

	shipped, batches, failures, duplicates, corruptions prometheus.Counter
	restarts                                            prometheus.Counter
	lost, notShipped                                    *prometheus.CounterVec
	storeUp, lastSuccess                                prometheus.Gauge
	insertSeconds                                       prometheus.Histogram
}

const (
	lostToBound   = "disk_bound"
	lostNoSeries  = "unknown_series"
	kindHistogram = "native_histogram"
	kindExemplar  = "exemplar"
)

func newMetrics(reg prometheus.Registerer, now func() time.Time) (*metrics, error) {
	m := &metrics{}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "mcloud_shipper_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcloud_shipper_" + name, Help: help})
	}
	gaugeFunc := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mcloud_shipper_" + name, Help: help}, f)
	}
	m.shipped = counter("shipped_samples_total", "Samples that the long-term store has acknowledged.")
	m.batches = counter("batches_total", "Batches that the long-term store has acknowledged.")
	m.failures = counter("retries_total", "Inserts that failed and are repeated.")
	m.duplicates = counter("duplicate_samples_total", "Samples in the WAL that are not newer than their series' last one; the TSDB drops them too.")
	m.corruptions = counter("wal_corruptions_total", "Held WAL segments or records that could not be read.")
	m.restarts = counter("restarts_total", "Times the shipper began again from its files after an error of its own disk.")
	m.storeUp = gauge("store_up", "1 when the last insert was acknowledged, 0 when it failed.")
	m.lastSuccess = gauge("last_success_timestamp_seconds", "When the long-term store last acknowledged a batch.")
	m.insertSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "mcloud_shipper_insert_duration_seconds", Help: "Time of one insert, failed ones included.",
		Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
	})
	m.lost = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mcloud_shipper_lost_samples_total", Help: "Samples that will never be in the long-term store, by reason.",
	}, []string{"reason"})
	m.notShipped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mcloud_shipper_not_shipped_total", Help: "Records of a kind that is kept in the TSDB only, by kind.",
	}, []string{"kind"})
	for _, r := range []string{lostToBound, lostNoSeries} {
		m.lost.WithLabelValues(r)
	}
	for _, k := range []string{kindHistogram, kindExemplar} {
		m.notShipped.WithLabelValues(k)
	}
	all := []prometheus.Collector{
		m.shipped, m.batches, m.failures, m.duplicates, m.corruptions, m.restarts, m.lost, m.notShipped, m.storeUp, m.lastSuccess, m.insertSeconds,
		gaugeFunc("lag_seconds", "Age of the oldest sample that the long-term store has not acknowledged; 0 when there is none.", func() float64 {
			if t := m.oldestUnshipped.Load(); t != 0 {
				return max(0, now().Sub(time.UnixMilli(t)).Seconds())
			}
			return 0
		}),
		gaugeFunc("oldest_unshipped_timestamp_seconds", "Time of the oldest sample that the long-term store has not acknowledged; 0 when there is none.", func() float64 {
			return float64(m.oldestUnshipped.Load()) / 1000
		}),
		gaugeFunc("queue_segments", "WAL segments that are not wholly shipped, the one being written included.", func() float64 { return float64(m.queuedSegments.Load()) }),
		gaugeFunc("held_segments", "WAL segments that only the shipper keeps: the TSDB has truncated them.", func() float64 { return float64(m.heldSegments.Load()) }),
		gaugeFunc("held_bytes", "Disk used by WAL segments that only the shipper keeps.", func() float64 { return float64(m.heldBytes.Load()) }),
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
