package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// bucketRow is a rollup as the samples say it is, or as the store has it.
type bucketRow struct {
	n                                uint32
	stale                            bool
	sum, min, max, first, last, incr float64
	firstTime, lastTime              int64
}

type bucketKey struct {
	series string
	end    int64 // seconds
}

// bucketed is the plain meaning of a rollup: what is in (end - width, end].
func bucketed(all map[string][]sample, width int64) map[bucketKey]bucketRow {
	rows := map[bucketKey]bucketRow{}
	for name, samples := range all {
		for from := 0; from < len(samples); {
			end := (samples[from].t + width - 1) / width * width
			to := from
			for to < len(samples) && samples[to].t <= end {
				to++
			}
			rows[bucketKey{name, end / 1000}] = aggregate(samples[from:to])
			from = to
		}
	}
	return rows
}

func aggregate(samples []sample) bucketRow {
	var r bucketRow
	r.min, r.max = math.NaN(), math.NaN()
	previous := math.NaN()
	for _, s := range samples {
		if r.stale = s.bits == value.StaleNaN; r.stale {
			continue
		}
		v := math.Float64frombits(s.bits)
		if r.n++; r.n == 1 {
			r.first, r.firstTime = v, s.t
		} else if v < previous {
			r.incr += previous
		}
		if r.min > v || math.IsNaN(r.min) {
			r.min = v
		}
		if r.max < v || math.IsNaN(r.max) {
			r.max = v
		}
		r.sum += v
		r.last, r.lastTime, previous = v, s.t, v
	}
	r.incr += r.last - r.first
	if r.n == 0 {
		return bucketRow{stale: r.stale}
	}
	return r
}

// rollupsOf reads a table of rollups as a reader should.
func rollupsOf(t *testing.T, db *DB, table string) map[bucketKey]bucketRow {
	t.Helper()
	names := map[uint64]string{}
	if err := db.eachSeries(t.Context(), "", 0, nil, func(id uint64, ls labels.Labels) error { names[id] = ls.String(); return nil }); err != nil {
		t.Fatal(err)
	}
	rows, err := db.conn.Query(t.Context(), "SELECT id, toInt64(toUnixTimestamp(t)), n, stale, sum, min, max, first, last, incr, toUnixTimestamp64Milli(first_ts), toUnixTimestamp64Milli(last_ts) FROM "+table+" FINAL")
	if err != nil {
		t.Fatal(err)
	}
	all := map[bucketKey]bucketRow{}
	err = each(rows, func() error {
		var (
			id    uint64
			end   int64
			stale uint8
			r     bucketRow
		)
		if err := rows.Scan(&id, &end, &r.n, &stale, &r.sum, &r.min, &r.max, &r.first, &r.last, &r.incr, &r.firstTime, &r.lastTime); err != nil {
			return err
		}
		if r.stale = stale == 1; r.n == 0 {
			r = bucketRow{stale: r.stale}
		}
		k := bucketKey{names[id], end}
		if _, twice := all[k]; twice {
			return fmt.Errorf("%v is there twice", k)
		}
		all[k] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// near compares sums, whose last digits depend on the order of summing.
func near(a, b, scale float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12*math.Max(scale, math.Max(math.Abs(a), math.Abs(b)))
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func (r bucketRow) differs(o bucketRow) bool {
	scale := float64(r.n) * math.Max(math.Abs(r.min), math.Abs(r.max))
	return r.n != o.n || r.stale != o.stale || r.firstTime != o.firstTime || r.lastTime != o.lastTime ||
		!same(r.min, o.min) || !same(r.max, o.max) || !same(r.first, o.first) || !same(r.last, o.last) ||
		!near(r.sum, o.sum, scale) || !near(r.incr, o.incr, scale)
}

// checkRollups holds both tables to the samples that the store has.
func checkRollups(t *testing.T, db *DB) {
	t.Helper()
	all := read(t, db, 0, maxTime-1, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+"))
	for _, c := range []struct {
		table string
		width int64
	}{{"rollup_5m", 300_000}, {"rollup_1h", 3_600_000}, {"rollup_1d", dayMillis}} {
		want, got := bucketed(all, c.width), rollupsOf(t, db, c.table)
		wrong := 0
		for k, w := range want {
			if g, is := got[k]; !is || w.differs(g) {
				if wrong++; wrong < 4 {
					t.Errorf("%s %s at %s: there %v\n got %+v\nwant %+v", c.table, k.series, time.Unix(k.end, 0).UTC(), is, g, w)
				}
			}
		}
		if len(got) != len(want) || wrong > 0 || len(want) == 0 {
			t.Errorf("%s: %d rows, want %d; %d are wrong", c.table, len(got), len(want), wrong)
		}
	}
}

// history is a random past of series of all kinds, over some days from base.
func history(r *rand.Rand, days int) Batch {
	var b Batch
	add := func(name string, step int64, next func(k int) float64) {
		ref := uint32(len(b.Series))
		b.Series = append(b.Series, series1(name))
		offset := r.Int64N(step)
		if r.IntN(3) == 0 {
			offset = 0 // on the edge of every bucket
		}
		k := 0
		for at := base + offset; at < base+int64(days)*dayMillis; at += step {
			if k++; r.IntN(50) == 0 {
				at += r.Int64N(4*3_600_000) / step * step
			}
			b.Ref, b.Time, b.Value = append(b.Ref, ref), append(b.Time, at), append(b.Value, next(k))
		}
	}
	counter := 0.0
	for i := range 3 {
		add(fmt.Sprint("counter_", i), 30_000, func(int) float64 {
			if counter += float64(r.IntN(1000)) / math.Pow10(i); r.IntN(40) == 0 {
				counter = float64(r.IntN(5))
			}
			return counter
		})
		add(fmt.Sprint("gauge_", i), 60_000, func(int) float64 { return math.Round(r.NormFloat64()*1e4) / math.Pow10(2*i) })
	}
	add("flat", 60_000, func(int) float64 { return 42 })
	add("floats", 20_000, func(int) float64 { return r.NormFloat64() * 1e7 })
	add("mixed", 60_000, func(k int) float64 { return []float64{1, 0.5, 1.0 / 3, -7, 0.125, 1e-6}[r.IntN(6)] })
	add("huge", 60_000, func(k int) float64 { return []float64{1 << 53, -(1 << 53), 9007199254740990, 0.25, 3}[r.IntN(5)] })
	add("odd", 100_000, func(k int) float64 { return odd[r.IntN(len(odd))] })
	add("dying", 60_000, func(k int) float64 {
		if r.IntN(7) == 0 {
			return math.Float64frombits(value.StaleNaN)
		}
		return float64(k)
	})
	add("nan", 240_000, func(k int) float64 { return []float64{math.NaN(), math.NaN(), 1, math.Inf(-1)}[r.IntN(4)] })
	add("dead", 3_600_000, func(k int) float64 { return math.Float64frombits(value.StaleNaN) })
	add("rare", 7_200_000, func(k int) float64 { return float64(k) })
	return b
}

// split sends each sample of a batch to one of n, at random.
func (b Batch) split(r *rand.Rand, n int) []Batch {
	all := make([]Batch, n)
	for i := range b.Ref {
		p := &all[r.IntN(n)]
		p.Series = b.Series
		p.Ref, p.Time, p.Value = append(p.Ref, b.Ref[i]), append(p.Time, b.Time[i]), append(p.Value, b.Value[i])
	}
	return all
}

// later is a clock by which all of the history is over.
func later() time.Time { return time.UnixMilli(base + 40*dayMillis) }

// A rollup is what its samples are: after the first computation, after late samples
// in any order, and after everything was computed again.
func TestRollupsAreTheirSamples(t *testing.T) {
	db := dial(t, fresh(t, later))
	r := rand.New(rand.NewPCG(1, 2))
	for i, part := range history(r, 2).split(r, 4) {
		if err := db.WriteSamples(t.Context(), fmt.Sprint("part ", i), part); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			continue // computed together with the next
		}
		spans, err := db.Unrolled(t.Context(), base, base+2*dayMillis)
		if err != nil || len(spans) == 0 || spans[0].From > base {
			t.Fatalf("part %d: not rolled up is %v, %v", i, spans, err)
		}
		if units, err := db.Roll(t.Context()); err != nil || units < 24 {
			t.Fatalf("part %d: %d units, %v", i, units, err)
		}
		if spans, err := db.Unrolled(t.Context(), 0, maxTime); err != nil || len(spans) > 0 {
			t.Fatalf("part %d: not rolled up is %v, %v", i, spans, err)
		}
		checkRollups(t, db)
	}
	if units, err := db.Roll(t.Context()); err != nil || units > 0 {
		t.Errorf("%d units are computed for nothing, %v", units, err)
	}
}

// A late batch of few series has only those computed, and is complete.
func TestLateSamples(t *testing.T) {
	o := fresh(t, later)
	r := rand.New(rand.NewPCG(3, 4))
	first := dial(t, o)
	if err := first.WriteSamples(t.Context(), "first", history(r, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := dial(t, o)
	// A sample on a unit's last millisecond, one on the next, one where nothing was.
	late := Batch{Series: []labels.Labels{series1("counter_0"), series1("new")}, Ref: []uint32{0, 0, 1}, Time: []int64{base + 7_200_000, base + 7_200_001, base + dayMillis + 5}, Value: []float64{-1, 1e12, 3}}
	if err := db.WriteSamples(t.Context(), "late", late); err != nil {
		t.Fatal(err)
	}
	all, err := db.pendingUnits(t.Context(), 0, math.MaxUint32)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v %v, want three units", all, err)
	}
	for i, p := range all {
		if len(p.ids) != 1 || p.unit != unitOf(late.Time[i]) {
			t.Errorf("%+v, want one series in each", p)
		}
	}
	day := unitOf(base + dayMillis + 5)
	want := []Span{{base, base + 2*unitMillis}, {day.start(), day.end()}}
	if spans, err := db.Unrolled(t.Context(), 0, maxTime); err != nil || !slices.Equal(spans, want) {
		t.Errorf("not rolled up is %v, %v, want %v", spans, err, want)
	}
	if units, err := db.Roll(t.Context()); err != nil || units != 3 {
		t.Fatal(units, err)
	}
	checkRollups(t, db)
}

// What is not over yet is not computed, and said so.
func TestOpenUnitsWait(t *testing.T) {
	now := time.UnixMilli(base + 2*unitMillis + time.Minute.Milliseconds())
	db := dial(t, fresh(t, func() time.Time { return now }))
	r := rand.New(rand.NewPCG(5, 6))
	if err := db.WriteSamples(t.Context(), "one", history(r, 1)); err != nil {
		t.Fatal(err)
	}
	if units, err := db.Roll(t.Context()); err != nil || units != 1 && units != 2 {
		t.Fatal(units, err)
	}
	spans, err := db.Unrolled(t.Context(), base, base+dayMillis)
	if err != nil || len(spans) != 1 || spans[0].From > now.UnixMilli() || spans[0].From < base+unitMillis-unitMillis {
		t.Errorf("%v %v", spans, err)
	}
	now = later()
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRollups(t, db)
}

// Units are computed by one statement where that reads few samples more.
func TestUnitsComputedTogether(t *testing.T) {
	some := func(n int) []uint64 {
		ids := make([]uint64, n)
		for i := range ids {
			ids[i] = uint64(i)
		}
		return ids
	}
	every := func(step unit, n int, ids []uint64) (all []pending) {
		for i := range n {
			all = append(all, pending{unit: 1000 + unit(i)*step, ids: ids})
		}
		return all
	}
	for name, c := range map[string]struct {
		all  []pending
		rows uint64 // of each bucket
		want []int  // units of each stretch
	}{
		"adjacent ones":                              {every(1, 10, nil), 100_000, []int{10}},
		"as many samples as a statement holds":       {every(1, 10, nil), 1_000_000, []int{4, 4, 2}},
		"more samples in a unit":                     {every(1, 2, nil), 5_000_000, []int{1, 1}},
		"one sample of each series in six hours":     {every(3, 300, some(2000)), 0, []int{300}},
		"few samples between them":                   {every(3, 10, nil), 1_000, []int{10}},
		"many samples between them":                  {every(3, 10, nil), 150_000, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		"many, but few of the series that were late": {every(3, 10, some(10)), 150_000, []int{10}},
		"each of other series": {[]pending{{unit: 7, ids: some(60_000)}, {unit: 8, ids: []uint64{1 << 40}}, {unit: 9, ids: append(some(60_000), 1<<41)},
			{unit: 10, ids: append(some(maxRollIDs-1), 1<<50)}}, 0, []int{3, 1}},
	} {
		rows := map[unit]uint64{}
		for u := c.all[0].unit - 1; u <= c.all[len(c.all)-1].unit; u++ {
			rows[u] = c.rows
		}
		var got []int
		var units []pending
		for _, s := range cut(c.all, rows) {
			got, units = append(got, len(s.units)), append(units, s.units...)
			if s.rows > rollRows && len(s.units) > 1 || len(s.ids) > maxRollIDs {
				t.Errorf("%s: %d samples of %d series in %d units", name, s.rows, len(s.ids), len(s.units))
			}
			for _, u := range s.units {
				for _, id := range u.ids {
					if _, is := slices.BinarySearch(s.ids, id); !is {
						t.Fatalf("%s: unit %d's series %d is not computed", name, u.unit, id)
					}
				}
			}
		}
		if !slices.Equal(got, c.want) || len(units) != len(c.all) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The same work done twice, or left half done, gives the same rows.
func TestRollingAgainGivesTheSame(t *testing.T) {
	db := dial(t, fresh(t, later))
	r := rand.New(rand.NewPCG(7, 8))
	if err := db.WriteSamples(t.Context(), "one", history(r, 1)); err != nil {
		t.Fatal(err)
	}
	all, err := db.pendingUnits(t.Context(), 0, math.MaxUint32)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := db.plan(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices.Concat(planned, planned) {
		if err := db.roll(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	checkRollups(t, db)
	before := rollupsOf(t, db, "rollup_1h")
	// Raw samples that are gone take nothing from what was computed from them.
	if err := db.conn.Exec(t.Context(), "TRUNCATE TABLE samples"); err != nil {
		t.Fatal(err)
	}
	if err := db.WriteSamples(t.Context(), "two", Batch{Series: []labels.Labels{series1("counter_0")}, Ref: []uint32{0}, Time: []int64{base + 1000}, Value: []float64{5}}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := rollupsOf(t, db, "rollup_1h"); !maps.EqualFunc(before, after, func(a, b bucketRow) bool { return !a.differs(b) }) {
		t.Error("a rollup was computed from the rest of its samples")
	}
}

// A store that is killed while it computes rollups has them all, right, once it
// is asked again.
func TestKilledWhileRolling(t *testing.T) {
	if testing.Short() {
		t.Skip("starts several stores")
	}
	needLibrary(t)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(9, 10))
	parts := history(r, 12).split(r, 4)
	killed := 0
	for i, part := range parts {
		url, kill := startStore(t, dir)
		db := dial(t, Options{URL: url, Connections: 2, Now: later})
		if err := db.WriteSamples(t.Context(), fmt.Sprint("part ", i), part); err != nil {
			t.Fatal(err)
		}
		stop := time.AfterFunc(time.Duration(100+150*i)*time.Millisecond, kill)
		_, err := db.Roll(context.WithoutCancel(t.Context()))
		if stop.Stop(); errors.Is(err, ErrUnavailable) {
			killed++
		} else if err != nil {
			t.Fatal(err)
		}
		kill()
	}
	if killed < 2 {
		t.Fatalf("killed %d times in the middle of it, which shows nothing", killed)
	}
	url, _ := startStore(t, dir)
	db := dial(t, Options{URL: url, Now: later})
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRollups(t, db)
}
