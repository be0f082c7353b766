package planner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcloud/planner/capacity"
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
	// No sum over zones is served: servers of one flavor do not compete across hosts,
	// so that sum without (zone) is exact.
	headroomServers = desc("mcloud_headroom_servers", "Further servers of a public flavor, its root disk on the host, that Placement and Nova would accept in the zone if nothing else changed; without an N+1 reserve. Absent when the cloud has not been looked at lately.", "zone", "flavor")
	headroomHosts   = desc("mcloud_headroom_hosts", "Hosts of the zone that take at least one more server of a public flavor, its root disk on the host. Absent when the cloud has not been looked at lately.", "zone", "flavor")
	runTimestamp    = desc("mcloud_plan_run_timestamp_seconds", "When the last plan was made.")
	runDuration     = desc("mcloud_plan_duration_seconds", "How long the last plan took.")
	runErrors       = desc("mcloud_plan_errors_total", "Runs of the planner of which nothing came.")
	runMissing      = desc("mcloud_plan_missing", "Parts of the last plan that are missing.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"cloud"}, labels...), nil)
}

// Describe implements prometheus.Collector.
func (p *Planner) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		tierCapacity, tierUsed, tierExhaustion, tierLeadTime, zoneCapacity, zoneUsed, zoneExhaustion, zoneLeadTime,
		headroomServers, headroomHosts, runTimestamp, runDuration, runErrors, runMissing,
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
	if age := p.o.Now().Sub(p.last.looked); p.last.looked.IsZero() || age > max(lookLimit, 3*p.o.Period) {
		return
	}
	for _, f := range p.last.public() {
		for _, z := range f.Zones {
			send(headroomServers, float64(z.Servers), z.Zone, f.Flavor)
			send(headroomHosts, float64(z.Hosts), z.Zone, f.Flavor)
		}
	}
}

// public is the headroom of the public flavors: a private one is made for a project,
// and there may be one for each. A name counts once.
func (m *plan) public() (all []capacity.Headroom) {
	public, done := map[string]bool{}, map[string]bool{}
	for _, f := range m.cloud.Flavors {
		public[f.ID] = f.Public
	}
	for _, h := range m.document.Headroom {
		if !h.VolumeBacked && public[h.FlavorID] && !done[h.Flavor] {
			done[h.Flavor] = true
			all = append(all, h)
		}
	}
	return all
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
