package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcloud/planner/forecast"
)

// History answers PromQL range queries: the points at from, from+step, … up to
// to, inclusive. Partial results are an error.
type History interface {
	Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]Series, error)
}

// Series is one series of an answer, its points in time order.
type Series struct {
	Labels map[string]string
	Points []forecast.Point
}

// The steps at which history is read, by how much of it there is.
const (
	coarse = 6 * time.Hour // two weeks and more
	middle = time.Hour     // two days to two weeks
	fine   = 10 * time.Minute
	// piece bounds the range of one query, and so what the store holds in memory
	// for it.
	piece = 30 * 24 * time.Hour
)

// errNoHistory is returned when a query has no point in the window.
var errNoHistory = errors.New("no samples in the window")

// historyCache keeps what was read: the past does not change, so the next run
// asks only for what is new. From time to time all is read again, in case the
// past was filled in later.
type historyCache struct {
	mu      sync.Mutex
	answers map[string]*cachedAnswer
	rare    rare
}

type cachedAnswer struct {
	step   time.Duration
	span   time.Duration // how far back it may reach
	read   time.Time     // when all of it was read
	took   time.Duration // and how long that took
	to     time.Time     // up to where
	series map[string]Series
}

const (
	// rereadAfter and rereadShort are how old an answer gets before all of it is
	// read again: one that reaches back over the window, and one that does not, or not
	// yet as far as a better way to read it wants.
	rereadAfter = 6 * time.Hour
	rereadShort = 10 * time.Minute
	// rereadCost bounds what reading again takes of the time, as one part of so many.
	rereadCost = 50
	// overlap is read again each time: the newest samples may have been incomplete.
	overlap = 2
)

func newHistoryCache() *historyCache { return &historyCache{answers: map[string]*cachedAnswer{}} }

// reach is one way to read a history: at a step, over a span, good enough when
// there is this much of it.
type reach struct{ step, span, enough time.Duration }

// history reads query over the window that ends at at. The step follows from how
// far back the series reach. query may contain $step, which becomes it.
func (p *Planner) history(ctx context.Context, cache *historyCache, query string, at time.Time) ([]Series, time.Duration, error) {
	return p.reaching(ctx, cache, query, at, []reach{
		{coarse, p.o.Window, 14 * 24 * time.Hour},
		{middle, min(14*24*time.Hour, p.o.Window), 48 * time.Hour},
		{fine, min(48*time.Hour, p.o.Window), 0},
	})
}

// reaching reads query in the first of the ways that finds enough.
func (p *Planner) reaching(ctx context.Context, cache *historyCache, query string, at time.Time, ways []reach) ([]Series, time.Duration, error) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	a := cache.answers[query]
	if a != nil && a.fresh(at) {
		if err := p.extend(ctx, a, query, at); err != nil {
			return nil, 0, err
		}
		return a.list(), a.step, nil
	}
	began := time.Now()
	for _, try := range ways {
		a = &cachedAnswer{step: try.step, span: try.span, read: at, series: map[string]Series{}}
		if err := p.read(ctx, a, query, at.Add(-try.span), at); err != nil {
			return nil, 0, err
		}
		first, any := a.first()
		if any && at.Sub(first) >= min(try.enough, ways[0].span/2) {
			a.took = time.Since(began)
			cache.answers[query] = a
			return a.list(), a.step, nil
		}
	}
	return nil, 0, errNoHistory
}

// forget drops answers that no plan of the last day asked for: their query named
// hosts that have changed since.
func (c *historyCache) forget(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.answers, func(_ string, a *cachedAnswer) bool { return at.Sub(a.to) > 24*time.Hour })
	c.rare.forget(at)
}

// fresh says whether a may be extended instead of being read anew.
func (a *cachedAnswer) fresh(at time.Time) bool {
	if at.Before(a.to) {
		return false
	}
	first, any := a.first()
	switch age := at.Sub(a.read); {
	case !any:
		return false
	case at.Sub(first) < a.span-2*a.step:
		return age < min(rereadAfter, max(rereadShort, rereadCost*a.took))
	default:
		return age < rereadAfter
	}
}

// extend reads what is new and forgets what left the window.
func (p *Planner) extend(ctx context.Context, a *cachedAnswer, query string, at time.Time) error {
	if err := p.read(ctx, a, query, a.to.Add(-overlap*a.step), at); err != nil {
		return err
	}
	since := at.Add(-a.span)
	for key, s := range a.series {
		s.Points = slices.DeleteFunc(s.Points, func(q forecast.Point) bool { return q.Time.Before(since) })
		if len(s.Points) == 0 {
			delete(a.series, key)
			continue
		}
		a.series[key] = s
	}
	return nil
}

// read adds [from, to] to a, on instants that are multiples of the step, piece
// by piece; points that were there are replaced.
func (p *Planner) read(ctx context.Context, a *cachedAnswer, query string, from, to time.Time) error {
	query = strings.ReplaceAll(query, "$step", fmt.Sprintf("%ds", int(a.step.Seconds())))
	from, to = from.Truncate(a.step), to.Truncate(a.step)
	for start := from; !start.After(to); start = start.Add(piece) {
		end := start.Add(piece - a.step)
		if end.After(to) {
			end = to
		}
		got, err := p.o.History.Range(ctx, query, start, end, a.step)
		if err != nil {
			return fmt.Errorf("history from %s to %s cannot be read: %w", start.Format(time.DateOnly), end.Format(time.DateOnly), err)
		}
		for _, s := range got {
			key := labelKey(s.Labels)
			kept := a.series[key].Points
			if len(s.Points) > 0 {
				kept = slices.DeleteFunc(kept, func(q forecast.Point) bool { return !q.Time.Before(s.Points[0].Time) })
			}
			a.series[key] = Series{Labels: s.Labels, Points: append(kept, s.Points...)}
		}
	}
	a.to = to
	return nil
}

// first is the earliest instant with a point.
func (a *cachedAnswer) first() (first time.Time, any bool) {
	for _, s := range a.series {
		if len(s.Points) > 0 && (!any || s.Points[0].Time.Before(first)) {
			first, any = s.Points[0].Time, true
		}
	}
	return first, any
}

func (a *cachedAnswer) list() []Series {
	all := make([]Series, 0, len(a.series))
	for _, key := range slices.Sorted(maps.Keys(a.series)) {
		s := a.series[key]
		all = append(all, Series{Labels: s.Labels, Points: slices.Clone(s.Points)})
	}
	return all
}

func labelKey(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%s=%q,", name, labels[name])
	}
	return b.String()
}

// latestValues reads the last value of every series of query in the two hours before
// at, for values that must be of now.
func (p *Planner) latestValues(ctx context.Context, query string, at time.Time) ([]Series, error) {
	step := 5 * time.Minute
	return p.o.History.Range(ctx, query, at.Add(-2*time.Hour), at, step)
}

// at evaluates query at one instant.
func (p *Planner) at(ctx context.Context, query string, at time.Time) ([]Series, error) {
	return p.o.History.Range(ctx, query, at, at, time.Minute)
}

// gridStep is the step at which a history of that length is forecast: a year
// ahead is a matter of days, not of hours.
func gridStep(read, span time.Duration) time.Duration {
	if read == coarse && span >= 60*24*time.Hour {
		return 24 * time.Hour
	}
	return read
}
