package query_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"go.uber.org/goleak"

	"mcloud/collector/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The long term has every ten seconds of [0, 1000], the TSDB from 500 s on: both have
// the same samples where they overlap.
const start = 500_000

func hot(t *testing.T) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	app := db.Appender(context.Background())
	for at := int64(start); at <= 1_000_000; at += 10_000 {
		for _, name := range []string{"a", "hot_only"} {
			if _, err := app.Append(0, labels.FromStrings("__name__", name, "x", "1"), at, float64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

// longTerm is a store in memory that notes what it is asked.
type longTerm struct {
	asked   []string
	err     error // from Querier
	setErr  error // from the set, after the first series
	hang    bool
	warning error
	closed  int
}

func (l *longTerm) Querier(mint, maxt int64) (storage.Querier, error) {
	if l.err != nil {
		return nil, l.err
	}
	return &longQuerier{l: l, mint: mint, maxt: maxt}, nil
}

type longQuerier struct {
	storage.Querier
	l          *longTerm
	mint, maxt int64
}

func (q *longQuerier) Close() error { q.l.closed++; return nil }

func (q *longQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	q.l.asked = append(q.l.asked, fmt.Sprintf("%d..%d", mint, maxt))
	if q.l.hang {
		<-ctx.Done()
		return storage.ErrSeriesSet(ctx.Err())
	}
	if !sorted {
		return storage.ErrSeriesSet(errors.New("asked for unsorted series, which cannot be merged"))
	}
	var list []storage.Series
	for _, name := range []string{"a", "long_only"} {
		l := labels.FromStrings("__name__", name, "x", "1")
		if slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) }) {
			continue
		}
		var samples []chunks.Sample
		for at := int64(0); at <= 1_000_000; at += 10_000 {
			if at >= mint && at <= maxt {
				samples = append(samples, sample{at, float64(at)})
			}
		}
		list = append(list, storage.NewListSeries(l, samples))
	}
	return &listSet{list: list, err: q.l.setErr, warning: q.l.warning}
}

func (q *longQuerier) LabelValues(ctx context.Context, _ string, _ *storage.LabelHints, _ ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	q.l.asked = append(q.l.asked, fmt.Sprintf("%d..%d", q.mint, q.maxt))
	if q.l.hang {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	return []string{"a", "long_only"}, nil, nil
}

type listSet struct {
	list    []storage.Series
	at      int
	err     error
	warning error
}

func (s *listSet) Next() bool {
	if s.at >= len(s.list) || s.err != nil && s.at == 1 {
		return false
	}
	s.at++
	return true
}
func (s *listSet) At() storage.Series { return s.list[s.at-1] }
func (s *listSet) Err() error         { return s.err }
func (s *listSet) Warnings() annotations.Annotations {
	if s.warning == nil {
		return nil
	}
	return annotations.New().Add(s.warning)
}

type sample struct {
	t int64
	v float64
}

func (s sample) ST() int64                   { return 0 }
func (s sample) T() int64                    { return s.t }
func (s sample) F() float64                  { return s.v }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }

func times(t *testing.T, s storage.Series) []int64 {
	t.Helper()
	var out []int64
	it := s.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		at, v := it.At()
		if v != float64(at) {
			t.Errorf("sample at %d has value %v", at, v)
		}
		out = append(out, at)
	}
	if err := it.Err(); err != nil {
		t.Error(err)
	}
	return out
}

func queryable(t *testing.T, l *longTerm, change ...func(*query.Options)) *query.Queryable {
	t.Helper()
	o := query.Options{Hot: hot(t), LongTerm: l, Timeout: 100 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	q, err := query.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Where the range begins decides who is asked; samples come once, whatever overlaps.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name       string
		mint, maxt int64
		asked      []string
		samples    int
	}{
		{"wholly hot", start, 1_000_000, nil, 51},
		{"begins with the hot", start, start, nil, 1},
		{"one millisecond earlier", start - 1, 1_000_000, []string{"499999..499999"}, 51},
		{"one sample earlier", start - 10_000, 1_000_000, []string{"490000..499999"}, 52},
		{"wholly long", 0, 400_000, []string{"0..400000"}, 41},
		{"all", 0, 1_000_000, []string{"0..499999"}, 101},
		{"no bounds", math.MinInt64, math.MaxInt64, []string{fmt.Sprint(math.MinInt64, "..499999")}, 101},
		{"ends where the hot begins", 0, start, []string{"0..499999"}, 51},
	} {
		for _, hinted := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " hints=", hinted), func(t *testing.T) {
				l := &longTerm{}
				querier, err := queryable(t, l).Querier(c.mint, c.maxt)
				if err != nil {
					t.Fatal(err)
				}
				var hints *storage.SelectHints
				if hinted {
					hints = &storage.SelectHints{Start: c.mint, End: c.maxt}
				}
				set := querier.Select(context.Background(), false, hints, labels.MustNewMatcher(labels.MatchEqual, "__name__", "a"))
				var got []int64
				for set.Next() {
					got = append(got, times(t, set.At())...)
				}
				if set.Err() != nil || len(set.Warnings()) > 0 {
					t.Errorf("err %v, warnings %v", set.Err(), set.Warnings())
				}
				if len(got) != c.samples || !slices.IsSorted(got) || len(slices.Compact(got)) != c.samples {
					t.Errorf("got %d samples %v, want %d", len(got), got, c.samples)
				}
				if !slices.Equal(l.asked, c.asked) {
					t.Errorf("the store was asked %v, want %v", l.asked, c.asked)
				}
				if err := querier.Close(); err != nil {
					t.Error(err)
				}
				if l.closed != len(c.asked) {
					t.Errorf("%d queriers closed of %d", l.closed, len(c.asked))
				}
			})
		}
	}
}

// What the store said of the time just before the hot storage serves the next questions of it.
func TestRecentAnswersServeAgain(t *testing.T) {
	l, now := &longTerm{}, time.UnixMilli(start)
	q := queryable(t, l, func(o *query.Options) {
		o.Recent, o.Now = 5*time.Minute, func() time.Time { return now }
	})
	ask := func(mint, maxt int64, name string) []int64 {
		t.Helper()
		querier, err := q.Querier(mint, maxt)
		if err != nil {
			t.Fatal(err)
		}
		defer querier.Close()
		set := querier.Select(context.Background(), true, &storage.SelectHints{Start: mint, End: maxt, Func: "rate"}, labels.MustNewMatcher(labels.MatchEqual, "__name__", name))
		var got []int64
		for set.Next() {
			got = append(got, times(t, set.At())...)
		}
		if set.Err() != nil {
			t.Error(set.Err())
		}
		return got
	}
	for i, step := range []struct {
		after time.Duration // since the hot storage began
		mint  int64
		name  string
		first int64 // sample
		asked string
	}{
		{15 * time.Second, 405_000, "a", 410_000, "300000..499999"}, // from the last five minutes' mark on
		{16 * time.Second, 406_000, "a", 410_000, ""},
		{20 * time.Second, 310_000, "a", 310_000, ""},
		{20 * time.Second, 495_000, "a", 500_000, ""},
		{20 * time.Second, 410_000, "long_only", 410_000, "300000..499999"},
		{20 * time.Second, 250_000, "a", 250_000, "0..499999"}, // further back
		{21 * time.Second, 405_000, "a", 410_000, ""},
		{45 * time.Second, 405_000, "a", 410_000, "300000..499999"}, // asked again: others' samples arrive
		{80 * time.Second, 405_000, "a", 410_000, ""},
		{85 * time.Second, 100_000, "a", 100_000, "100000..499999"}, // too far back to be kept
		{86 * time.Second, 100_000, "a", 100_000, "100000..499999"},
	} {
		now, l.asked = time.UnixMilli(start).Add(step.after), nil
		got := ask(step.mint, 1_000_000, step.name)
		if len(got) == 0 || got[0] != step.first || !slices.IsSorted(got) || len(slices.Compact(got)) != len(got) {
			t.Errorf("%d: samples %v, want them from %d on", i, got, step.first)
		}
		if asked := strings.Join(l.asked, " "); asked != step.asked {
			t.Errorf("%d: the store was asked %q, want %q", i, asked, step.asked)
		}
	}

	// What came with an error or a warning is not the whole answer.
	now = time.UnixMilli(start).Add(10 * time.Minute)
	for _, broken := range []*longTerm{{setErr: errors.New("broken pipe")}, {warning: errors.New("half of it")}} {
		*l = *broken
		ask(405_000, 1_000_000, "a")
		*l = longTerm{}
		if ask(405_000, 1_000_000, "a"); len(l.asked) != 1 {
			t.Errorf("after %+v the store was asked %v", broken, l.asked)
		}
		now = now.Add(10 * time.Minute)
	}
}

// A long query whose selector looks at the last minutes only does not ask the store.
func TestSelectorWithinTheHotPartOfALongQuery(t *testing.T) {
	l := &longTerm{}
	querier, err := queryable(t, l).Querier(0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	set := querier.Select(context.Background(), true, &storage.SelectHints{Start: 600_000, End: 1_000_000}, labels.MustNewMatcher(labels.MatchEqual, "__name__", "a"))
	if !set.Next() || len(times(t, set.At())) != 41 {
		t.Error("not the 41 samples of the hot part")
	}
	if len(l.asked) > 0 {
		t.Errorf("the store was asked %v", l.asked)
	}
}

func TestStoreAway(t *testing.T) {
	refused := &longTerm{err: timeoutError{"connection refused"}}
	for name, l := range map[string]*longTerm{
		"refuses": refused, "hangs": {hang: true}, "breaks off": {setErr: errors.New("broken pipe")},
	} {
		t.Run(name, func(t *testing.T) {
			q := queryable(t, l)
			engine := newEngine(t)
			instant := func(expr string, at int64) (int, annotations.Annotations, time.Duration) {
				t.Helper()
				started := time.Now()
				query, err := engine.NewInstantQuery(context.Background(), q, nil, expr, time.UnixMilli(at))
				if err != nil {
					t.Fatal(err)
				}
				defer query.Close()
				res := query.Exec(context.Background())
				if res.Err != nil {
					t.Fatalf("%s: %v", expr, res.Err)
				}
				v, err := res.Vector()
				if err != nil {
					t.Fatal(err)
				}
				return len(v), res.Warnings, time.Since(started)
			}
			if n, w, _ := instant(`hot_only`, 1_000_000); n != 1 || len(w) > 0 {
				t.Errorf("hot query: %d series, warnings %v; want it whole and without a warning", n, w)
			}
			n, w, took := instant(`count_over_time(hot_only[15m])`, 1_000_000)
			if n != 1 || len(w) == 0 {
				t.Errorf("long query: %d series, warnings %v; want the hot part and a warning", n, w)
			}
			for _, err := range w {
				if !strings.Contains(err.Error(), "1970-01-01T00:08:20Z") {
					t.Errorf("warning %q does not name the missing time", err)
				}
			}
			if took > 2*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// After one timeout the next queries do not wait at all; after the pause the store is
// asked again.
func TestHangingStoreIsLeftAlone(t *testing.T) {
	l := &longTerm{hang: true}
	now := time.Unix(1000, 0)
	q := queryable(t, l, func(o *query.Options) { o.Pause = 10 * time.Second; o.Now = func() time.Time { return now } })
	ask := func() error {
		querier, err := q.Querier(0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		defer querier.Close()
		_, w, err := querier.LabelValues(context.Background(), "__name__", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range w {
			return err
		}
		return nil
	}
	for range 5 {
		if ask() == nil {
			t.Error("no warning")
		}
	}
	if len(l.asked) != 1 {
		t.Errorf("a store that hangs was asked %d times", len(l.asked))
	}
	l.hang = false
	now = now.Add(11 * time.Second)
	for range 2 {
		if err := ask(); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	}
	if len(l.asked) != 3 {
		t.Errorf("asked %d times, want 3", len(l.asked))
	}
}

// A question that the store does not like says nothing about the store.
func TestBadQuestionDoesNotPauseTheStore(t *testing.T) {
	l := &longTerm{err: errors.New("too many rows")}
	q := queryable(t, l)
	for range 3 {
		querier, err := q.Querier(0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		set := querier.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "a"))
		for set.Next() {
		}
		if w := fmt.Sprint(set.Warnings()); !strings.Contains(w, "too many rows") || strings.Contains(w, "not asked") {
			t.Errorf("warnings %s", w)
		}
		if err := querier.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabelsOfBoth(t *testing.T) {
	l := &longTerm{}
	querier, err := queryable(t, l).Querier(0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	got, w, err := querier.LabelValues(context.Background(), "__name__", nil)
	if want := []string{"a", "hot_only", "long_only"}; err != nil || len(w) > 0 || !slices.Equal(got, want) {
		t.Errorf("got %v %v %v, want %v", got, w, err, want)
	}
	if got, _, _ := querier.LabelValues(context.Background(), "__name__", &storage.LabelHints{Limit: 2}); len(got) != 2 {
		t.Errorf("limit 2 gave %v", got)
	}
}

func TestRemoteReadGetsBothParts(t *testing.T) {
	querier, err := queryable(t, &longTerm{}).ChunkQuerier(0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	set := storage.NewSeriesSetFromChunkSeriesSet(querier.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "a")))
	if !set.Next() || len(times(t, set.At())) != 101 {
		t.Error("not all samples")
	}
}

func TestRulesWaitLess(t *testing.T) {
	l := &longTerm{hang: true}
	q := queryable(t, l, func(o *query.Options) { o.Timeout = time.Hour }).WithTimeout(20 * time.Millisecond)
	querier, err := q.Querier(0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	started := time.Now()
	if _, w, err := querier.LabelValues(context.Background(), "__name__", nil); err != nil || len(w) != 1 {
		t.Errorf("warnings %v, err %v", w, err)
	}
	if d := time.Since(started); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
}

type timeoutError struct{ string }

func (e timeoutError) Error() string { return e.string }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

func newEngine(t *testing.T) *promql.Engine {
	t.Helper()
	e, err := query.NewEngine(t.TempDir(), query.Limits{}, parser.NewParser(parser.Options{}), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}
