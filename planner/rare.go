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
	made    time.Time
	results map[string]forecast.Result
	err     error
}

// projectList is the projects' names by id.
type projectList struct {
	read time.Time
	by   map[string]string
}

// maxParts bounds how many hosts, or projects, are forecast one by one.
const maxParts = 1500

// partPaths is fewer than for a whole: only the middle and its spread are wanted.
const partPaths = 60

// partsOf forecasts each series of query, told apart by label. A query that failed
// is asked again at the next plan.
func (p *Planner) partsOf(ctx context.Context, cache *historyCache, query, label string, at time.Time, horizon time.Duration, group func([]Series) []Series) (map[string]forecast.Result, error) {
	if known, ok := cache.rare.parts[query]; ok && !at.Before(known.made) && at.Sub(known.made) < rareAfter {
		return known.results, known.err
	}
	// The points themselves are not kept: they would be most of the planner's memory.
	series, step, err := p.history(ctx, newHistoryCache(), query, at)
	if err != nil {
		return nil, err
	}
	series = group(series)
	made := parts{made: at, results: make(map[string]forecast.Result, len(series))}
	if len(series) > maxParts {
		made.err = fmt.Errorf("more than %d of them: they are not forecast one by one", maxParts)
		series = nil
	}
	for _, s := range series {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d := demand{points: s.Points, read: step}
		r, err := forecast.New(d.series(), forecast.Options{Horizon: horizon, Paths: partPaths})
		if err != nil || r.Points == 0 || at.Sub(r.To) > gone(r.Step) {
			continue // it has nothing now
		}
		made.results[s.Labels[label]] = r.WithoutPaths()
	}
	if cache.rare.parts == nil {
		cache.rare.parts = map[string]parts{}
	}
	cache.rare.parts[query] = made
	return made.results, made.err
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
		if at.Sub(known.made) > 2*rareAfter {
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
