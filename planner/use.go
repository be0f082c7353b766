package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

// useWindow is how far back the real use of hosts is read: a week has its quiet and
// its busy days. What is younger than a day is read at a finer step.
const useWindow = 7 * 24 * time.Hour

var useWays = []reach{{middle, useWindow, 24 * time.Hour}, {fine, 24 * time.Hour, 0}}

// unscraped is why nothing is known of real use, and what to do about it.
const unscraped = "no node_exporter of a compute host is scraped: add a scrape job that gives its targets the labels cloud and host, as deploy/examples/mcloud.yaml does"

// realUse asks what the compute hosts really used, by the names of
// alerts/rules/use.yml: one query for the use of all hosts at all instants, one for
// what they have. That nobody measures it is no hole in the plan, only said.
func (p *Planner) realUse(ctx context.Context, seen *observation, cache *historyCache) report.RealUse {
	const what = "real use of hosts"
	cloud := strconv.Quote(p.o.Cloud)
	used := fmt.Sprintf(`max by (host, resource_class) (label_replace(mcloud_host_cpu_used_ratio{cloud=%[1]s} * mcloud_host_cpus{cloud=%[1]s}, "resource_class", "VCPU", "", "") or label_replace(mcloud_host_memory_used_bytes{cloud=%[1]s} / 1048576, "resource_class", "MEMORY_MB", "", ""))`, cloud)
	series, step, err := p.reaching(ctx, cache, used, seen.at, useWays)
	if errors.Is(err, errNoHistory) {
		return report.RealUse{Why: unscraped}
	}
	var have []Series
	if err == nil {
		have, err = p.at(ctx, fmt.Sprintf(`max by (host, resource_class) (label_replace(last_over_time(mcloud_host_cpus{cloud=%[1]s}[%[2]ds]), "resource_class", "VCPU", "", "") or label_replace(last_over_time(mcloud_host_memory_total_bytes{cloud=%[1]s}[%[2]ds]) / 1048576, "resource_class", "MEMORY_MB", "", ""))`,
			cloud, int(useWindow.Seconds())), seen.at)
	}
	if err != nil {
		seen.miss(what, "%v", err)
		return report.RealUse{Why: err.Error()}
	}
	measures, from, to := measures(series, have, step)
	u := report.RealUse{From: from, To: to, StepHours: step.Hours()}
	var total capacity.RealUse
	u.Hosts, u.Zones, total, u.Unmeasured = capacity.Uses(seen.cloud, measures)
	if len(u.Hosts) == 0 {
		why := unscraped
		if len(measures) > 0 {
			why = fmt.Sprintf("the label host of what is scraped (%q, …) is no name of a compute host: it must be the hypervisor's or its service's, as Nova has it", measures[0].Host)
		}
		return report.RealUse{Why: why}
	}
	u.Total, u.Aggregates = &total, capacity.GroupUses(seen.cloud, measures)
	return u
}

// measures puts the series on one grid of instants, from the first with a value to
// the last.
func measures(used, have []Series, step time.Duration) (all []capacity.Measure, from, to time.Time) {
	totals := map[[2]string]float64{}
	for _, s := range have {
		if n := len(s.Points); n > 0 {
			totals[[2]string{s.Labels["host"], s.Labels["resource_class"]}] = s.Points[n-1].Value
		}
	}
	for _, s := range used {
		for _, q := range s.Points {
			if from.IsZero() || q.Time.Before(from) {
				from = q.Time
			}
			if q.Time.After(to) {
				to = q.Time
			}
		}
	}
	instants := int(to.Sub(from)/step) + 1
	for _, s := range used {
		m := capacity.Measure{Host: s.Labels["host"], Class: s.Labels["resource_class"], Used: slices.Repeat([]float64{math.NaN()}, instants)}
		m.Total = totals[[2]string{m.Host, m.Class}]
		for _, q := range s.Points {
			m.Used[int(q.Time.Sub(from)/step)] = q.Value
		}
		all = append(all, m)
	}
	return all, from.UTC(), to.UTC()
}
