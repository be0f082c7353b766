package clickhouse

import (
	"slices"
	"sort"
	"strings"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"mcloud/collector/replica"
)

// series is loaded samples of one label set, times strictly ascending.
type series struct {
	labels labels.Labels
	times  []int64
	values []float64
}

// Labels implements storage.Series.
func (s *series) Labels() labels.Labels { return s.labels }

// Iterator implements storage.Series; it reuses an iterator of its own kind.
func (s *series) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	if f, is := it.(*floats); is {
		*f = floats{series: s, at: -1}
		return f
	}
	return &floats{series: s, at: -1}
}

// newSeriesSet returns a set of series with different labels, at most limit of them
// unless it is 0. Two ids may have the same labels, when a series was away for so long
// that its first id was forgotten; they become one, and so do the replicas of a series.
func newSeriesSet(all []*series, sorted bool, limit int) storage.SeriesSet {
	set := oneOfReplicas(oneOfIDs(all))
	if sorted {
		slices.SortStableFunc(set, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	}
	if limit > 0 && len(set) > limit {
		set = set[:limit]
	}
	return &seriesSet{all: set, at: -1}
}

// oneOfReplicas merges the series that differ in nothing but the replica.
func oneOfReplicas(all []*series) []*series {
	if !slices.ContainsFunc(all, func(s *series) bool { return s.labels.Has(replica.Label) }) {
		return all
	}
	type version struct {
		name string
		*series
	}
	versions := map[*series][]version{}
	var plain []*series
	for _, s := range all {
		ls, name := replica.Without(s.labels)
		one := &series{labels: ls, times: s.times, values: s.values}
		plain = append(plain, one)
		versions[one] = []version{{name, one}}
	}
	set := oneBy(plain, func(a, b *series) *series {
		versions[a] = append(versions[a], versions[b]...)
		return a
	})
	for _, s := range set {
		of := versions[s]
		slices.SortFunc(of, func(a, b version) int { return strings.Compare(a.name, b.name) })
		streams := make([]replica.Stream, len(of))
		for i, v := range of {
			streams[i] = replica.Stream{Times: v.times, Values: v.values}
		}
		one := replica.Merge(streams...)
		s.times, s.values = one.Times, one.Values
	}
	return set
}

func oneOfIDs(all []*series) []*series { return oneBy(all, merge) }

// oneBy joins the series that have the same labels, and keeps the order.
func oneBy(all []*series, join func(a, b *series) *series) []*series {
	at := map[uint64][]int{}
	var set []*series
next:
	for _, s := range all {
		h := s.labels.Hash()
		for _, i := range at[h] {
			if labels.Equal(set[i].labels, s.labels) {
				set[i] = join(set[i], s)
				continue next
			}
		}
		at[h] = append(at[h], len(set))
		set = append(set, s)
	}
	return set
}

// merge joins two series in the order of time; b wins where both have a sample.
func merge(a, b *series) *series {
	m := &series{labels: a.labels}
	add := func(s *series, i int) {
		m.times, m.values = append(m.times, s.times[i]), append(m.values, s.values[i])
	}
	i, j := 0, 0
	for i < len(a.times) || j < len(b.times) {
		switch {
		case j == len(b.times) || i < len(a.times) && a.times[i] < b.times[j]:
			add(a, i)
			i++
		case i == len(a.times) || b.times[j] < a.times[i]:
			add(b, j)
			j++
		default:
			add(b, j)
			i, j = i+1, j+1
		}
	}
	return m
}

type seriesSet struct {
	all []*series
	at  int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series                { return s.all[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// floats implements chunkenc.Iterator.
type floats struct {
	*series
	at int
}

// Next implements chunkenc.Iterator.
func (f *floats) Next() chunkenc.ValueType {
	if f.at < len(f.times) {
		f.at++
	}
	return f.kind()
}

// millis is a time in milliseconds since 1970. (Under its own name vet does not
// take Seek for io.Seeker's.)
type millis = int64

// Seek implements chunkenc.Iterator.
func (f *floats) Seek(t millis) chunkenc.ValueType {
	from := max(f.at, 0)
	if from < len(f.times) && f.times[from] < t {
		from += sort.Search(len(f.times)-from, func(i int) bool { return f.times[from+i] >= t })
	}
	f.at = from
	return f.kind()
}

func (f *floats) kind() chunkenc.ValueType {
	if f.at >= len(f.times) {
		return chunkenc.ValNone
	}
	return chunkenc.ValFloat
}

// At implements chunkenc.Iterator.
func (f *floats) At() (int64, float64) { return f.times[f.at], f.values[f.at] }

// AtT implements chunkenc.Iterator.
func (f *floats) AtT() int64 { return f.times[f.at] }

// AtST implements chunkenc.Iterator; start times are not stored.
func (*floats) AtST() int64 { return 0 }

// Err implements chunkenc.Iterator.
func (*floats) Err() error { return nil }

// AtHistogram implements chunkenc.Iterator; native histograms are not stored.
func (f *floats) AtHistogram(h *histogram.Histogram) (int64, *histogram.Histogram) {
	return f.times[f.at], h
}

// AtFloatHistogram implements chunkenc.Iterator; native histograms are not stored.
func (f *floats) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return f.times[f.at], h
}
