package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud"
	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
)

// classes are the resource classes that zones are planned by.
var classes = []string{"VCPU", "PCPU", "MEMORY_MB", "DISK_GB", "VGPU"}

// demand is the history of one quantity, ready to be forecast.
type demand struct {
	points []forecast.Point
	read   time.Duration // the step it was read at
	err    error         // why there is none
	// made is its forecast where that has been made already, so that it adds up with
	// others.
	made *forecast.Result
}

// foresee forecasts d beyond the lead time of what would be bought.
func (p *Planner) foresee(d demand, leadTime time.Duration) (forecast.Result, error) {
	if d.made != nil {
		return *d.made, nil
	}
	return forecast.New(d.series(), forecast.Options{Horizon: max(p.o.Horizon, leadTime+p.o.Runway)})
}

func (d demand) series() forecast.Series {
	if len(d.points) == 0 {
		return forecast.Series{Step: time.Hour}
	}
	span := d.points[len(d.points)-1].Time.Sub(d.points[0].Time)
	return forecast.Grid(d.points, gridStep(d.read, span))
}

// zoneDemands reads what was allocated in each zone, by zone and resource class.
func (p *Planner) zoneDemands(ctx context.Context, cache *historyCache, sums []capacity.ZoneSum, hosts map[string][]string, at time.Time) map[string]map[string]demand {
	all := make(map[string]map[string]demand, len(sums))
	for _, z := range sums {
		all[z.Zone] = p.zoneDemand(ctx, cache, hosts[z.Zone], at)
	}
	return all
}

// zoneDemand reads what was allocated in a zone, by resource class: the sum over
// the hosts that are or were in it. Hosts are named in the query, because no
// sample carries its zone for ever.
func (p *Planner) zoneDemand(ctx context.Context, cache *historyCache, hosts []string, at time.Time) map[string]demand {
	query := fmt.Sprintf(`sum by (resource_class) (last_over_time(openstack_placement_usage_units{cloud=%s,resource_class=~%s,hostname=~%s}[$step]))`,
		strconv.Quote(p.o.Cloud), strconv.Quote(strings.Join(classes, "|")), oneOf(hosts))
	got, step, err := p.history(ctx, cache, query, at)
	byClass := map[string]demand{}
	for _, class := range classes {
		byClass[class] = demand{err: err}
	}
	if err != nil {
		return byClass
	}
	for _, class := range classes {
		byClass[class] = demand{err: errNoHistory}
	}
	for _, s := range got {
		byClass[s.Labels["resource_class"]] = demand{points: s.Points, read: step}
	}
	return byClass
}

// together adds the zones' histories up: what a query over the hosts of all of them would
// answer. It cannot where a zone was not read, or at another step than the others.
func together(zones map[string]map[string]demand) (byClass map[string]demand, ok bool) {
	byClass = map[string]demand{}
	for _, class := range classes {
		var parts []Series
		var step time.Duration
		for _, zone := range sortedKeys(zones) {
			d := zones[zone][class]
			switch {
			case errors.Is(d.err, errNoHistory):
				continue
			case d.err != nil || step > 0 && d.read != step:
				return nil, false
			}
			parts, step = append(parts, Series{Points: d.points}), d.read
		}
		byClass[class] = demand{points: addUp(parts), read: step}
		if len(parts) == 0 {
			byClass[class] = demand{err: errNoHistory}
		}
	}
	return byClass, true
}

// hostsByZone are the hosts of each zone now, and those that left it within the
// window: their use is part of its history.
func (p *Planner) hostsByZone(ctx context.Context, seen *observation) map[string][]string {
	zones := map[string][]string{}
	known := map[string]bool{}
	for _, h := range seen.cloud.Hosts {
		zones[h.Zone] = append(zones[h.Zone], h.Name)
		known[h.Name] = true
	}
	versions, err := p.o.Inventory.Versions(ctx, p.o.Cloud, mcloud.KindHost, seen.at.Add(-p.o.Window), seen.at)
	if err != nil {
		seen.miss("hosts that are gone", "cannot be read from the store, the zones' histories lack them: %v", err)
		return zones
	}
	objects := make([]mcloud.Object, len(versions))
	for i, v := range versions {
		objects[i] = v.Object
	}
	for _, h := range capacity.Read(objects).Hosts {
		if !known[h.Name] {
			zones[h.Zone] = append(zones[h.Zone], h.Name)
			known[h.Name] = true
		}
	}
	for _, hosts := range zones {
		slices.Sort(hosts)
	}
	return zones
}

// tierDemand reads what the pools of a tier stored, summed.
func (p *Planner) tierDemand(ctx context.Context, cache *historyCache, t capacity.Tier, pools []capacity.CephPool, at time.Time) demand {
	var sum []forecast.Point
	var step time.Duration
	byCluster := map[string][]string{}
	created := map[string]time.Time{}
	for _, ref := range t.Pools {
		for _, pool := range pools {
			if pool.Cluster == ref.Cluster && pool.Name == ref.Pool {
				number := strconv.FormatInt(pool.Number, 10)
				byCluster[ref.Cluster] = append(byCluster[ref.Cluster], number)
				created[ref.Cluster+"/"+number] = pool.Created
			}
		}
	}
	if len(byCluster) == 0 {
		return demand{err: fmt.Errorf("none of its pools is known")}
	}
	var parts []Series
	for cluster, numbers := range byCluster {
		slices.Sort(numbers)
		query := fmt.Sprintf(`max by (cluster, pool_id) (last_over_time(ceph_pool_stored{cluster=%s,pool_id=~%s}[$step]))`, strconv.Quote(cluster), oneOf(numbers))
		got, s, err := p.history(ctx, cache, query, at)
		if err != nil {
			return demand{err: err}
		}
		parts, step = append(parts, got...), max(step, s)
	}
	sum = sumPools(parts, created, step)
	if len(sum) == 0 {
		return demand{err: errNoHistory}
	}
	return demand{points: sum, read: step}
}

// sumPools adds series instant by instant. An instant at which one of them has no
// sample is left out, except before a pool was created: half a tier is no
// measurement of it.
func sumPools(parts []Series, created map[string]time.Time, step time.Duration) []forecast.Point {
	sum, count := map[int64]float64{}, map[int64]int{}
	for _, s := range parts {
		for _, q := range s.Points {
			slot := q.Time.UnixNano() / int64(step)
			sum[slot] += q.Value
			count[slot]++
		}
	}
	var points []forecast.Point
	for slot, v := range sum {
		t := time.Unix(0, slot*int64(step)).UTC()
		missing := len(parts) - count[slot]
		for _, s := range parts {
			born := created[s.Labels["cluster"]+"/"+s.Labels["pool_id"]]
			if missing > 0 && !born.IsZero() && t.Before(born.Truncate(step).Add(step)) && (len(s.Points) == 0 || t.Before(s.Points[0].Time)) {
				missing--
			}
		}
		if missing == 0 {
			points = append(points, forecast.Point{Time: t, Value: v})
		}
	}
	slices.SortFunc(points, func(a, b forecast.Point) int { return a.Time.Compare(b.Time) })
	return points
}

// poolUse reads what the pools of the clusters store now and may still take.
func (p *Planner) poolUse(ctx context.Context, seen *observation) {
	clusters := map[string]bool{}
	for _, t := range p.o.Tiers {
		for _, ref := range t.Pools {
			clusters[ref.Cluster] = true
		}
	}
	if len(clusters) == 0 {
		return
	}
	list := make([]string, 0, len(clusters))
	for c := range clusters {
		list = append(list, c)
	}
	slices.Sort(list)
	ids := map[string]string{} // "cluster/number" → pool ID
	for _, pool := range seen.storage.Pools {
		ids[pool.Cluster+"/"+strconv.FormatInt(pool.Number, 10)] = pool.ID
	}
	values := func(metric string) map[string]float64 {
		got, err := p.latestValues(ctx, fmt.Sprintf(`max by (cluster, pool_id) (%s{cluster=~%s})`, metric, oneOf(list)), seen.at)
		if err != nil {
			seen.miss(metric, "cannot be read from the collector: %v", err)
		}
		last := map[string]float64{}
		for _, s := range got {
			if n := len(s.Points); n > 0 && !math.IsNaN(s.Points[n-1].Value) {
				last[ids[s.Labels["cluster"]+"/"+s.Labels["pool_id"]]] = s.Points[n-1].Value
			}
		}
		return last
	}
	stored, avail := values("ceph_pool_stored"), values("ceph_pool_max_avail")
	for id, v := range stored {
		if a, ok := avail[id]; ok && id != "" {
			seen.storage.Use[id] = capacity.PoolUse{Stored: v, MaxAvail: a}
		}
	}
}

// oneOf is a quoted regular expression that matches exactly the names.
func oneOf(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	return strconv.Quote(strings.Join(quoted, "|"))
}
