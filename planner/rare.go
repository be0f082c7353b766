package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"mcloud"
	"mcloud/planner/forecast"
)

// rare keeps what is costly to learn and changes slowly: the forecasts of every
// host and project, and their names. It is made anew every rareAfter.
type rare struct {
	parts     map[string]parts // by query
	projects  projectList
	scored    scored
	reclaimed reclaimed
}

// rareAfter is how old that may get.
const rareAfter = 6 * time.Hour

// parts are the forecasts of the parts of a whole by their label.
type parts struct {
	read    time.Time                  // when their history was
	results map[string]forecast.Result // of all of them; nil: there never were
	// fresh are those made since it was read, and left what is not forecast yet, for the
	// plan had other things to do.
	fresh map[string]forecast.Result
	left  []Series
	step  time.Duration // of their history
	all   int
}

// projectList is the projects' names by id.
type projectList struct {
	read time.Time
	by   map[string]string
}

// maxPartSteps bounds how many steps all hosts, or projects, are forecast by together: 6,000
// hosts six hours at a time for a year. They have to add up at each.
const maxPartSteps = 6000 * 1460

// partPaths is fewer than for a whole: only the middle and its spread are wanted.
const partPaths = 60

// eachPlan is how many parts are forecast in each plan, however late it is.
const eachPlan = 100

// partsOf forecasts each series of query, told apart by label. When half of the plan's time
// is over, the next plans go on; until all are there the former ones stand, and the first
// time it is an error. A query that failed is asked again at the next plan.
func (p *Planner) partsOf(ctx context.Context, seen *observation, cache *historyCache, query, label string, group func([]Series) []Series) (map[string]forecast.Result, error) {
	known := cache.rare.parts[query]
	if known.read.IsZero() || seen.at.Before(known.read) || seen.at.Sub(known.read) >= rareAfter {
		// The points themselves are kept only until they are forecast: they would be most of
		// the planner's memory.
		series, step, err := p.history(ctx, newHistoryCache(), query, seen.at)
		if err != nil {
			return nil, err
		}
		series = group(series)
		if seen.at.Before(known.read) {
			known.results = nil // of a time that is still to come
		}
		known = parts{read: seen.at, results: known.results, fresh: make(map[string]forecast.Result, len(series)), left: series, step: step, all: len(series)}
	}
	for n := 0; len(known.left) > 0 && ctx.Err() == nil && (n < eachPlan || time.Now().Before(seen.half)); n++ {
		s := known.left[0]
		known.left = known.left[1:]
		d := demand{points: s.Points, read: known.step}
		r, err := forecast.New(d.series(), forecast.Options{Horizon: p.o.Horizon, Paths: partPaths})
		if err != nil || r.Points == 0 || known.read.Sub(r.To) > gone(r.Step) {
			continue // it has nothing now
		}
		known.fresh[s.Labels[label]] = r.WithoutPaths()
	}
	if len(known.left) == 0 && known.fresh != nil {
		known.results, known.fresh, known.left = known.fresh, nil, nil
	}
	if cache.rare.parts == nil {
		cache.rare.parts = map[string]parts{}
	}
	cache.rare.parts[query] = known
	if known.results == nil {
		return nil, fmt.Errorf("%d of %d are not forecast yet: the next plans go on with them", len(known.left), known.all)
	}
	return known.results, nil
}

// gone is how long a part may be silent before it is taken to be no more.
func gone(step time.Duration) time.Duration { return 2*step + time.Hour }

// projectNames are the names of all projects by id; what cannot be read has none.
func (p *Planner) projectNames(ctx context.Context, seen *observation, cache *historyCache) map[string]string {
	known := cache.rare.projects
	if known.by != nil && !seen.at.Before(known.read) && seen.at.Sub(known.read) < 10*time.Minute {
		return known.by
	}
	versions, err := p.o.Inventory.Objects(ctx, p.o.Cloud, mcloud.KindProject, seen.at)
	if err != nil {
		seen.miss("names of projects", "cannot be read from the store: %v", err)
		return map[string]string{}
	}
	by := make(map[string]string, len(versions))
	for _, v := range versions {
		by[v.ID] = v.Name
	}
	cache.rare.projects = projectList{seen.at, by}
	return by
}

// forget drops the parts of queries that nobody asks any more.
func (r *rare) forget(at time.Time) {
	for query, known := range r.parts {
		if at.Sub(known.read) > 2*rareAfter {
			delete(r.parts, query)
		}
	}
}

// smaller puts all but the largest limit series, by their last value, into one with
// the label "": the rest.
func smaller(label string, limit int) func([]Series) []Series {
	return func(all []Series) []Series {
		if len(all) <= limit {
			return all
		}
		last := func(s Series) float64 { return s.Points[len(s.Points)-1].Value }
		slices.SortFunc(all, func(a, b Series) int {
			return cmp.Or(cmp.Compare(last(b), last(a)), cmp.Compare(a.Labels[label], b.Labels[label]))
		})
		return append(all[:limit:limit], Series{Labels: map[string]string{label: ""}, Points: addUp(all[limit:])})
	}
}

// addUp sums series instant by instant; where one has no point it has nothing.
func addUp(all []Series) []forecast.Point {
	sum := map[int64]float64{}
	for _, s := range all {
		for _, q := range s.Points {
			sum[q.Time.UnixNano()] += q.Value
		}
	}
	points := make([]forecast.Point, 0, len(sum))
	for at, v := range sum {
		points = append(points, forecast.Point{Time: time.Unix(0, at).UTC(), Value: v})
	}
	slices.SortFunc(points, func(a, b forecast.Point) int { return a.Time.Compare(b.Time) })
	return points
}
