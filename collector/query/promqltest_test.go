package query_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded/embeddedtest"
	"mcloud/collector/query"
)

// Prometheus's own scripts run against our storage three ways. What the long-term
// store does not keep is excused by number: such a query is compared with Prometheus's
// answer over the same samples, and the number of those that differ is asserted, so
// that it neither grows nor shrinks unseen. All others have to give what the script says.
func TestPrometheusScripts(t *testing.T) {
	for _, way := range []struct {
		name string
		split
		pushDown bool
		// Queries (an eval is up to eight: as it is, with @, and as a range) that differ
		// because the hot TSDB runs without start timestamps, as Prometheus does by
		// default, and those that differ because of native histograms.
		startTimestamps, histograms int64
	}{
		{"hot", allHot, false, 100, 0},
		{"long term", allLong, false, 100, 8741},
		{"split", inTheMiddle, true, 100, 4658},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
			j := &judge{theirs: engine, ours: engine}
			if way.pushDown {
				j.ours = &query.PushDown{QueryEngine: engine, Parser: parser.NewParser(promqltest.TestParserOpts), MinStep: 1, DelayedNames: true}
			}
			// Scripts begin in 1970, and the tables' times end in 2106.
			tables := newTables(t, 45_000*24*time.Hour)
			promqltest.RunBuiltinTestsWithStorage(t, j, func(t testing.TB) storage.Storage { return newScripted(t, way.split, tables) })
			t.Logf("%d queries, %d over native histograms, %d over start timestamps", j.queries.Load(), j.overHistograms.Load(), j.overStarts.Load())
			if n := j.histograms.Load(); n != way.histograms {
				t.Errorf("%d queries differ because of native histograms, want %d", n, way.histograms)
			}
			if n := j.startTimestamps.Load(); n != way.startTimestamps {
				t.Errorf("%d queries differ because of start timestamps, want %d", n, way.startTimestamps)
			}
		})
	}
}

// split says which samples of a script go to the long-term store; the others stay hot.
type split int

const (
	allHot split = iota
	allLong
	inTheMiddle
)

// tables is one database for all scripts of a run, emptied for each storage: making
// one takes longer than most scripts.
type tables struct {
	place     embeddedtest.Place
	retention time.Duration
	replica   string
	now       func() time.Time
	registry  *prometheus.Registry // of what opens them next; nil for none
	// gatherFrom is clickhouse.Options'.
	gatherFrom time.Duration
}

func newTables(t testing.TB, retention time.Duration) *tables {
	t.Helper()
	s := &tables{retention: retention}
	s.place = embeddedtest.Anywhere(t)
	db := s.open(t)
	if err := errors.Join(db.Migrate(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *tables) open(t testing.TB) *clickhouse.DB {
	t.Helper()
	o := clickhouse.Options{URL: s.place.URL, Database: s.place.Database, User: s.place.User, Password: s.place.Password, CAFile: s.place.CAFile, Cluster: s.place.Cluster,
		Replica: s.replica, Retention: clickhouse.Retention{Ages: clickhouse.Ages{Raw: s.retention, FiveMinutes: clickhouse.Forever}}, Now: s.now, GatherFrom: s.gatherFrom}
	if s.registry != nil {
		o.Registerer = s.registry
	}
	db, err := clickhouse.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func (s *tables) empty(t testing.TB) *clickhouse.DB {
	t.Helper()
	for _, table := range []string{"samples", "series", "label_index"} {
		if _, err := embeddedtest.Query(s.place.URL, "TRUNCATE TABLE "+s.place.Database+"."+table); err != nil {
			t.Fatal(err)
		}
	}
	return s.open(t)
}

// scripted is a storage.Storage of three: Prometheus's own with everything, and what
// the collector uses, of which each sample is in one half.
type scripted struct {
	storage.SampleAndChunkQueryable // over hot and long
	t                               testing.TB
	split                           split
	everything, hot                 *tsdb.DB
	long                            *clickhouse.DB // nil when all is hot
	from                            int64          // of the hot half
	batches                         int
	asked                           map[string][]storage.Series // since the last samples
}

func newScripted(t testing.TB, how split, tables *tables) *scripted {
	t.Helper()
	s := &scripted{t: t, split: how, from: math.MinInt64}
	options := func() *tsdb.Options {
		o := tsdb.DefaultOptions()
		// A script's samples lie days apart.
		o.MinBlockDuration, o.MaxBlockDuration, o.RetentionDuration = 24*3600_000, 24*3600_000, 0
		return o
	}
	all := options()
	all.EnableSTStorage, all.FloatChunkEncoding, all.EnableHistogramSTEncoding = true, chunkenc.EncXOR2, true
	s.everything = openTSDB(t, all)
	s.hot = openTSDB(t, options())
	o := query.Options{Hot: s.hot}
	if how != allHot {
		s.long = tables.empty(t)
		s.asked = map[string][]storage.Series{}
		o.LongTerm, o.Evaluator = remembering{s}, s.long
	}
	var err error
	if s.SampleAndChunkQueryable, err = query.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

func openTSDB(t testing.TB, o *tsdb.Options) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func (s *scripted) StartTime() (int64, error) { return s.everything.StartTime() }

func (s *scripted) Close() error {
	for _, c := range []interface{ Close() error }{s.everything, s.hot} {
		if err := c.Close(); err != nil {
			return err
		}
	}
	if s.long != nil {
		return s.long.Close()
	}
	return nil
}

func (s *scripted) Appender(context.Context) storage.Appender { panic("scripts use AppenderV2") }

func (s *scripted) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &scriptedAppender{s: s, AppenderV2: s.everything.AppenderV2(ctx), ctx: ctx}
}

type scriptedAppender struct {
	storage.AppenderV2 // of everything
	ctx                context.Context
	s                  *scripted
	samples            []scriptedSample
}

type scriptedSample struct {
	labels labels.Labels
	start  int64
	at     int64
	value  float64
	h      *histogram.Histogram
	fh     *histogram.FloatHistogram
}

func (a *scriptedAppender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AppendV2Options) (storage.SeriesRef, error) {
	x := scriptedSample{labels: ls, start: st, at: t, value: v}
	switch {
	case h != nil:
		x.h = h.Copy()
	case fh != nil:
		x.fh = fh.Copy()
	}
	a.samples = append(a.samples, x)
	return a.AppenderV2.Append(ref, ls, st, t, v, h, fh, o)
}

func (a *scriptedAppender) Commit() error {
	if err := a.AppenderV2.Commit(); err != nil {
		return err
	}
	s := a.s
	if s.from == math.MinInt64 && len(a.samples) > 0 {
		first, last := int64(math.MaxInt64), int64(math.MinInt64)
		for _, x := range a.samples {
			first, last = min(first, x.at), max(last, x.at)
		}
		s.from = map[split]int64{allHot: math.MinInt64 + 1, allLong: math.MaxInt64, inTheMiddle: (first+last)/2 + 1}[s.split]
	}
	hot := s.hot.AppenderV2(a.ctx)
	var long clickhouse.Batch
	for _, x := range a.samples {
		if x.at >= s.from {
			if _, err := hot.Append(0, x.labels, x.start, x.at, x.value, x.h, x.fh, storage.AppendV2Options{}); err != nil {
				return err
			}
			continue
		}
		if x.h != nil || x.fh != nil {
			continue // not stored
		}
		long.Series = append(long.Series, x.labels)
		long.Ref = append(long.Ref, uint32(len(long.Series)-1))
		long.Time, long.Value = append(long.Time, x.at), append(long.Value, x.value)
	}
	if err := hot.Commit(); err != nil {
		return err
	}
	if s.long == nil || len(long.Ref) == 0 {
		return nil
	}
	s.batches++
	clear(s.asked)
	return s.long.WriteSamples(a.ctx, fmt.Sprint(s.batches, time.Now().UnixNano()), long)
}

// remembering asks the store each question once. A script asks the same again and
// again: promqltest repeats each eval with @ in several places.
type remembering struct{ *scripted }

func (r remembering) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := r.long.Querier(mint, maxt)
	return rememberingQuerier{q, r, mint, maxt}, err
}

type rememberingQuerier struct {
	storage.Querier
	r          remembering
	mint, maxt int64
}

func (q rememberingQuerier) Select(ctx context.Context, sorted bool, h *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if h != nil {
		mint, maxt = h.Start, h.End
	}
	question := fmt.Sprint(mint, maxt, ms)
	answer, known := q.r.asked[question]
	if !known {
		set := q.Querier.Select(ctx, true, h, ms...)
		for set.Next() {
			answer = append(answer, set.At())
		}
		if set.Err() != nil {
			return set
		}
		q.r.asked[question] = answer
	}
	return &listSet{list: answer}
}

// judge is an engine that looks at what a query read.
type judge struct {
	ours, theirs                        promql.QueryEngine
	queries, overHistograms, overStarts atomic.Int64
	histograms, startTimestamps         atomic.Int64 // that differ
}

func (j *judge) NewInstantQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, at time.Time) (promql.Query, error) {
	return j.judged(q, func(e promql.QueryEngine, q storage.Queryable) (promql.Query, error) {
		return e.NewInstantQuery(ctx, q, o, expr, at)
	})
}

func (j *judge) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, start, end time.Time, step time.Duration) (promql.Query, error) {
	return j.judged(q, func(e promql.QueryEngine, q storage.Queryable) (promql.Query, error) {
		return e.NewRangeQuery(ctx, q, o, expr, start, end, step)
	})
}

func (j *judge) judged(q storage.Queryable, make func(promql.QueryEngine, storage.Queryable) (promql.Query, error)) (promql.Query, error) {
	ours, err := make(j.ours, q.(*scripted).SampleAndChunkQueryable)
	if err != nil {
		return nil, err
	}
	seen := &noticing{Queryable: q.(*scripted).everything}
	theirs, err := make(j.theirs, seen)
	if err != nil {
		return nil, err
	}
	return &judgedQuery{Query: ours, judge: j, theirs: theirs, seen: seen}, nil
}

type judgedQuery struct {
	promql.Query
	judge  *judge
	theirs promql.Query
	seen   *noticing
}

func (q *judgedQuery) Close() { q.Query.Close(); q.theirs.Close() }

func (q *judgedQuery) Exec(ctx context.Context) *promql.Result {
	ours, theirs := q.Query.Exec(ctx), q.theirs.Exec(ctx)
	q.judge.queries.Add(1)
	histograms, starts := q.seen.histograms.Load(), q.seen.starts.Load()
	if histograms {
		q.judge.overHistograms.Add(1)
	}
	if starts {
		q.judge.overStarts.Add(1)
	}
	if !histograms && !starts || same(ours, theirs) {
		return ours
	}
	if starts {
		q.judge.startTimestamps.Add(1)
	} else {
		q.judge.histograms.Add(1)
	}
	return theirs
}

func same(a, b *promql.Result) bool {
	if a.Err != nil || b.Err != nil {
		return a.Err != nil && b.Err != nil
	}
	if len(a.Warnings) != len(b.Warnings) {
		return false
	}
	for text := range a.Warnings {
		if _, is := b.Warnings[text]; !is {
			return false
		}
	}
	return lines(a.Value) == lines(b.Value)
}

// lines is a value with its series in one order: an instant vector has none.
func lines(v parser.Value) string {
	all := strings.Split(v.String(), "\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// noticing notes which kinds of samples were read.
type noticing struct {
	storage.Queryable
	histograms, starts atomic.Bool
}

func (n *noticing) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := n.Queryable.Querier(mint, maxt)
	return &noticingQuerier{q, n}, err
}

type noticingQuerier struct {
	storage.Querier
	n *noticing
}

func (q *noticingQuerier) Select(ctx context.Context, sorted bool, h *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	// A set of its own: iterators that the engine holds are not to be moved.
	for set := q.Querier.Select(ctx, false, h, ms...); set.Next(); {
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind != chunkenc.ValFloat {
				q.n.histograms.Store(true)
			}
			if it.AtST() != 0 {
				q.n.starts.Store(true)
			}
		}
	}
	return q.Querier.Select(ctx, sorted, h, ms...)
}
