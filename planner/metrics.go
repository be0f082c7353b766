package planner

import (
	"slices"
	"strconv"
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
	tierForecast   = desc("mcloud_tier_forecast_bytes", "Bytes that will be stored so far ahead, by quantile of the forecast.", "tier", "ahead", "quantile")
	zoneForecast   = desc("mcloud_zone_forecast_units", "Units that will be allocated so far ahead, by quantile of the forecast.", "zone", "resource_class", "ahead", "quantile")
	tierOrderBy    = desc("mcloud_tier_order_by_timestamp_seconds", "By when to order: the early crossing (P10) less the lead time; absent beyond the horizon.", "tier")
	zoneOrderBy    = desc("mcloud_zone_order_by_timestamp_seconds", "By when to order: the early crossing (P10) less the lead time; absent beyond the horizon.", "zone", "resource_class")
	tierTooLate    = desc("mcloud_tier_too_late_ratio", "Probability that the limit is reached before what is ordered now arrives; absent without a forecast.", "tier")
	zoneTooLate    = desc("mcloud_zone_too_late_ratio", "Probability that the limit is reached before what is ordered now arrives; absent without a forecast.", "zone", "resource_class")
	tierError      = desc("mcloud_tier_forecast_error_ratio", "Error of the forecast on the past over that of no change; absent where it was not tested.", "tier")
	zoneError      = desc("mcloud_zone_forecast_error_ratio", "Error of the forecast on the past over that of no change; absent where it was not tested.", "zone", "resource_class")
	tierCoverage   = desc("mcloud_tier_forecast_coverage_ratio", "Share of the past that P10 to P90 held, 0.8 is perfect; absent where it was not tested.", "tier")
	zoneCoverage   = desc("mcloud_zone_forecast_coverage_ratio", "Share of the past that P10 to P90 held, 0.8 is perfect; absent where it was not tested.", "zone", "resource_class")
	// Of reports that were kept, against what came.
	scoreError    = desc("mcloud_plan_score_error_ratio", "Mean error of past reports so far ahead, as a share of the limit; absent until there is one to judge.", "ahead")
	scoreCoverage = desc("mcloud_plan_score_coverage_ratio", "Share of what came that P10 to P90 of past reports held; absent until there is one to judge.", "ahead")
	reclaimCount  = desc("mcloud_reclaim_objects", "Things that are paid for and not used; absent when that is not known.", "category")
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
		tierForecast, zoneForecast, tierOrderBy, zoneOrderBy, tierTooLate, zoneTooLate, tierError, zoneError, tierCoverage, zoneCoverage,
		scoreError, scoreCoverage, reclaimCount, headroomServers, headroomHosts, runTimestamp, runDuration, runErrors, runMissing,
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
		p.collectOutlook(send, outlookFamilies{tierForecast, tierOrderBy, tierTooLate, tierError, tierCoverage}, "tier "+t.Tier, t.Outlook, t.Tier)
	}
	for _, z := range d.Zones {
		for _, o := range z.Outlooks {
			send(zoneLeadTime, o.LeadTimeDays*24*3600, z.Zone, o.Class)
			send(zoneCapacity, o.Limit, z.Zone, o.Class)
			send(zoneUsed, o.Used, z.Zone, o.Class)
			for quantile, at := range dates(o) {
				send(zoneExhaustion, seconds(at), z.Zone, o.Class, quantile)
			}
			p.collectOutlook(send, outlookFamilies{zoneForecast, zoneOrderBy, zoneTooLate, zoneError, zoneCoverage}, zoneWhat(z.Zone, o.Class), o, z.Zone, o.Class)
		}
	}
	for _, t := range d.Score.Totals {
		send(scoreError, t.Error, ahead(t.LeadDays))
		send(scoreCoverage, t.Coverage, ahead(t.LeadDays))
	}
	if d.Reclaim != nil {
		for _, c := range d.Reclaim.Categories {
			if c.Known && c.Count != nil {
				send(reclaimCount, float64(*c.Count), string(c.Name))
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

// outlookFamilies are what is told of an outlook's forecast.
type outlookFamilies struct{ forecast, orderBy, tooLate, err, coverage *prometheus.Desc }

// toldAhead are how far ahead forecasts are told as metrics, in days.
var toldAhead = []int{7, 30, 90}

func ahead(days int) string { return strconv.Itoa(days) + "d" }

// collectOutlook tells the forecast behind an outlook.
func (p *Planner) collectOutlook(send func(*prometheus.Desc, float64, ...string), f outlookFamilies, what string, o report.Outlook, labels ...string) {
	with := func(more ...string) []string { return append(slices.Clone(labels), more...) }
	if o.OrderBy != nil {
		send(f.orderBy, seconds(*o.OrderBy), labels...)
	}
	if len(o.Risks) > 0 {
		send(f.tooLate, o.Risks[0].Probability, labels...)
	}
	if o.Basis != nil && o.Basis.Origins > 0 {
		send(f.err, o.Basis.Relative, labels...)
		send(f.coverage, o.Basis.Coverage, labels...)
	}
	r, ok := p.last.forecasts[what]
	if !ok || !r.Forecasted() {
		return
	}
	for _, days := range toldAhead {
		at := p.last.document.At.AddDate(0, 0, days)
		if at.After(r.Time(len(r.P50) - 1)) {
			break // beyond the horizon
		}
		p10, p50, p90 := r.At(at)
		send(f.forecast, p10, with(ahead(days), "0.1")...)
		send(f.forecast, p50, with(ahead(days), "0.5")...)
		send(f.forecast, p90, with(ahead(days), "0.9")...)
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
