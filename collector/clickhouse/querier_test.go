package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// twins are Prometheus's own storage and ours with the same random samples.
func twins(t *testing.T, seed uint64, hours int) (*tsdb.DB, *DB, []labels.Labels) {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.RetentionDuration, options.MinBlockDuration, options.MaxBlockDuration = 0, 1<<40, 1<<40
	theirs, err := tsdb.Open(t.TempDir(), nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	ours := open(t)

	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	var all []labels.Labels
	for range 120 {
		b := labels.NewBuilder(labels.EmptyLabels())
		b.Set(model.MetricNameLabel, pick("up", "down", "node_cpu_seconds_total", "a:b", "it's"))
		for _, name := range []string{"host", "zone", "x", "le"} {
			// An empty value is a label that is not there.
			b.Set(name, pick("", "", "a", "b", "ab", "h1", "h12", "a\nb", "1.5", `a\b`, "a.b", "ä", "\U0001F600", "A", "'; DROP TABLE samples; --"))
		}
		if ls := b.Labels(); !slices.ContainsFunc(all, func(o labels.Labels) bool { return labels.Equal(o, ls) }) {
			all = append(all, ls)
		}
	}
	batch := Batch{Series: all}
	values := append([]float64{math.Float64frombits(value.StaleNaN)}, odd...)
	for ts := base; ts < base+int64(hours)*3600_000; ts += 60_000 {
		appender := theirs.Appender(context.Background())
		for i, ls := range all {
			if r.IntN(3) == 0 {
				continue
			}
			at, v := ts+int64(r.IntN(1000)), values[r.IntN(len(values))]
			if _, err := appender.Append(0, ls, at, v); err != nil {
				t.Fatal(err)
			}
			batch.Ref, batch.Time, batch.Value = append(batch.Ref, uint32(i)), append(batch.Time, at), append(batch.Value, v)
		}
		if err := appender.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := ours.WriteSamples(t.Context(), "all", batch); err != nil {
		t.Fatal(err)
	}
	return theirs, ours, all
}

// selected writes out what a Select gives.
func selected(t *testing.T, from storage.Queryable, mint, maxt int64, hints *storage.SelectHints, ms []*labels.Matcher) map[string][]sample {
	t.Helper()
	q, err := from.Querier(mint, maxt)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	all := map[string][]sample{}
	set := q.Select(t.Context(), true, hints, ms...)
	last := labels.EmptyLabels()
	for set.Next() {
		s := set.At()
		if len(all) > 0 && labels.Compare(last, s.Labels()) >= 0 {
			t.Errorf("%s comes after %s", s.Labels(), last)
		}
		last = s.Labels()
		one := []sample{}
		it := s.Iterator(nil)
		for it.Next() != 0 {
			ts, v := it.At()
			one = append(one, sample{ts, math.Float64bits(v)})
		}
		if len(one) > 0 {
			all[last.String()] = one
		}
	}
	if err := set.Err(); err != nil {
		t.Fatalf("%v: %v", ms, err)
	}
	return all
}

func TestSelectIsPrometheus(t *testing.T) {
	const hours = 7
	theirs, ours, _ := twins(t, 7, hours)
	r := rand.New(rand.NewPCG(8, 1))
	values := []string{"", "a", "b", "h1", "up", "a\nb", `a\b`, "ä", "'; DROP TABLE samples; --", "nothing"}
	patterns := []string{"", ".*", ".+", "a", "a|b", "|a", "a.*", ".*b", "h1.?", "h[0-9]+", "(up|down)", "a.b", "(?i)a", "[^a]", "^a$", "a$|^b", "ä|\U0001F600", "(?i:A)b?", `a\\b`, "up|.*cpu.*", "'.*", "(a|ab)(|c)", `\w+`, `[[:alpha:]]`, `.`}
	names := []string{model.MetricNameLabel, "host", "zone", "x", "le", "absent"}
	compared := 0
	for range 150 {
		// A selector without a matcher that refuses the empty string is not allowed in PromQL.
		ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+")}
		if r.IntN(2) == 0 {
			ms[0] = labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "up")
		}
		for range r.IntN(4) {
			kind, name := labels.MatchType(r.IntN(4)), names[r.IntN(len(names))]
			from := values
			if kind == labels.MatchRegexp || kind == labels.MatchNotRegexp {
				from = patterns
			}
			ms = append(ms, labels.MustNewMatcher(kind, name, from[r.IntN(len(from))]))
		}
		mint := base + int64(r.IntN(hours*3600_000))
		maxt := mint + int64(r.IntN(3*3600_000))
		want := selected(t, theirs, mint, maxt, nil, ms)
		got := selected(t, ours, mint, maxt, nil, ms)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); diff != "" {
			t.Errorf("%v in [%d, %d]: %d series, want %d: %.2000s", ms, mint, maxt, len(got), len(want), diff)
		}
		compared += len(want)
		if t.Failed() {
			break
		}
	}
	if compared < 500 {
		t.Errorf("only %d series compared", compared)
	}
	// Hints narrow the time.
	ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "up")}
	hints := &storage.SelectHints{Start: base + 3600_000, End: base + 7200_000}
	if diff := cmp.Diff(selected(t, theirs, base, base+hours*3600_000, hints, ms), selected(t, ours, base, base+hours*3600_000, hints, ms), cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("with hints: %s", diff)
	}
}

func TestLabelsArePrometheus(t *testing.T) {
	theirs, ours, all := twins(t, 9, 1)
	ask := func(from storage.Queryable, name string, ms ...*labels.Matcher) (answer []string) {
		t.Helper()
		q, err := from.Querier(base, base+3600_000)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if name == "" {
			answer, _, err = q.LabelNames(t.Context(), nil, ms...)
		} else {
			answer, _, err = q.LabelValues(t.Context(), name, nil, ms...)
		}
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(answer)
	}
	for _, name := range []string{"", model.MetricNameLabel, "host", "x", "absent"} {
		for _, ms := range [][]*labels.Matcher{
			nil,
			{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "up")},
			{labels.MustNewMatcher(labels.MatchEqual, "host", "a")},
			{labels.MustNewMatcher(labels.MatchRegexp, "host", "a.*"), labels.MustNewMatcher(labels.MatchEqual, "zone", "")},
			{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "nothing")},
		} {
			want, got := ask(theirs, name, ms...), ask(ours, name, ms...)
			if len(want)+len(got) > 0 && !slices.Equal(want, got) {
				t.Errorf("%q %v: %q, want %q", name, ms, got, want)
			}
		}
	}
	// Outside of the time there is nothing.
	q, err := ours.Querier(base-10*dayMillis, base-9*dayMillis)
	if err != nil {
		t.Fatal(err)
	}
	if names, _, err := q.LabelNames(t.Context(), nil); err != nil || len(names) != 0 {
		t.Errorf("names of other days: %q %v", names, err)
	}
	// "series" wants labels only; the whole of time may be asked for.
	q, err = ours.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(t.Context(), true, &storage.SelectHints{Start: math.MinInt64, End: math.MaxInt64, Func: "series"}, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+"))
	n := 0
	for set.Next() {
		n++
	}
	if set.Err() != nil || n != len(all) {
		t.Errorf("%d series, want %d: %v", n, len(all), set.Err())
	}
}

func TestSelectLimits(t *testing.T) {
	_, ours, _ := twins(t, 11, 1)
	everything := labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+")
	q, err := ours.Querier(base, base+3600_000)
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(t.Context(), false, &storage.SelectHints{Start: base, End: base + 3600_000, Limit: 3}, everything)
	n := 0
	for set.Next() {
		n++
	}
	if n != 3 || set.Err() != nil {
		t.Errorf("limit 3: %d series, %v", n, set.Err())
	}
	ours.options.MaxSamples = 100
	set = q.Select(t.Context(), false, nil, everything)
	if set.Next() || !errors.Is(set.Err(), ErrTooMuch) {
		t.Errorf("over the limit of samples: %v", set.Err())
	}
	ours.options.MaxSamples = 1 << 40
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if set := q.Select(ctx, false, nil, everything); set.Next() || !errors.Is(set.Err(), context.Canceled) {
		t.Errorf("cancelled: %v", set.Err())
	}
}

func TestIterator(t *testing.T) {
	s := &series{times: []int64{10, 20, 30, 40}, values: []float64{1, 2, 3, 4}}
	it := s.Iterator(nil)
	for _, c := range []struct{ seek, want int64 }{{-5, 10}, {10, 10}, {15, 20}, {12, 20}, {40, 40}, {41, 0}, {1, 0}} {
		var got int64
		if it.Seek(c.seek) != 0 {
			got = it.AtT()
		}
		if got != c.want {
			t.Errorf("seek %d: at %d, want %d", c.seek, got, c.want)
		}
	}
	if it.Next() != 0 {
		t.Error("next after the end")
	}
	it = s.Iterator(it)
	n := 0
	for it.Next() != 0 {
		n++
	}
	if n != 4 || it.Next() != 0 {
		t.Errorf("%d samples", n)
	}
	m := merge(&series{times: []int64{1, 3, 5}, values: []float64{1, 3, 5}}, &series{times: []int64{2, 3, 9}, values: []float64{20, 30, 90}})
	if fmt.Sprint(m.times, m.values) != "[1 2 3 5 9] [1 20 30 5 90]" {
		t.Errorf("merged: %v %v", m.times, m.values)
	}
}

// The samples of two hours must not be found by reading all of them.
func TestSelectReadsItsHours(t *testing.T) {
	db := open(t)
	const times = 100
	b := Batch{}
	for i := range 200 {
		b.Series = append(b.Series, series1("m", "i", fmt.Sprint(i)))
		for k := range times {
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, base+int64(k)*36*60_000), append(b.Value, 1)
		}
	}
	if err := db.WriteSamples(t.Context(), "t", b); err != nil {
		t.Fatal(err)
	}
	rows, err := db.conn.Query(t.Context(), "EXPLAIN indexes = 1 SELECT id, ts, v, e FROM samples WHERE "+timeCondition(base+bucketMillis, base+2*bucketMillis-1)+" AND id IN (1, 2)")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if err := each(rows, func() error {
		var line string
		err := rows.Scan(&line)
		lines = append(lines, strings.TrimSpace(line))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if plan := strings.Join(lines, " "); !strings.Contains(plan, "PrimaryKey Keys: intDiv(toUnixTimestamp(ts), 7200) id ts") {
		t.Errorf("the key's bucket is not used:\n%s", strings.Join(lines, "\n"))
	}
}

// TestSelectFromTheBeginningOfTime asks without a lower bound, as /api/v1/series
// and remote read do.
func TestSelectFromTheBeginningOfTime(t *testing.T) {
	db := open(t)
	series := labels.FromStrings(model.MetricNameLabel, "m")
	now := time.Now().UnixMilli()
	if err := db.WriteSamples(t.Context(), "t", Batch{Series: []labels.Labels{series}, Ref: []uint32{0, 0}, Time: []int64{now - 1000, now}, Value: []float64{1, 2}}); err != nil {
		t.Fatal(err)
	}
	for _, mint := range []int64{math.MinInt64, 0, 1, 345_600_000, now - 2000} {
		q, err := db.Querier(mint, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m"))
		samples := 0
		for set.Next() {
			for it := set.At().Iterator(nil); it.Next() != chunkenc.ValNone; {
				samples++
			}
		}
		if set.Err() != nil || samples != 2 {
			t.Errorf("from %d: %d samples, %v", mint, samples, set.Err())
		}
	}
}
