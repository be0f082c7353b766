package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"mcloud"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

// guestWindow is how far back the use of servers is read.
const guestWindow = 14 * 24 * time.Hour

// guestWays read it by the hour: peaks of minutes are no use of a server.
var guestWays = []reach{{middle, guestWindow, 0}}

// unmeasuredGuests is why nobody's use is known, and what to do about it.
const unmeasuredGuests = "no server's use is measured: add a scrape job of a libvirt exporter, as deploy/examples/mcloud.yaml does"

// reclaimable are the kinds that waste is looked for in, and the exporter's source
// that reads each.
var reclaimable = map[mcloud.Kind]string{
	mcloud.KindServer: "nova_servers", mcloud.KindVolume: "cinder_volumes", mcloud.KindVolumeSnapshot: "cinder_snapshots",
	mcloud.KindFloatingIP: "neutron_routers", mcloud.KindRouter: "neutron_routers", mcloud.KindNetwork: "neutron_networks",
}

// reclaimed is what was found last, and when.
type reclaimed struct {
	at     time.Time
	result *reclaim.Result
}

// reclaimAfter is how old that may get: it reads all servers, volumes and addresses.
const reclaimAfter = time.Hour

// reclaim looks for what is paid for and not used.
func (p *Planner) reclaim(ctx context.Context, seen *observation, cache *historyCache) *reclaim.Result {
	if last := cache.rare.reclaimed; last.result != nil && !seen.at.Before(last.at) && seen.at.Sub(last.at) < reclaimAfter {
		return last.result
	}
	in := reclaim.Input{At: seen.at, Versions: map[mcloud.Kind][]mcloud.Version{}, Missing: map[mcloud.Kind]string{}, Card: p.o.Card, Projects: p.projectNames(ctx, seen, cache)}
	for _, f := range seen.cloud.Flavors {
		in.Flavors = append(in.Flavors, f.Flavor)
	}
	works, err := p.sourcesThatWork(ctx, seen.at)
	if err != nil {
		seen.miss("what could be reclaimed", "whether the exporter reads it is not known: %v", err)
	}
	whole := err == nil
	for kind, source := range reclaimable {
		versions, err := p.o.Inventory.Versions(ctx, p.o.Cloud, kind, seen.at.Add(-p.o.Reclaim.Window()), seen.at)
		switch {
		case err != nil:
			whole = false
			in.Missing[kind] = fmt.Sprintf("the store cannot be read: %v", err)
		case len(versions) == 0 && !works[source]:
			in.Missing[kind] = fmt.Sprintf("no %s is recorded, and the exporter's source %s has not succeeded in the last day", kind, source)
		default:
			in.Versions[kind] = versions
		}
	}
	if in.Use, err = p.guestUse(ctx, seen.at); err != nil {
		in.UseWhy = err.Error()
		whole = whole && errors.Is(err, errUnmeasured)
	}
	result, err := reclaim.Find(in, p.o.Reclaim)
	if err != nil {
		seen.miss("what could be reclaimed", "%v", err)
		return nil
	}
	if whole {
		cache.rare.reclaimed = reclaimed{seen.at, &result}
	}
	return &result
}

// sourcesThatWork are those of the exporter that succeeded in the last day.
func (p *Planner) sourcesThatWork(ctx context.Context, at time.Time) (map[string]bool, error) {
	var sources []string
	for _, source := range reclaimable {
		sources = append(sources, source)
	}
	slices.Sort(sources)
	got, err := p.at(ctx, fmt.Sprintf(`max by (source) (last_over_time(mcloud_source_last_success_timestamp_seconds{cloud=%s,source=~%s}[1d]))`, strconv.Quote(p.o.Cloud), oneOf(slices.Compact(sources))), at)
	if err != nil {
		return nil, err
	}
	works := map[string]bool{}
	for _, s := range got {
		if n := len(s.Points); n > 0 && at.Sub(time.Unix(int64(s.Points[n-1].Value), 0)) < 24*time.Hour {
			works[s.Labels["source"]] = true
		}
	}
	return works, nil
}

// errUnmeasured says that nobody measures guests.
var errUnmeasured = errors.New(unmeasuredGuests)

// guestUse is what servers were measured to use, by id.
func (p *Planner) guestUse(ctx context.Context, at time.Time) (map[string]reclaim.Use, error) {
	cloud := strconv.Quote(p.o.Cloud)
	cores, _, err := p.reaching(ctx, newHistoryCache(), fmt.Sprintf(`max by (server_id) (mcloud_guest_cpu_cores{cloud=%s})`, cloud), at, guestWays)
	if errors.Is(err, errNoHistory) {
		return nil, errUnmeasured
	}
	if err != nil {
		return nil, err
	}
	memory, _, err := p.reaching(ctx, newHistoryCache(), fmt.Sprintf(`max by (server_id) (mcloud_guest_memory_used_bytes{cloud=%s}) / 1048576`, cloud), at, guestWays)
	if err != nil && !errors.Is(err, errNoHistory) {
		return nil, err
	}
	use := make(map[string]reclaim.Use, len(cores))
	for _, s := range cores {
		if n := len(s.Points); n > 0 && at.Sub(s.Points[n-1].Time) < 24*time.Hour {
			use[s.Labels["server_id"]] = reclaim.Use{Span: s.Points[n-1].Time.Sub(s.Points[0].Time), CoresP95: peak(s)}
		}
	}
	for _, s := range memory {
		if u, ok := use[s.Labels["server_id"]]; ok && len(s.Points) > 0 {
			most := peak(s)
			u.MemoryP95 = &most
			use[s.Labels["server_id"]] = u
		}
	}
	return use, nil
}

// peak is the value that is not exceeded in 95 % of the time.
func peak(s Series) float64 {
	values := make([]float64, 0, len(s.Points))
	for _, q := range s.Points {
		if !math.IsNaN(q.Value) {
			values = append(values, q.Value)
		}
	}
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[int(math.Ceil(0.95*float64(len(values))))-1]
}

// brief leaves of a result what a report shows: sums, and the dearest findings.
func brief(r *reclaim.Result) *reclaim.Result {
	if r == nil {
		return nil
	}
	short := *r
	short.Findings = []reclaim.Finding{}
	count := map[reclaim.Name]int{}
	for _, f := range r.Findings {
		if count[f.Category]++; count[f.Category] <= report.FindingsShown {
			short.Findings = append(short.Findings, f)
		}
	}
	short.Projects = r.Projects[:min(len(r.Projects), report.ProjectsShown)]
	return &short
}

// Reclaim is everything that could be reclaimed, as of the last plan.
func (p *Planner) Reclaim(ctx context.Context) (reclaim.Result, error) {
	made, err := p.latest(ctx)
	if err != nil {
		return reclaim.Result{}, err
	}
	if made.reclaim == nil {
		return reclaim.Result{}, fmt.Errorf("what could be reclaimed is not known, the report says why: %w", ErrNotReady)
	}
	return *made.reclaim, nil
}
