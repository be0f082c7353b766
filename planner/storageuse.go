package planner

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mcloud/planner/forecast"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// storageUse reads what pools store and may still take, and what is free on each OSD.
func (p *Planner) storageUse(ctx context.Context, seen *observation) {
	p.poolUse(ctx, seen)
	clusters := map[string]bool{}
	for _, t := range p.o.Tiers {
		for _, ref := range t.Pools {
			clusters[ref.Cluster] = true
		}
	}
	if len(clusters) == 0 {
		return
	}
	got, err := p.latestValues(ctx, fmt.Sprintf(`max by (cluster, ceph_daemon) (ceph_osd_stat_bytes_avail{cluster=~%s})`, oneOf(sortedKeys(clusters))), seen.at)
	if err != nil {
		seen.miss("ceph_osd_stat_bytes_avail", "MAX AVAIL is taken as Ceph tells it, because what is free on each OSD cannot be read from the collector: %v", err)
		return
	}
	seen.storage.Avail = map[string]float64{}
	for _, s := range got {
		if n := len(s.Points); n > 0 && !math.IsNaN(s.Points[n-1].Value) {
			seen.storage.Avail[s.Labels["cluster"]+"/"+s.Labels["ceph_daemon"]] = s.Points[n-1].Value
		}
	}
}

// losses are those of q with the dates until which each can be made good. What is
// promised counts.
func losses(q quantity, promised scenario.Effect, f forecast.Result, at time.Time) []report.Loss {
	var all []report.Loss
	for _, l := range q.losses {
		lost := q
		lost.limit = l.SurvivableBytes
		e := promised
		e.Now.Limit = l.SurvivableBytes
		all = append(all, report.Loss{Loss: l, Crossing: crossing(lost, e, f, at)})
	}
	return all
}

// Storage are the tiers of the last plan: of one name, or all with "".
func (p *Planner) Storage(ctx context.Context, name string) ([]report.Tier, error) {
	made, err := p.latest(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(made.document.Tiers)
	if name == "" {
		return all, nil
	}
	known := make([]string, len(all))
	for i, t := range all {
		known[i] = t.Tier
		if t.Tier == name {
			return []report.Tier{t}, nil
		}
	}
	return nil, fmt.Errorf("tier %q is %w; known are: %s", name, ErrUnknown, strings.Join(known, ", "))
}
