package planner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcloud/planner/report"
)

// What the last plan says, as metrics for alerts and dashboards. Exhaustion is
// absent when it does not lie within the horizon.
var (
	tierCapacity   = desc("mcloud_tier_capacity_bytes", "Bytes that a plan may fill, after copies, limit and reserve.", "tier")
	tierUsed       = desc("mcloud_tier_used_bytes", "Bytes stored, after copies.", "tier")
	tierExhaustion = desc("mcloud_tier_exhaustion_timestamp_seconds", "When use reaches capacity, by quantile of the forecast; absent beyond the horizon.", "tier", "quantile")
	tierLeadTime   = desc("mcloud_tier_lead_time_seconds", "Time from order to usable.", "tier")
	zoneCapacity   = desc("mcloud_zone_capacity_units", "Units of the resource class that a plan may fill: Placement's capacity without the N+1 reserve.", "zone", "resource_class")
	zoneUsed       = desc("mcloud_zone_used_units", "Units allocated.", "zone", "resource_class")
	zoneExhaustion = desc("mcloud_zone_exhaustion_timestamp_seconds", "When use reaches capacity, by quantile of the forecast; absent beyond the horizon.", "zone", "resource_class", "quantile")
	zoneLeadTime   = desc("mcloud_zone_lead_time_seconds", "Time from order to usable.", "zone", "resource_class")
	runTimestamp   = desc("mcloud_plan_run_timestamp_seconds", "When the last plan was made.")
	runDuration    = desc("mcloud_plan_duration_seconds", "How long the last plan took.")
	runErrors      = desc("mcloud_plan_errors_total", "Runs of the planner of which nothing came.")
	runMissing     = desc("mcloud_plan_missing", "Parts of the last plan that are missing.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"cloud"}, labels...), nil)
}

// Describe implements prometheus.Collector.
func (p *Planner) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		tierCapacity, tierUsed, tierExhaustion, tierLeadTime, zoneCapacity, zoneUsed, zoneExhaustion, zoneLeadTime,
		runTimestamp, runDuration, runErrors, runMissing,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector from the last plan.
func (p *Planner) Collect(ch chan<- prometheus.Metric) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		kind := prometheus.GaugeValue
		if d == runErrors {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{p.o.Cloud}, labels...)...)
	}
	send(runErrors, float64(p.status.Failures))
	if p.last == nil {
		return
	}
	d := p.last.document
	send(runTimestamp, seconds(d.Made))
	send(runDuration, d.Seconds)
	send(runMissing, float64(len(d.Partial)))
	for _, t := range d.Tiers {
		send(tierLeadTime, t.Outlook.LeadTimeDays*24*3600, t.Tier)
		if t.LimitBytes > 0 {
			send(tierCapacity, t.LimitBytes, t.Tier)
		}
		if t.Known {
			send(tierUsed, t.StoredBytes, t.Tier)
		}
		for quantile, at := range dates(t.Outlook) {
			send(tierExhaustion, seconds(at), t.Tier, quantile)
		}
	}
	for _, z := range d.Zones {
		for _, o := range z.Outlooks {
			send(zoneLeadTime, o.LeadTimeDays*24*3600, z.Zone, o.Class)
			send(zoneCapacity, o.Limit, z.Zone, o.Class)
			send(zoneUsed, o.Used, z.Zone, o.Class)
			for quantile, at := range dates(o) {
				send(zoneExhaustion, seconds(at), z.Zone, o.Class, quantile)
			}
		}
	}
}

func dates(o report.Outlook) map[string]time.Time {
	known := map[string]time.Time{}
	for quantile, at := range map[string]*time.Time{"0.1": o.Crossing.P10, "0.5": o.Crossing.P50, "0.9": o.Crossing.P90} {
		if at != nil {
			known[quantile] = *at
		}
	}
	return known
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
