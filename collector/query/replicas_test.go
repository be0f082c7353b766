package query_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/clickhouse"
	"mcloud/collector/query"
	"mcloud/collector/replica"
)

// pair is two collectors, a and b, that scrape the same counters into one store, and a
// third that never failed, in a TSDB of its own. a is down in each of outages, which are
// of one scrape and of minutes, and has the other half of its series without any.
type pairOfCollectors struct {
	truth    storage.Queryable
	stored   *clickhouse.DB
	back     *tsdb.DB // the hot storage of a, which was away for the hour before pairHot
	engines  map[string]promql.QueryEngine
	outages  [][2]int64
	interval int64
}

// value is that of counter i: it grows by i+1 a second and is reset at times that the
// series of one number share.
func (p *pairOfCollectors) value(i int, t int64) float64 {
	since := begin
	if i%3 == 2 {
		since = max(begin, begin+(t-begin)/(47*60_000)*(47*60_000))
	}
	return math.Floor(float64(i+1) * float64(t-since) / 1000)
}

const (
	counters = 6
	pairHot  = begin + 8*3600_000
)

func series(i int) labels.Labels {
	return labels.FromStrings("__name__", "work_total", "i", fmt.Sprint(i), "solid", fmt.Sprint(i%2 == 0))
}

func newPair(t *testing.T) *pairOfCollectors {
	t.Helper()
	p := &pairOfCollectors{interval: 15_000}
	r := rand.New(rand.NewPCG(4, 2))
	for at := begin + 600_000; at < finish; at += 1500_000 + r.Int64N(1500_000) {
		long := p.interval
		if r.IntN(2) == 0 {
			long += r.Int64N(1800_000)
		}
		p.outages = append(p.outages, [2]int64{at, at + long})
		at += long
	}
	options := tsdb.DefaultOptions()
	options.MinBlockDuration, options.MaxBlockDuration, options.RetentionDuration = 1<<40, 1<<40, 0
	fresh := func() *tsdb.DB {
		db := openTSDB(t, options)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	tables := newTables(t, 10*365*24*time.Hour)
	tables.now = func() time.Time { return time.UnixMilli(finish) }
	var scrapes [2]clickhouse.Batch
	for k, phase := range []int64{3000, 12_500} {
		for i := range counters {
			scrapes[k].Series = append(scrapes[k].Series, series(i))
			for at := begin + phase; at <= finish; at += p.interval {
				when := at + r.Int64N(41) - 20
				scrapes[k].Ref, scrapes[k].Time = append(scrapes[k].Ref, uint32(i)), append(scrapes[k].Time, when)
				// The counter is read up to two seconds after the scrape's time.
				scrapes[k].Value = append(scrapes[k].Value, p.value(i, when+r.Int64N(2000)))
			}
		}
	}
	down := func(k, i int, at int64) bool {
		for n, o := range p.outages {
			if k == n%3/2 && i%2 == 1 && o[0] <= at && at < o[1] { // two of three are a's
				return true
			}
		}
		return false
	}
	for k, name := range []string{"a", "b"} {
		tables.replica = name
		db := tables.open(t)
		t.Cleanup(func() { _ = db.Close() })
		batch := clickhouse.Batch{Series: scrapes[k].Series}
		for n, ref := range scrapes[k].Ref {
			if !down(k, int(ref), scrapes[k].Time[n]) {
				batch.Ref, batch.Time, batch.Value = append(batch.Ref, ref), append(batch.Time, scrapes[k].Time[n]), append(batch.Value, scrapes[k].Value[n])
			}
		}
		if err := db.WriteSamples(t.Context(), name, batch); err != nil {
			t.Fatal(err)
		}
		p.stored = db
	}
	if _, err := p.stored.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	filled := func(keep func(i int, at int64) bool) *tsdb.DB {
		db := fresh()
		app := db.Appender(context.Background())
		for n, ref := range scrapes[0].Ref {
			if keep(int(ref), scrapes[0].Time[n]) {
				if _, err := app.Append(0, series(int(ref)), scrapes[0].Time[n], scrapes[0].Value[n]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		return db
	}
	p.truth = filled(func(int, int64) bool { return true })
	p.back = filled(func(i int, at int64) bool {
		return at > pairHot || pairHot-4*3600_000 < at && at < pairHot-3600_000 && !down(0, i, at)
	})
	parse := parser.NewParser(parser.Options{})
	engine, err := query.NewEngine(t.TempDir(), query.Limits{}, parse, func(int64) int64 { return 60_000 }, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	p.engines = map[string]promql.QueryEngine{"plain": engine, "pushing": &query.PushDown{QueryEngine: engine, Parser: parse}}
	return p
}

// empty is a hot storage with nothing in it.
type empty struct{}

func (empty) StartTime() (int64, error) { return math.MaxInt64, nil }
func (empty) Querier(int64, int64) (storage.Querier, error) {
	return storage.NoopQuerier(), nil
}

// whole is a TSDB that is whole from a time on.
type whole struct {
	*tsdb.DB
	from int64
}

func (w whole) StartTime() (int64, error) { return w.from, nil }

// Two collectors' samples answer as one's that never failed: to the digit where the first
// has no gap, else within what a scrape's jitter makes.
func TestReplicasAreOneSeries(t *testing.T) {
	p := newPair(t)
	d := &differential{}
	for place, hot := range map[string]query.Hot{"in the store": empty{}, "in the hot storage of one that was away": whole{p.back, pairHot}} {
		ours, err := query.New(query.Options{Hot: hot, LongTerm: p.stored, Evaluator: p.stored, Replicated: true})
		if err != nil {
			t.Fatal(err)
		}
		for name, engine := range p.engines {
			for _, c := range []struct {
				expr string
				// near is how far off a value may be, as a share of it and in scrapes of
				// series i, where there are gaps.
				share, scrapes float64
				counts         bool
			}{
				{expr: "work_total", scrapes: 1.5},
				{expr: "rate(work_total[10m])", share: 0.06},
				{expr: "increase(work_total[1h])", share: 0.02},
				{expr: "sum by (i) (rate(work_total[30m]))", share: 0.02},
				{expr: "increase(work_total[6h])", share: 0.02},
				{expr: "count_over_time(work_total[6h])", share: 0.03},
				{expr: "resets(work_total[1h])", counts: true},
				{expr: "count_over_time(work_total[30m])", counts: true},
				{expr: "max_over_time(work_total[30m])", scrapes: 1.5},
				{expr: "last_over_time(work_total[20m])", scrapes: 1.5},
				{expr: "count(work_total)", share: 1e-12},
			} {
				grids := []steps{{begin + 3600_000 + 7_000, finish, 600_000}, {begin + 3600_000, finish, 300_000}, {begin + 3600_000, finish, 3600_000}}
				if name == "plain" {
					grids = grids[:1]
				}
				for _, s := range grids {
					want := d.ask(t, p.engines["plain"], p.truth, c.expr, s)
					got := d.ask(t, engine, ours, c.expr, s)
					if want.err != nil || got.err != nil {
						t.Fatal(want.err, got.err)
					}
					if len(got.series) != len(want.series) {
						t.Errorf("%s, %s, %s %s: %d series, want %d", place, name, c.expr, s, len(got.series), len(want.series))
					}
					wrong := 0
					for ls, values := range want.series {
						i := 0
						if at := strings.Index(ls, `i="`); at >= 0 {
							_, _ = fmt.Sscanf(ls[at:], `i="%d"`, &i)
						}
						solid := i%2 == 0 && place == "in the store"
						for at, w := range values {
							g, is := got.series[ls][at]
							allowed := c.share*math.Abs(w) + c.scrapes*float64(i+1)*15
							if c.counts {
								allowed = 3
							}
							if i%3 == 2 && p.resetNear(at) {
								// The values before and after a reset have nothing in common.
								allowed = math.Inf(1)
							}
							if solid {
								allowed = 1e-9 * math.Abs(w)
							}
							if is && math.Abs(g-w) <= allowed {
								continue
							}
							if wrong++; wrong < 4 {
								t.Errorf("%s, %s, %s %s: %s at %d is %v (%v), want %v", place, name, c.expr, s, ls, (at-begin)/1000, g, is, w)
							}
						}
					}
				}
			}
		}
	}
}

// resetNear tells whether counters with resets had one within a minute.
func (p *pairOfCollectors) resetNear(at int64) bool {
	since := (at - begin) % (47 * 60_000)
	return since < 60_000 || since > 46*60_000
}

// The replica is neither among the labels' names nor in what they are told by; who asks
// for one replica by name gets its samples only.
func TestReplicaIsHidden(t *testing.T) {
	p := newPair(t)
	ours, err := query.New(query.Options{Hot: empty{}, LongTerm: p.stored, Replicated: true})
	if err != nil {
		t.Fatal(err)
	}
	q, err := ours.Querier(begin, finish)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	names, _, err := q.LabelNames(t.Context(), nil)
	if err != nil || strings.Join(names, " ") != "__name__ i solid" {
		t.Errorf("names: %q %v", names, err)
	}
	work := labels.MustNewMatcher(labels.MatchEqual, "__name__", "work_total")
	ask := func(hints *storage.SelectHints, ms ...*labels.Matcher) (n int, samples int) {
		t.Helper()
		set := q.Select(t.Context(), true, hints, ms...)
		for set.Next() {
			n++
			if set.At().Labels().Has(replica.Label) {
				t.Errorf("%s", set.At().Labels())
			}
			for it := set.At().Iterator(nil); it.Next() != 0; {
				samples++
			}
		}
		if err := set.Err(); err != nil {
			t.Fatal(err)
		}
		return n, samples
	}
	truth := int(counters * (finish - begin) / p.interval)
	if n, samples := ask(nil, work); n != counters || samples < truth-2*counters || samples > truth+2*counters {
		t.Errorf("%d series, %d samples, want %d and %d", n, samples, counters, truth)
	}
	if n, samples := ask(nil, work, labels.MustNewMatcher(labels.MatchEqual, replica.Label, "a")); n != counters || samples > truth-100 {
		t.Errorf("of a: %d series, %d samples", n, samples)
	}
	if n, _ := ask(&storage.SelectHints{Start: begin, End: finish, Limit: 4}, work); n != 4 {
		t.Errorf("limited to 4: %d series", n)
	}
	if n, _ := ask(&storage.SelectHints{Start: begin, End: finish, Func: "series"}, work); n != counters {
		t.Errorf("/api/v1/series: %d", n)
	}
}
