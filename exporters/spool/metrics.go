package spool

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stats counts for the life of a Spool. Spool.mu guards it.
type stats struct {
	posted     map[string]float64 // by record: event, inventory
	refused    map[string]float64 // records by reason
	postErrors map[string]float64 // by kind
	unchanged  float64            // inventories that were not posted

	differences float64 // inventories recorded as the difference to the one before
	outdated    float64 // of those that the collector had no use for
	lastPost    time.Time
}

func newStats() stats {
	return stats{
		posted:     map[string]float64{"event": 0, "inventory": 0},
		refused:    map[string]float64{"full": 0, "invalid": 0, "rejected": 0, "torn": 0},
		postErrors: map[string]float64{},
	}
}

var (
	descFiles      = prometheus.NewDesc("mcloud_spool_files", "Files of records that wait for the collector, by kind: events, inventory.", []string{"kind"}, nil)
	descBytes      = prometheus.NewDesc("mcloud_spool_bytes", "Disk space of the records that wait for the collector.", nil, nil)
	descMaxBytes   = prometheus.NewDesc("mcloud_spool_max_bytes", "Disk space that records may take before the oldest are refused.", nil, nil)
	descOldest     = prometheus.NewDesc("mcloud_spool_oldest_age_seconds", "Age of the oldest record that waits; 0 when none does.", nil, nil)
	descLastPost   = prometheus.NewDesc("mcloud_spool_last_post_timestamp_seconds", "When the collector last acknowledged records, in seconds since 1970; absent before.", nil, nil)
	descPosted     = prometheus.NewDesc("mcloud_spool_posted_total", "Records that the collector acknowledged, by record: event, inventory.", []string{"record"}, nil)
	descRefused    = prometheus.NewDesc("mcloud_spool_refused_total", "Records that were lost, by reason: full (no room), invalid (an exporter's fault), rejected (by the collector, kept in bad/), torn (file).", []string{"reason"}, nil)
	descPostErrors = prometheus.NewDesc("mcloud_spool_post_errors_total", "Posts that failed and are repeated, by kind of error.", []string{"kind"}, nil)
	descDifference = prometheus.NewDesc("mcloud_spool_differences_total", "Inventories of which only what had changed was recorded for the collector.", nil, nil)
	descOutdated   = prometheus.NewDesc("mcloud_spool_outdated_total", "Inventories of mcloud_spool_differences_total that the collector did not hold the look before of; the next ones are posted whole.", nil, nil)
	descUnchanged  = prometheus.NewDesc("mcloud_spool_unchanged_total", "Inventories that were not posted because nothing had changed.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Spool) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descFiles, descBytes, descMaxBytes, descOldest, descLastPost, descPosted, descRefused, descPostErrors, descUnchanged, descDifference, descOutdated} {
		out <- d
	}
}

// Collect implements prometheus.Collector: register the Spool with the
// exporter's registry.
func (s *Spool) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string]float64{kindEvents: 0, kindInventory: 0}
	for _, e := range s.entries {
		files[e.Kind]++
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counters := func(d *prometheus.Desc, by map[string]float64) {
		for label, v := range by {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, label)
		}
	}
	for kind, n := range files {
		gauge(descFiles, n, kind)
	}
	gauge(descBytes, float64(s.bytes))
	gauge(descMaxBytes, float64(s.opts.MaxBytes))
	age := 0.0
	if len(s.entries) > 0 {
		age = time.Since(s.entries[0].At).Seconds()
	}
	gauge(descOldest, age)
	if !s.stats.lastPost.IsZero() {
		gauge(descLastPost, float64(s.stats.lastPost.UnixMilli())/1000)
	}
	counters(descPosted, s.stats.posted)
	counters(descRefused, s.stats.refused)
	counters(descPostErrors, s.stats.postErrors)
	out <- prometheus.MustNewConstMetric(descDifference, prometheus.CounterValue, s.stats.differences)
	out <- prometheus.MustNewConstMetric(descOutdated, prometheus.CounterValue, s.stats.outdated)
	out <- prometheus.MustNewConstMetric(descUnchanged, prometheus.CounterValue, s.stats.unchanged)
}
