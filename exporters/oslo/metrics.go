package oslo

import "github.com/prometheus/client_golang/prometheus"

type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*stats) float64
}

func describe(name, help string, kind prometheus.ValueType, value func(*stats) float64) metric {
	return metric{prometheus.NewDesc("mcloud_notifications_"+name, help, nil, nil), kind, value}
}

var metrics = []metric{
	describe("connected", "Whether the broker connection is up, 0 or 1.", prometheus.GaugeValue, func(s *stats) float64 {
		if s.connected.Load() {
			return 1
		}
		return 0
	}),
	describe("received_total", "Messages read from the broker.", prometheus.CounterValue, func(s *stats) float64 { return float64(s.received.Load()) }),
	describe("stored_total", "Messages whose event the store has.", prometheus.CounterValue, func(s *stats) float64 { return float64(s.stored.Load()) }),
	describe("malformed_total", "Messages dropped because they are no oslo notification.", prometheus.CounterValue, func(s *stats) float64 { return float64(s.malformed.Load()) }),
	describe("refused_total", "Events dropped because the collector refuses them for good.", prometheus.CounterValue, func(s *stats) float64 { return float64(s.refused.Load()) }),
	describe("store_errors_total", "Attempts to store a batch that failed.", prometheus.CounterValue, func(s *stats) float64 { return float64(s.storeErrors.Load()) }),
	describe("connection_errors_total", "Times the broker could not be reached or was lost.", prometheus.CounterValue, func(s *stats) float64 { return float64(s.connectErrors.Load()) }),
	describe("queues_missing", "Queues looked for that no publisher has made yet; with a queue of our own, exchanges.", prometheus.GaugeValue, func(s *stats) float64 { return float64(s.missingQueue.Load()) }),
	describe("last_stored_timestamp_seconds", "When a batch was stored last; 0 before the first.", prometheus.GaugeValue, func(s *stats) float64 { return float64(s.lastStored.Load()) / 1000 }),
}

// Describe implements prometheus.Collector.
func (c *Consumer) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range metrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Consumer) Collect(ch chan<- prometheus.Metric) {
	for _, m := range metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&c.stats))
	}
}
