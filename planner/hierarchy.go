package planner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"mcloud/planner/forecast"
	"mcloud/planner/report"
)

// leads are how far ahead the members of hierarchies, metrics and scores look.
var leads = []time.Duration{7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour, 180 * 24 * time.Hour, 365 * 24 * time.Hour}

// branch is a node of a hierarchy before and after it adds up.
type branch struct {
	kind     report.MemberKind
	id, name string
	parent   int
	result   forecast.Result
	settle   func(forecast.Result) // takes the reconciled forecast
}

// allocationHierarchies forecast what is allocated in the cloud, its zones and its
// hosts so that it adds up, and leave the zones' part of it in demands. Without a
// forecast of the cloud the zones keep their own.
func (p *Planner) allocationHierarchies(ctx context.Context, seen *observation, cache *historyCache, hosts map[string][]string, demands map[string]map[string]demand) (all []report.Hierarchy) {
	if len(demands) == 0 {
		return nil
	}
	zones := slices.Sorted(maps.Keys(demands))
	cloud, ok := together(demands)
	if !ok {
		var everywhere []string
		for _, zone := range zones {
			everywhere = append(everywhere, hosts[zone]...)
		}
		slices.Sort(everywhere)
		cloud = p.zoneDemand(ctx, cache, everywhere, seen.at)
	}
	zoneOf := map[string]string{}
	for zone, names := range hosts {
		for _, name := range names {
			zoneOf[name] = zone
		}
	}
	for _, class := range classes {
		if cloud[class].err != nil {
			continue // each zone says so for itself
		}
		h := report.Hierarchy{What: report.ClassName(class) + " allocated", Class: class, Unit: report.ClassUnit(class)}
		whole, err := p.foresee(cloud[class], p.o.Compute.LeadTime)
		if err != nil || !whole.Forecasted() {
			h.Why = cmp.Or(whole.Reason, fmt.Sprint(err))
			all = append(all, h)
			continue
		}
		tree := []branch{{kind: report.MemberCloud, name: p.o.Cloud, parent: -1, result: whole}}
		at := map[string]int{}
		for _, zone := range zones {
			d, ok := demands[zone][class]
			r, err := p.foresee(d, p.o.Compute.LeadTime)
			if !ok || d.err != nil || err != nil || r.Points == 0 {
				continue
			}
			at[zone] = len(tree)
			tree = append(tree, branch{kind: report.MemberZone, name: zone, result: r, settle: func(r forecast.Result) {
				d.made = &r
				demands[zone][class] = d
			}})
		}
		finer, err := p.hostParts(ctx, seen, cache, class, len(zoneOf), whole.Step)
		if err != nil {
			h.Why = "hosts: " + err.Error()
		}
		for _, host := range slices.Sorted(maps.Keys(finer)) {
			if parent, ok := at[zoneOf[host]]; ok {
				tree = append(tree, branch{kind: report.MemberHost, name: host, parent: parent, result: finer[host]})
			}
		}
		all = append(all, settle(h, tree, seen.at))
	}
	return all
}

// hostParts forecasts what is allocated on each host of a resource class, unless hosts by
// step are too many to add up.
func (p *Planner) hostParts(ctx context.Context, seen *observation, cache *historyCache, class string, hosts int, step time.Duration) (map[string]forecast.Result, error) {
	if steps := int(p.o.Horizon / step); hosts*steps > maxPartSteps {
		return nil, fmt.Errorf("%d of them by %d steps of %s are too much to add up: they are forecast one by one once there is more history, of which steps are longer", hosts, steps, step)
	}
	query := fmt.Sprintf(`sum by (hostname) (last_over_time(openstack_placement_usage_units{cloud=%s,resource_class=%s}[$step]))`, strconv.Quote(p.o.Cloud), strconv.Quote(class))
	return p.partsOf(ctx, seen, cache, query, "hostname", func(all []Series) []Series { return all })
}

// shownProjects is how many projects of a tier are forecast one by one; the others
// are together.
const shownProjects = 40

// tierHierarchies forecast what is provisioned on each tier, and by which projects.
func (p *Planner) tierHierarchies(ctx context.Context, seen *observation, cache *historyCache) (all []report.Hierarchy) {
	for _, t := range p.o.Tiers {
		h := report.Hierarchy{What: "provisioned on tier " + t.Name, Tier: t.Name, Unit: "bytes"}
		if len(t.VolumeTypes) == 0 {
			h.Why = "no volume types are named for the tier: list them under planner.tiers in mcloud.yaml"
			all = append(all, h)
			continue
		}
		// Two exporters, as of a pair, may tell of the same project.
		sizes := fmt.Sprintf(`max by (project_id, volume_type) (last_over_time(openstack_cinder_project_volumes_size_bytes{cloud=%s,volume_type=~%s}[$step]))`, strconv.Quote(p.o.Cloud), oneOf(t.VolumeTypes))
		whole, err := p.partsOf(ctx, seen, cache, "sum("+sizes+")", "", func(all []Series) []Series { return all })
		r, ok := whole[""]
		if err != nil || !ok || !r.Forecasted() {
			h.Why = "no history of the projects' volumes"
			if err != nil {
				h.Why += ": " + err.Error()
			} else if ok {
				h.Why = r.Reason
			}
			all = append(all, h)
			continue
		}
		projects, err := p.partsOf(ctx, seen, cache, "sum by (project_id) ("+sizes+")", "project_id", smaller("project_id", shownProjects))
		if err != nil {
			h.Why = "projects: " + err.Error()
		}
		named := p.projectNames(ctx, seen, cache)
		tree := []branch{{kind: report.MemberTier, name: t.Name, parent: -1, result: r}}
		for _, id := range slices.Sorted(maps.Keys(projects)) {
			b := branch{kind: report.MemberProject, id: id, name: cmp.Or(named[id], id), result: projects[id]}
			if id == "" {
				b.kind, b.name = report.MemberRest, "all other projects"
			}
			tree = append(tree, b)
		}
		all = append(all, settle(h, tree, seen.at))
	}
	return all
}

// settle reconciles the tree, tells its branches, and fills h.
func settle(h report.Hierarchy, tree []branch, at time.Time) report.Hierarchy {
	parents, results := make([]int, len(tree)), make([]forecast.Result, len(tree))
	for i, b := range tree {
		parents[i], results[i] = b.parent, b.result
	}
	reconciled, err := forecast.ReconcileResults(parents, results)
	if err != nil {
		h.Why = err.Error()
		return h
	}
	var steps []int
	whole := reconciled[0]
	for _, lead := range leads {
		i := int(at.Add(lead).Sub(whole.To)/whole.Step) - 1
		if i >= 0 && i < len(whole.P50) && !slices.Contains(steps, i) {
			steps = append(steps, i)
			h.At = append(h.At, whole.Time(i).UTC())
		}
	}
	for i, b := range tree {
		if b.settle != nil && b.result.Forecasted() {
			b.settle(reconciled[i])
		}
		m := report.Member{Kind: b.kind, ID: b.id, Name: b.name, Parent: b.parent, Now: b.result.Last, Model: b.result.Model,
			From: b.result.From.UTC(), To: b.result.To.UTC(), MeanError: b.result.Backtest.MeanError, Relative: b.result.Backtest.Relative,
			Coverage: b.result.Backtest.Coverage, Origins: b.result.Backtest.Origins}
		if m.Model == "" {
			m.Reason = b.result.Reason
		}
		for _, t := range h.At {
			p10, p50, p90 := reconciled[i].At(t)
			_, alone, _ := b.result.At(t)
			m.P10, m.P50, m.P90, m.Alone = append(m.P10, p10), append(m.P50, p50), append(m.P90, p90), append(m.Alone, alone)
			m.Growth = append(m.Growth, p50-m.Now)
		}
		h.Members = append(h.Members, m)
	}
	return h
}
