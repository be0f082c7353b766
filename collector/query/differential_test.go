package query_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/clickhouse"
	"mcloud/collector/query"
)

// TestDifferential asks random queries of Prometheus's own storage and of ours, with the
// same random samples, and wants the same answers to 1e-9, with push-down and without.
// MCLOUD_QUERIES sets how many (make test-query: 1,000), MCLOUD_SEED where they begin.
func TestDifferential(t *testing.T) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	n, seed := number("MCLOUD_QUERIES", 120), uint64(number("MCLOUD_SEED", 1))
	d := newDifferential(t, rand.New(rand.NewPCG(seed, 1)))
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 2))}
	values, failed := 0, 0
	for i := range n {
		expr, steps := g.expression(3), g.steps()
		want := d.ask(t, d.plain, d.theirs, expr, steps)
		values += want.values
		for _, way := range []struct {
			name   string
			engine promql.QueryEngine
			from   storage.Queryable
		}{{"without push-down", d.plain, d.ours}, {"with push-down", d.pushing, d.ours}, {"with push-down, all gathered in the store", d.pushing, d.gathering}} {
			got := d.ask(t, way.engine, way.from, expr, steps)
			if diff := want.differs(got); diff != "" {
				failed++
				t.Errorf("query %d of seed %d, %s: %s\n\t%s\n\t%s", i, seed, way.name, steps, expr, diff)
			}
		}
		if failed > 10 {
			t.Fatal("and so on")
		}
	}
	counts := d.counters(t)
	t.Logf("%d queries, %d values, %v", n, values, counts)
	if values < 20*n || counts["mcloud_query_pushdown_queries_total"] < n/20 {
		t.Errorf("the queries find too little: %d values, %v", values, counts)
	}
	if n := counts["mcloud_query_pushdown_fallbacks_total error"] + counts["mcloud_query_pushdown_fallbacks_total store away"]; n > 0 {
		t.Errorf("the store failed %d times", n)
	}
	for _, table := range []string{"samples", "rollup_5m", "rollup_1h"} {
		if counts["mcloud_store_over_time_total "+table] == 0 {
			t.Errorf("no query was computed from %s", table)
		}
	}
}

// counters are those of the registry, with their label's value.
func (d *differential) counters(t *testing.T) map[string]int {
	t.Helper()
	families, err := d.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if c := m.GetCounter(); c != nil && c.GetValue() > 0 && (strings.Contains(name, "pushdown") || strings.Contains(name, "over_time")) {
				all[name] = int(c.GetValue())
			}
		}
	}
	return all
}

// The samples lie in [begin, finish]; the hot storage has those from hotFrom on.
const (
	begin   = int64(1_762_128_000_000) // 2025-11-03T00:00:00Z
	finish  = begin + 12*3600_000
	hotFrom = begin + 9*3600_000 + 1234
)

type differential struct {
	theirs         storage.Queryable
	ours           *query.Queryable
	gathering      *query.Queryable // no samples are sent to it
	plain, pushing promql.QueryEngine
	registry       *prometheus.Registry
}

func newDifferential(t *testing.T, r *rand.Rand) *differential {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.MinBlockDuration, options.MaxBlockDuration, options.RetentionDuration = 1<<40, 1<<40, 0
	theirs, hot := openTSDB(t, options), openTSDB(t, options)
	t.Cleanup(func() { _ = theirs.Close(); _ = hot.Close() })
	tables := newTables(t, 10*365*24*time.Hour)
	tables.now = func() time.Time { return time.UnixMilli(begin + 6*3600_000 + 1200_000) }
	registry := prometheus.NewRegistry()
	tables.registry = registry
	long := tables.open(t)
	t.Cleanup(func() { _ = long.Close() })
	tables.registry, tables.gatherFrom = nil, time.Millisecond
	gathering := tables.open(t)
	t.Cleanup(func() { _ = gathering.Close() })

	everything, recent := theirs.Appender(context.Background()), hot.Appender(context.Background())
	var batch clickhouse.Batch
	for i, s := range randomSeries(r) {
		batch.Series = append(batch.Series, s.labels)
		for _, p := range s.points {
			if _, err := everything.Append(0, s.labels, p.T, p.F); err != nil {
				t.Fatal(err)
			}
			if p.T >= hotFrom {
				if _, err := recent.Append(0, s.labels, p.T, p.F); err != nil {
					t.Fatal(err)
				}
				continue
			}
			batch.Ref, batch.Time, batch.Value = append(batch.Ref, uint32(i)), append(batch.Time, p.T), append(batch.Value, p.F)
		}
	}
	if err := everything.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := recent.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := long.WriteSamples(t.Context(), "all", batch); err != nil {
		t.Fatal(err)
	}
	// Of the nine hours, six are in the rollups.
	if _, err := long.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := &differential{theirs: theirs, registry: registry}
	var err error
	if d.gathering, err = query.New(query.Options{Hot: hot, LongTerm: gathering, Evaluator: gathering}); err != nil {
		t.Fatal(err)
	}
	if d.ours, err = query.New(query.Options{Hot: hot, LongTerm: long, Evaluator: long, Registerer: d.registry}); err != nil {
		t.Fatal(err)
	}
	p := parser.NewParser(parser.Options{})
	engine, err := query.NewEngine(t.TempDir(), query.Limits{}, p, func(int64) int64 { return 60_000 }, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	d.plain, d.pushing = engine, &query.PushDown{QueryEngine: engine, Parser: p, MinStep: 1}
	return d
}

type randomOne struct {
	labels labels.Labels
	points []promql.FPoint
}

// randomSeries are counters and gauges with what goes wrong in life: gaps, resets,
// instances that go (with a stale marker or without) and others that come, NaN and
// infinities, jitter.
func randomSeries(r *rand.Rand) []randomOne {
	var all []randomOne
	one := func(name string, interval, from, to int64, next func(at int64) float64, more ...string) {
		s := randomOne{labels: labels.FromStrings(append([]string{"__name__", name}, more...)...)}
		jitter := r.IntN(3) == 0
		for at := from; at <= to; at += interval {
			if r.IntN(200) == 0 { // a gap
				at += interval * int64(1+r.IntN(40))
				continue
			}
			v, when := next(at), at
			if jitter {
				when += int64(r.IntN(2000))
			}
			if r.IntN(150) == 0 {
				v = math.Float64frombits(value.StaleNaN)
			}
			s.points = append(s.points, promql.FPoint{T: when, F: v})
		}
		all = append(all, s)
	}
	for _, job := range []string{"api", "db", "web"} {
		for instance := range 3 {
			interval := []int64{15_000, 30_000, 60_000}[r.IntN(3)]
			// Churn: an instance lives for a while, its successor has another name.
			for from, life := begin, 0; from < finish; life++ {
				to := min(finish, from+int64(1+r.IntN(8))*3600_000)
				name := fmt.Sprintf("%s-%d-%d", job, instance, life)
				for _, code := range []string{"200", "500"} {
					counter := float64(r.IntN(1000))
					one("requests_total", interval, from, to, func(int64) float64 {
						if counter += float64(r.IntN(50)); r.IntN(120) == 0 {
							counter = float64(r.IntN(5))
						}
						return counter
					}, "job", job, "instance", name, "code", code)
				}
				level := r.Float64() * 100
				more := []string{"job", job, "instance", name}
				if r.IntN(2) == 0 {
					more = append(more, "zone", "z"+strconv.Itoa(r.IntN(2)))
				}
				one("temperature", interval, from, to, func(int64) float64 { level += r.NormFloat64(); return level }, more...)
				from = to + int64(r.IntN(600))*1000
			}
		}
		one("capacity", 60_000, begin, finish, func(int64) float64 { return 64 }, "job", job)
		one("odd", 30_000, begin, finish, func(int64) float64 {
			switch r.IntN(40) {
			case 0:
				return math.NaN()
			case 1:
				return math.Inf(1 - 2*r.IntN(2))
			case 2:
				return math.Copysign(0, -1)
			case 3:
				return r.NormFloat64() * 1e6
			}
			return r.NormFloat64()
		}, "job", job)
	}
	return all
}

// steps is when a query is evaluated.
type steps struct{ start, end, step int64 }

func (s steps) String() string {
	if s.step == 0 {
		return fmt.Sprintf("at %d", s.start)
	}
	return fmt.Sprintf("from %d to %d step %d", s.start, s.end, s.step)
}

// answer is a result by series and time.
type answer struct {
	err    error
	values int
	series map[string]map[int64]float64
}

func (d *differential) ask(t *testing.T, e promql.QueryEngine, q storage.Queryable, expr string, s steps) answer {
	t.Helper()
	var one promql.Query
	var err error
	if s.step == 0 {
		one, err = e.NewInstantQuery(t.Context(), q, nil, expr, time.UnixMilli(s.start))
	} else {
		one, err = e.NewRangeQuery(t.Context(), q, nil, expr, time.UnixMilli(s.start), time.UnixMilli(s.end), time.Duration(s.step)*time.Millisecond)
	}
	if err != nil {
		t.Fatalf("the generator made %s: %v", expr, err)
	}
	defer one.Close()
	res := one.Exec(t.Context())
	a := answer{err: res.Err, series: map[string]map[int64]float64{}}
	for _, w := range res.Warnings {
		if strings.Contains(w.Error(), "long-term store") {
			t.Errorf("%s: %v", expr, w)
		}
	}
	add := func(ls labels.Labels, at int64, v float64) {
		name := ls.String()
		if a.series[name] == nil {
			a.series[name] = map[int64]float64{}
		}
		a.series[name][at] = v
		a.values++
	}
	switch v := res.Value.(type) {
	case promql.Matrix:
		for _, s := range v {
			for _, p := range s.Floats {
				add(s.Metric, p.T, p.F)
			}
		}
	case promql.Vector:
		for _, s := range v {
			add(s.Metric, s.T, s.F)
		}
	case promql.Scalar:
		add(labels.EmptyLabels(), v.T, v.V)
	}
	return a
}

// differs says how another answer is not this one.
func (a answer) differs(b answer) string {
	if (a.err == nil) != (b.err == nil) {
		return fmt.Sprintf("error %v, want %v", b.err, a.err)
	}
	for name, points := range b.series {
		if a.series[name] == nil {
			return fmt.Sprintf("series %s with %d values is too many", name, len(points))
		}
	}
	for name, want := range a.series {
		got := b.series[name]
		for at, w := range want {
			g, is := got[at]
			if !is {
				return fmt.Sprintf("%s at %d: nothing, want %v", name, at, w)
			}
			if !near(g, w) {
				return fmt.Sprintf("%s at %d: %v, want %v", name, at, g, w)
			}
		}
		if len(got) != len(want) {
			return fmt.Sprintf("%s: %d values, want %d", name, len(got), len(want))
		}
	}
	return ""
}

func near(a, b float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) && math.IsNaN(b)
	}
	return a == b || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

// generator writes queries.
type generator struct{ *rand.Rand }

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) steps() steps {
	at := begin + g.Int64N(finish-begin+1200_000)
	switch g.IntN(3) {
	case 0:
		at -= at % 300_000
	case 1:
		at -= at % 3600_000
	}
	if g.IntN(4) == 0 {
		return steps{at, at, 0}
	}
	step := []int64{15_000, 60_000, 97_000, 300_000, 600_000, 3600_000, 3600_000, 5400_000}[g.IntN(8)]
	end := min(at+step*g.Int64N(60), finish+1200_000)
	if end < at {
		end = at
	}
	return steps{at, end, step}
}

func (g *generator) selector() string {
	name, matchers := g.pick("requests_total", "requests_total", "temperature", "temperature", "capacity", "odd", "nothing"), []string{}
	if g.IntN(12) == 0 {
		matchers, name = append(matchers, g.pick(`__name__=~"requests_total|capacity"`, `__name__=~"temp.*"`, `{job="api"}`[1:10])), ""
	}
	for g.IntN(2) == 0 && len(matchers) < 3 {
		matchers = append(matchers, g.pick(
			`job="api"`, `job!="db"`, `job=~"api|web"`, `job=~"a.*"`, `job!~".*b"`, `job=~".+"`, `job=~".*"`, `job=""`, `zone=""`, `zone!=""`, `zone=~"z0|"`, `zone=~"z."`,
			`zone!~"z0"`, `code="500"`, `code=~"5..|"`, `code!~"2.*"`, `instance=~".*-0-.*"`, `instance=~"(api|db)-[0-9]+-0"`, `nothing=""`, `nothing!="x"`))
	}
	return name + "{" + strings.Join(matchers, ",") + "}"
}

// when is an offset, an @, or mostly nothing.
func (g *generator) when() string {
	switch g.IntN(10) {
	case 0, 1:
		return " offset " + g.pick("30s", "5m", "1h", "90m", "-10m", "3h")
	case 2:
		return " @ " + g.pick("start()", "end()", strconv.FormatInt(begin/1000+int64(g.IntN(12*3600)), 10))
	}
	return ""
}

func (g *generator) rangeSelector() string {
	if g.IntN(8) == 0 {
		return g.instant(1) + "[" + g.pick("10m", "30m", "1h") + ":" + g.pick("1m", "90s", "5m", "") + "]" + g.when()
	}
	return g.selector() + "[" + g.pick("1m", "2m", "5m", "10m", "1h", "1h", "90m", "2h", "47s") + "]" + g.when()
}

func (g *generator) overTime() string {
	switch f := g.pick("rate", "rate", "rate", "increase", "increase", "delta", "irate", "idelta", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
		"count_over_time", "last_over_time", "last_over_time", "stddev_over_time", "changes", "resets", "quantile", "present_over_time", "absent_over_time", "deriv"); f {
	case "quantile":
		return "quantile_over_time(" + g.pick("0.5", "0.9", "0") + ", " + g.rangeSelector() + ")"
	default:
		return f + "(" + g.rangeSelector() + ")"
	}
}

func (g *generator) instant(depth int) string {
	if depth <= 0 {
		if g.IntN(2) == 0 {
			return g.selector() + g.when()
		}
		return g.overTime()
	}
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return g.pick("sum", "sum", "avg", "min", "max", "count", "group", "stddev") + g.pick("", " by (job)", " by (job, zone)", " by (nothing)", " by (__name__)", " without (instance)", " without (job, code)") + " (" + g.instant(depth-1) + ")"
	case 4:
		return "quantile by (job) (" + g.pick("0.5", "0.99") + ", " + g.instant(depth-1) + ")"
	case 5:
		by := g.pick("job", "job, zone")
		return "(sum by (" + by + ") (" + g.instant(depth-1) + ") " + g.pick("+", "-", "*", "/", "and", "or", "unless", "> bool") + " on (" + by + ") avg by (" + by + ") (" + g.instant(depth-1) + "))"
	case 6:
		return "((" + g.instant(depth-1) + ") " + g.pick("+", "*", "/", ">= bool", "<", "%") + " " + g.pick("2", "0.5", "-1", "100.25") + ")"
	case 7:
		return g.pick("abs", "ceil", "sqrt", "timestamp", "absent", "clamp_min") + "(" + g.instant(depth-1) + ")"
	case 8:
		return `label_replace(` + g.instant(depth-1) + `, "copy", "$1", "instance", "(.*)-.*")`
	case 9:
		return "(scalar(" + g.instant(depth-1) + ") + " + "count by (job) (" + g.instant(depth-1) + "))"
	}
	return g.instant(0)
}

func (g *generator) expression(depth int) string {
	return strings.ReplaceAll(g.instant(g.IntN(depth+1)), "clamp_min(", "floor(")
}
