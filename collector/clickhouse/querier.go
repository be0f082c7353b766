package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"mcloud/collector/replica"
)

// Querier implements storage.Queryable over the stored samples. mint and maxt
// are inclusive, in milliseconds.
func (db *DB) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{db: db, mint: mint, maxt: maxt}, nil
}

type querier struct {
	db         *DB
	mint, maxt int64
}

// Close implements storage.Querier; there is nothing to release.
func (*querier) Close() error { return nil }

// fewIDs is up to how many ids are listed in a statement; above, the statement
// that found them is repeated inside.
const fewIDs = 5000

// Select implements storage.Querier. All samples are loaded before it returns,
// at most Options.MaxSamples of them.
func (q *querier) Select(ctx context.Context, sortSeries bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	ctx, cancel := context.WithTimeout(ctx, q.db.options.ReadTimeout)
	defer cancel()
	mint, maxt, limit := q.mint, q.maxt, 0
	if hints != nil {
		mint, maxt, limit = hints.Start, hints.End, hints.Limit
	}
	if maxt < 0 || mint >= maxTime || maxt < mint {
		return storage.EmptySeriesSet()
	}
	var s selection
	s.during(mint, maxt)
	s.seen(mint, maxt)
	s.match(matchers)
	found := map[uint64]labels.Labels{}
	err := q.db.eachSeries(ctx, s.where.String(), maxReplicas*limit, s.args, func(id uint64, ls labels.Labels) error {
		found[id] = ls
		return nil
	})
	if err != nil {
		return storage.ErrSeriesSet(err)
	}
	if len(found) == 0 {
		return storage.EmptySeriesSet()
	}
	var set []*series
	if hints != nil && hints.Func == "series" {
		// /api/v1/series asks for labels only. Without samples the days in which
		// a series was seen are what is known.
		for _, ls := range found {
			set = append(set, &series{labels: ls})
		}
	} else if set, err = q.load(ctx, found, limit > 0, s, mint, maxt, hints); err != nil {
		return storage.ErrSeriesSet(err)
	}
	return newSeriesSet(set, sortSeries, limit)
}

// maxReplicas of one series are looked for where the number of series is limited.
const maxReplicas = 4

// load reads the samples of the series found.
func (q *querier) load(ctx context.Context, found map[uint64]labels.Labels, limited bool, s selection, mint, maxt int64, hints *storage.SelectHints) ([]*series, error) {
	of := "id IN (SELECT id FROM series " + s.where.String() + ")"
	args := s.args
	if len(found) <= fewIDs || limited {
		ids := make([]uint64, 0, len(found))
		for id := range found {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		of, args = "id IN ("+joinIDs(ids)+")", nil
	}
	var set []*series
	by := make(map[uint64]*series, len(found))
	n := 0
	err := q.db.eachRun(ctx, timeCondition(mint, maxt)+" AND "+of, args, func(id uint64, at []int64, values []float64) error {
		current := by[id]
		if current == nil {
			ls, is := found[id]
			if !is {
				return nil // appeared between the two statements
			}
			current = &series{labels: ls}
			set, by[id] = append(set, current), current
		}
		if n += len(at); n > q.db.options.MaxSamples {
			return fmt.Errorf("%w: the query loads more than %d samples, ask for fewer series or less time", ErrTooMuch, q.db.options.MaxSamples)
		}
		for i, t := range at {
			if k := len(current.times); k == 0 || current.times[k-1] != t { // else it is stored twice
				current.times, current.values = append(current.times, t), append(current.values, values[i])
			}
		}
		return nil
	})
	if err != nil {
		return nil, q.db.wrap(ctx, "reading samples", err)
	}
	return q.older(ctx, set, found, of, args, mint, maxt, hints)
}

// timeCondition selects the samples of [mint, maxt]. The key of the table begins
// with the bucket, of which the server derives nothing from a condition on ts,
// so there is one on each; TestSelectReadsItsHours watches it.
func timeCondition(mint, maxt int64) string {
	mint, maxt = clamp(mint), clamp(maxt)
	const at = "fromUnixTimestamp64Milli(toInt64(%d), 'UTC')"
	return fmt.Sprintf("%s BETWEEN %d AND %d AND ts >= "+at+" AND ts <= "+at, bucket, mint/bucketMillis, maxt/bucketMillis, mint, maxt)
}

// bucket is the first column of the key of samples: the number of the two hours.
const (
	bucket       = "intDiv(toUnixTimestamp(ts), 7200)"
	bucketMillis = 7200 * 1000
)

// LabelValues implements storage.LabelQuerier.
func (q *querier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var s selection
	s.during(q.mint, q.maxt)
	var statement string
	switch {
	case len(matchers) == 0 && name != model.MetricNameLabel:
		s.where.add("name = " + s.param("String", name))
		statement = "SELECT DISTINCT value FROM label_index " + s.where.String()
	default:
		s.seen(q.mint, q.maxt)
		s.match(matchers)
		value := s.label(name)
		s.where.add(value + " != ''")
		statement = "SELECT DISTINCT toString(" + value + ") FROM series " + s.where.String()
	}
	values, err := q.strings(ctx, "reading label values", statement, s.args, hints)
	return values, nil, err
}

// LabelNames implements storage.LabelQuerier.
func (q *querier) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var s selection
	s.during(q.mint, q.maxt)
	s.seen(q.mint, q.maxt)
	s.match(matchers)
	statement := "SELECT DISTINCT arrayJoin(arrayConcat(if(metric = '', [], ['__name__']), arrayFilter(x -> x != '" + replica.Label + "', arrayMap(x -> toString(x), mapKeys(labels))))) FROM series " + s.where.String()
	names, err := q.strings(ctx, "reading label names", statement, s.args, hints)
	return names, nil, err
}

// strings runs a statement that answers one column of text, and sorts it.
func (q *querier) strings(ctx context.Context, doing, statement string, args []any, hints *storage.LabelHints) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, q.db.options.ReadTimeout)
	defer cancel()
	if q.maxt < 0 || q.mint >= maxTime || q.maxt < q.mint {
		return nil, nil
	}
	rows, err := q.db.conn.Query(ctx, statement, args...)
	if err != nil {
		return nil, q.db.wrap(ctx, doing, err)
	}
	var all []string
	err = each(rows, func() error {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		all = append(all, strings.Clone(s))
		return nil
	})
	if err != nil {
		return nil, q.db.wrap(ctx, doing, err)
	}
	slices.Sort(all)
	if hints != nil && hints.Limit > 0 && len(all) > hints.Limit {
		all = all[:hints.Limit]
	}
	return all, nil
}
