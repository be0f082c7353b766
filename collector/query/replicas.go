package query

import (
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"mcloud/collector/replica"
)

// longSeries is a series of the long-term store.
type longSeries struct{ storage.Series }

// hotFirst merges a series of the hot storage, which is what this collector scraped, with
// the same of the long-term store, which is what all of its replicas did: the store fills
// the gaps of the hot one.
func hotFirst(all ...storage.Series) storage.Series {
	var ordered []storage.Series
	for _, s := range all {
		if _, is := s.(longSeries); !is {
			ordered = append(ordered, s)
		}
	}
	for _, s := range all {
		if _, is := s.(longSeries); is {
			ordered = append(ordered, s)
		}
	}
	if len(ordered) < 2 {
		return storage.ChainedSeriesMerge(all...)
	}
	return &replicated{ordered}
}

// replicated is one series from several places, the first of which counts where it has
// no gap.
type replicated struct{ of []storage.Series }

func (r *replicated) Labels() labels.Labels { return r.of[0].Labels() }

// Iterator reads all samples. Native histograms are not in the long-term store: a series
// that has them is chained as it is.
func (r *replicated) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	streams := make([]replica.Stream, len(r.of))
	for i, s := range r.of {
		from := s.Iterator(nil)
		for kind := from.Next(); kind != chunkenc.ValNone; kind = from.Next() {
			if kind != chunkenc.ValFloat {
				return storage.ChainedSeriesMerge(r.of...).Iterator(it)
			}
			t, v := from.At()
			streams[i].Times, streams[i].Values = append(streams[i].Times, t), append(streams[i].Values, v)
		}
		if err := from.Err(); err != nil {
			return storage.ChainedSeriesMerge(r.of...).Iterator(it) // which meets the error, too
		}
	}
	one := replica.Merge(streams...)
	merged := &computed{points: make([]promql.FPoint, len(one.Times))}
	for i, t := range one.Times {
		merged.points[i] = promql.FPoint{T: t, F: one.Values[i]}
	}
	return merged.Iterator(it)
}
