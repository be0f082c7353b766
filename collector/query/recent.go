package query

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

const (
	// recentSamples bounds what is remembered of all answers together, 16 bytes each.
	recentSamples = 2_000_000
	// recentLeast and recentMost bound how long an answer is used again. It is as long as the hot
	// storage is old: right after a start, what another collector saw last is still on its way to the store.
	recentLeast = 10 * time.Second
	recentMost  = 5 * time.Minute
	// recentGrid is what the begin of a question is rounded to, for the next ones to begin after it.
	recentGrid = 5 * time.Minute
)

// recent remembers the store's answers of the time just before the hot storage. A collector that
// has just begun asks for it with each rule, at each evaluation, and the answer hardly changes:
// it ends where the hot storage begins.
type recent struct {
	span time.Duration // of questions that are remembered
	most int           // samples of all answers together
	now  func() time.Time

	mu      sync.Mutex
	start   int64 // of the hot storage
	samples int
	answers map[string]*answer // by matchers
}

// answer is all samples of its matchers from from until the hot storage's start.
type answer struct {
	from    int64
	expires time.Time
	series  []*computed
	samples int
}

func newRecent(span time.Duration, now func() time.Time) *recent {
	return &recent{span: span, most: recentSamples, now: now, answers: map[string]*answer{}}
}

func recentKey(matchers []*labels.Matcher) string {
	keys := make([]string, len(matchers))
	for i, m := range matchers {
		keys[i] = m.String()
	}
	slices.Sort(keys)
	return strings.Join(keys, "\xff")
}

// get returns the series of an earlier answer that have samples from mint on, and whether there is one.
func (r *recent) get(key string, start, mint int64) ([]storage.Series, bool) {
	r.mu.Lock()
	a := r.answers[key]
	if r.start != start || a == nil || mint < a.from || !r.now().Before(a.expires) {
		a = nil
	}
	r.mu.Unlock()
	if a == nil {
		return nil, false
	}
	series := make([]storage.Series, 0, len(a.series))
	for _, s := range a.series {
		if points := from(s.points, mint); len(points) > 0 {
			series = append(series, &computed{labels: s.labels, points: points})
		}
	}
	return series, true
}

// put keeps an answer, in place of what had expired and, when there is no room, of anything.
func (r *recent) put(key string, start int64, a *answer) {
	now := r.now()
	a.expires = now.Add(min(max(now.Sub(time.UnixMilli(start)), recentLeast), recentMost))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.start != start {
		r.start, r.samples = start, 0
		clear(r.answers)
	}
	drop := func(key string) {
		if old := r.answers[key]; old != nil {
			r.samples -= old.samples
			delete(r.answers, key)
		}
	}
	drop(key)
	for k, old := range r.answers {
		if !now.Before(old.expires) {
			drop(k)
		}
	}
	for k := range r.answers {
		if r.samples+a.samples <= r.most {
			break
		}
		drop(k)
	}
	r.answers[key] = a
	r.samples += a.samples
}

// from is the points at or after mint.
func from(points []promql.FPoint, mint int64) []promql.FPoint {
	i, _ := slices.BinarySearchFunc(points, mint, func(p promql.FPoint, t int64) int { return int(max(-1, min(p.T-t, 1))) })
	return points[i:]
}

// recent answers a question of [mint, start) from memory, or asks and remembers. It asks without
// hints: what it keeps has to serve every function.
func (f *fanout) recent(ctx context.Context, mint int64, matchers []*labels.Matcher) storage.SeriesSet {
	r, key := f.q.recent, recentKey(matchers)
	if series, ok := r.get(key, f.start, mint); ok {
		f.q.metrics.remembered.Inc()
		return &longListed{series: series}
	}
	grid := recentGrid.Milliseconds()
	begin := mint - (mint%grid+grid)%grid
	end := f.start - 1
	long := &longSet{fanout: f, open: func() (storage.SeriesSet, error) {
		ctx, querier, err := f.ask(ctx, begin, end)
		if err != nil {
			return nil, err
		}
		return querier.Select(ctx, true, &storage.SelectHints{Start: begin, End: end}, matchers...), nil
	}}
	return &remembering{longSet: long, mint: mint, key: key, kept: &answer{from: begin}}
}

// remembering copies what passes, and keeps it when all has passed.
type remembering struct {
	*longSet
	mint int64
	key  string
	kept *answer // nil once it cannot be kept
	at   storage.Series
}

func (s *remembering) Next() bool {
	for s.longSet.Next() {
		c, whole := gathered(s.longSet.At())
		if !whole {
			s.kept, s.at = nil, s.longSet.At()
			return true
		}
		if s.kept != nil {
			if s.kept.samples += len(c.points); s.kept.samples > s.fanout.q.recent.most/4 {
				s.kept = nil // so much is asked for seldom
			} else {
				s.kept.series = append(s.kept.series, c)
			}
		}
		if points := from(c.points, s.mint); len(points) > 0 {
			s.at = longSeries{&computed{labels: c.labels, points: points}}
			return true
		}
	}
	if s.kept != nil && s.longSet.whole && len(s.longSet.warnings) == 0 {
		s.fanout.q.recent.put(s.key, s.fanout.start, s.kept)
	}
	s.kept = nil
	return false
}

func (s *remembering) At() storage.Series { return s.at }

// gathered is a series with samples of its own, not the store's; false when they are not all floats.
func gathered(s storage.Series) (*computed, bool) {
	c := &computed{labels: s.Labels().Copy()}
	it := s.Iterator(nil)
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if kind != chunkenc.ValFloat {
			return nil, false
		}
		t, v := it.At()
		c.points = append(c.points, promql.FPoint{T: t, F: v})
	}
	return c, it.Err() == nil
}

// longListed is series of the long-term store that are in memory.
type longListed struct {
	series []storage.Series
	next   int
}

func (s *longListed) Next() bool {
	s.next++
	return s.next <= len(s.series)
}

func (s *longListed) At() storage.Series                { return longSeries{s.series[s.next-1]} }
func (s *longListed) Err() error                        { return nil }
func (s *longListed) Warnings() annotations.Annotations { return nil }
