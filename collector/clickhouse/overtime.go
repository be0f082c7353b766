package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// ErrInexact is returned by OverTime when the store's sums could differ from what
// Prometheus computes: load the samples instead.
var ErrInexact error = inexact{}

type inexact struct{}

func (inexact) Error() string { return "the store cannot compute this exactly" }

// Inexact is how those who do not know this package tell it from failures.
func (inexact) Inexact() bool { return true }

// windows are the ranges (t-length, t] for t = start, start+step, … ≤ end.
type windows struct{ start, end, step, length int64 }

// maxBuckets bounds how many buckets one window is put together from.
const maxBuckets = 500

// buckets says how samples are gathered in the store: each belongs to one bucket,
// each window is count buckets, and the next window begins stride buckets later.
type buckets struct {
	width         int64
	count, stride int
	// period, when not 0, is the distance of windows with gaps between them.
	period int64
}

func (w windows) buckets() (buckets, error) {
	switch {
	case w.length <= 0 || w.step < 0 || w.end < w.start:
		return buckets{}, fmt.Errorf("windows %+v", w)
	case w.step == 0 || w.start == w.end:
		return buckets{width: w.length, count: 1, stride: 1}, nil
	case w.length <= w.step:
		return buckets{width: w.length, count: 1, stride: 1, period: w.step}, nil
	}
	width := gcd(w.length, w.step)
	if w.length/width > maxBuckets {
		return buckets{}, fmt.Errorf("%w: a window of %d buckets", ErrInexact, w.length/width)
	}
	return buckets{width: width, count: int(w.length / width), stride: int(w.step / width)}, nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// number is the SQL for the number of a sample's bucket, of which a bucket's first
// instant does not belong to it and the last one does. at is the sample's time.
func (b buckets) number(at string, from int64) (number, condition string) {
	x := fmt.Sprintf("(%s - %d)", at, from+1)
	if b.period == 0 {
		return fmt.Sprintf("intDiv(%s, %d)", x, b.width), ""
	}
	return fmt.Sprintf("intDiv(%s, %d)", x, b.period), fmt.Sprintf(" AND %s %% %d < %d", x, b.period, b.width)
}

// gathered is what the store says about the samples of one series in one bucket, or
// what that adds up to over the buckets of a window.
type gathered struct {
	n, distinct     uint64 // samples; times, where that matters
	firstAt, lastAt int64
	// For sums: the sum and that of the absolutes. For the extremes: the extreme of
	// those that are numbers. For last: it. For rates: first, last, and the sum of the
	// values before a reset.
	x, y, z float64
}

// overTime is how one of PromQL's functions is gathered, and computed from that. Columns
// are n, distinct, firstAt, lastAt, x, y and z, from rows of samples and of a rollup.
type overTime struct {
	samples, rollup string
	add             func(a, b gathered) gathered
	result          func(g gathered, from, to int64) (v float64, is bool, err error)
	named           bool // the metric's name stays
	stale           bool // stale markers matter
}

// The value of a selector is that of the latest sample, unless it is a stale marker.
const latest = ""

var overTimes = map[string]overTime{
	"sum_over_time":   {samples: sums, rollup: rolledSums, add: addSums, result: func(g gathered, _, _ int64) (float64, bool, error) { return g.sum() }},
	"avg_over_time":   {samples: sums, rollup: rolledSums, add: addSums, result: average},
	"count_over_time": {samples: sums, rollup: rolledSums, add: addSums, result: func(g gathered, _, _ int64) (float64, bool, error) { return float64(g.n), true, g.once() }},
	"max_over_time": {add: extreme(math.Max), result: extremeOf,
		samples: "count(), countIf(NOT isNaN(value)), toInt64(0), toInt64(0), maxIf(value, NOT isNaN(value)), 0., 0.",
		rollup:  "toUInt64(sum(n)), countIf(NOT isNaN(max)), toInt64(0), toInt64(0), maxIf(max, NOT isNaN(max)), 0., 0."},
	"min_over_time": {add: extreme(math.Min), result: extremeOf,
		samples: "count(), countIf(NOT isNaN(value)), toInt64(0), toInt64(0), minIf(value, NOT isNaN(value)), 0., 0.",
		rollup:  "toUInt64(sum(n)), countIf(NOT isNaN(min)), toInt64(0), toInt64(0), minIf(min, NOT isNaN(min)), 0., 0."},
	"last_over_time": {add: addLast, named: true,
		samples: "count(), toUInt64(0), toInt64(0), toInt64(0), argMax(value, ts), 0., 0.",
		rollup:  "toUInt64(sum(n)), toUInt64(0), toInt64(0), toInt64(0), argMax(last, t), 0., 0.",
		result:  func(g gathered, _, _ int64) (float64, bool, error) { return g.x, true, nil }},
	latest: {add: addLast, named: true, stale: true,
		samples: "count(), toUInt64(0), toInt64(0), max(" + atMilli + "), argMax(value, ts), toFloat64(argMax(" + isStale + ", ts)), 0.",
		rollup:  "toUInt64(sum(n)), toUInt64(0), toInt64(0), argMax(toUnixTimestamp64Milli(last_ts), t), argMax(last, t), toFloat64(argMax(stale, t)), 0.",
		result:  func(g gathered, from, _ int64) (float64, bool, error) { return g.x, g.y == 0 && g.lastAt > from, nil }},
	"rate":     {samples: ends, rollup: rolledEnds, add: addEnds, result: extrapolated(true, true)},
	"increase": {samples: ends, rollup: rolledEnds, add: addEnds, result: extrapolated(true, false)},
	"delta":    {samples: ends, rollup: rolledEnds, add: addEnds, result: extrapolated(false, false)},
}

const (
	atMilli = "toUnixTimestamp64Milli(ts)"
	isStale = "(e = 127 AND v = " + staleBits + ")"
	// Repeated samples show as fewer times than rows.
	sums = "count(), groupBitmap(toUInt64(" + atMilli + ")), toInt64(0), toInt64(0), sumKahan(value), sum(abs(value)), 0."
	// The sum of a row's absolutes is not known where it has both signs, but bounded.
	rolledSums = "toUInt64(sum(n)) AS total, total, toInt64(0), toInt64(0), sumKahan(rollup.sum), sum(if(rollup.min >= 0 OR rollup.max <= 0, abs(rollup.sum), greatest(abs(rollup.min), abs(rollup.max)) * n)), 0."
	ends       = "length(arraySort(groupArray((" + atMilli + ", value))) AS s), toUInt64(arrayUniq(arrayMap(x -> x.1, s))), s[1].1, s[-1].1, s[1].2, s[-1].2, " +
		"arraySum((c, p) -> if(c.2 < p.2, p.2, 0.), arrayPopFront(s), arrayPopBack(s))"
	rolledEnds = "toUInt64(arraySum(x -> x.2, arraySort(groupArray((t, n, toUnixTimestamp64Milli(first_ts), toUnixTimestamp64Milli(last_ts), first, last, fell))) AS s)) AS total, total, s[1].3, s[-1].4, s[1].5, s[-1].6, " +
		"arraySum(x -> x.7, s) + arraySum((c, p) -> if(c.5 < p.6, p.6, 0.), arrayPopFront(s), arrayPopBack(s))"
)

func (g gathered) once() error {
	if g.distinct != g.n {
		return fmt.Errorf("%w: samples are stored more than once", ErrInexact)
	}
	return nil
}

func addSums(a, b gathered) gathered {
	return gathered{n: a.n + b.n, distinct: a.distinct + b.distinct, x: a.x + b.x, y: a.y + b.y}
}

// sum is exact enough unless nearly everything cancels out: compensated as Prometheus's,
// it is off by some 2^-52 of the sum of the absolutes. (The compensation makes NaN of
// infinities.)
func (g gathered) sum() (float64, bool, error) {
	if err := g.once(); err != nil {
		return 0, false, err
	}
	if math.IsInf(g.y, 0) || g.y*0x1p-50 > 1e-10*math.Abs(g.x) {
		return 0, false, fmt.Errorf("%w: the sum of large and small values", ErrInexact)
	}
	return g.x, true, nil
}

func average(g gathered, _, _ int64) (float64, bool, error) {
	sum, is, err := g.sum()
	return sum / float64(g.n), is, err
}

func extreme(of func(a, b float64) float64) func(a, b gathered) gathered {
	return func(a, b gathered) gathered {
		switch {
		case a.distinct == 0:
			b.n += a.n
			return b
		case b.distinct == 0:
			a.n += b.n
			return a
		}
		return gathered{n: a.n + b.n, distinct: a.distinct + b.distinct, x: of(a.x, b.x)}
	}
}

func extremeOf(g gathered, _, _ int64) (float64, bool, error) {
	if g.distinct == 0 {
		return math.NaN(), true, nil
	}
	return g.x, true, nil
}

func addLast(a, b gathered) gathered {
	b.n += a.n
	return b
}

func addEnds(a, b gathered) gathered {
	resets := a.z + b.z
	if b.x < a.y {
		resets += a.y
	}
	return gathered{n: a.n + b.n, distinct: a.distinct + b.distinct, firstAt: a.firstAt, lastAt: b.lastAt, x: a.x, y: b.y, z: resets}
}

// extrapolated is Prometheus's extrapolatedRate (promql/functions.go) without native
// histograms and start timestamps.
func extrapolated(counter, rate bool) func(g gathered, from, to int64) (float64, bool, error) {
	return func(g gathered, from, to int64) (float64, bool, error) {
		if err := g.once(); err != nil || g.n < 2 {
			return 0, false, err
		}
		result := g.y - g.x
		if counter {
			result += g.z
		}
		toStart, toEnd := float64(g.firstAt-from)/1000, float64(to-g.lastAt)/1000
		sampled := float64(g.lastAt-g.firstAt) / 1000
		between := sampled / float64(g.n-1)
		threshold := between * 1.1
		if toStart >= threshold {
			toStart = between / 2
		}
		if counter {
			toZero := toStart
			if result > 0 && g.x >= 0 {
				toZero = sampled * (g.x / result)
			}
			toStart = min(toStart, toZero)
		}
		if toEnd >= threshold {
			toEnd = between / 2
		}
		factor := (sampled + toStart + toEnd) / sampled
		if rate {
			factor /= float64(to-from) / 1000
		}
		return result * factor, true, nil
	}
}

// CanOverTime tells whether OverTime knows a function.
func (*DB) CanOverTime(function string) bool { _, is := overTimes[function]; return is }

// OverTime computes one of PromQL's functions in the store, over the windows (t-window, t]
// for t = start, start+step, … ≤ end, all in milliseconds. The series it returns have
// their sample for each window at its t, and none for a window without a value. They are
// what Prometheus's engine gives to 1e-9, else the error wraps ErrInexact.
func (db *DB) OverTime(ctx context.Context, function string, start, end, step, window int64, matchers ...*labels.Matcher) ([]storage.Series, error) {
	w := windows{start, end, step, window}
	f, is := overTimes[function]
	if !is {
		return nil, fmt.Errorf("%w: %s", ErrInexact, function)
	}
	b, err := w.buckets()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	mint, maxt := w.start-w.length+1, w.end
	if mint < 0 || maxt >= maxTime {
		return nil, fmt.Errorf("%w: a range before 1970 or after 2105", ErrInexact)
	}
	found, of, args, err := db.find(ctx, mint, maxt, matchers)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	answers := newChooser(found)
	if answers.contested() && function != latest {
		b = b.finer(w)
	}
	statement, args, err := db.gather(ctx, function, w, b, of, args)
	if err != nil {
		return nil, err
	}
	rows, err := db.conn.Query(ctx, statement, args...)
	if err != nil {
		return nil, db.wrap(ctx, "computing over time", err)
	}
	var (
		current = sliding{windows: w, buckets: b, f: f}
		last    uint64
		n       int
	)
	finish := func() error {
		if ls, is := found[last]; is {
			return answers.add(last, ls, &current)
		}
		current.held = current.held[:0]
		return nil
	}
	err = each(rows, func() error {
		var (
			id     uint64
			bucket int64
			g      gathered
		)
		if err := rows.Scan(&id, &bucket, &g.n, &g.distinct, &g.firstAt, &g.lastAt, &g.x, &g.y, &g.z); err != nil {
			return err
		}
		if n++; n > db.options.MaxSamples {
			return fmt.Errorf("%w: the query loads more than %d values, ask for fewer series or less time", ErrTooMuch, db.options.MaxSamples)
		}
		if id != last {
			if err := finish(); err != nil {
				return err
			}
			last = id
		}
		current.add(int(bucket), g)
		return nil
	})
	if err == nil {
		err = finish()
	}
	if errors.Is(err, ErrInexact) {
		return nil, err
	}
	if err != nil {
		return nil, db.wrap(ctx, "computing over time", err)
	}
	return answers.series(current)
}

// gather is the statement that gives the buckets' rows, in order. What the rollups have
// whole comes from them where windows begin and end with their rows.
func (db *DB) gather(ctx context.Context, function string, w windows, b buckets, of string, args []any) (string, []any, error) {
	f := overTimes[function]
	from, to := w.start-w.length, w.end
	number, condition := b.number(atMilli, from)
	if !f.stale {
		condition += " AND NOT " + isStale
	}
	samples := func(from int64) string {
		return fmt.Sprintf("SELECT id, %s AS bucket, %s FROM samples WHERE %s%s AND %s%s GROUP BY id, bucket", number, f.samples, timeCondition(from+1, to), b.only(from, to, w), of, condition)
	}
	const order = " ORDER BY id, bucket"
	rawSince, fiveMinutesSince := db.options.Retention.since(db.now())
	gone := fmt.Errorf("%w: raw samples before %s may be gone", ErrInexact, time.UnixMilli(rawSince).UTC().Format(time.RFC3339))
	r := rollupFor(function, w, b)
	if r.table == "rollup_5m" && from < fiveMinutesSince {
		return "", nil, gone
	}
	if r.width == 0 {
		if from < rawSince {
			return "", nil, gone
		}
		db.metrics.overTime.WithLabelValues("samples").Inc()
		return samples(from) + order, args, nil
	}
	open, err := db.Unrolled(ctx, from, to)
	if err != nil {
		return "", nil, err
	}
	// From the first stretch on that is not in the rollups, the samples are read.
	until := to
	for _, s := range open {
		until = min(until, s.From)
	}
	whole := from // what lies up to here is asked of the rollups: no bucket reaches over it
	if function == latest {
		whole = w.start
	}
	if until < whole || until == from {
		if from < rawSince {
			return "", nil, gone
		}
		db.metrics.overTime.WithLabelValues("samples").Inc()
		return samples(from) + order, args, nil
	}
	until -= (until - whole) % b.distance()
	if until < to && until < rawSince {
		return "", nil, gone
	}
	db.metrics.overTime.WithLabelValues(r.table).Inc()
	const at = "(toInt64(toUnixTimestamp(t)) * 1000)"
	begin := from
	rowNumber, rowCondition := b.number(at, from)
	rowCondition += " AND n > 0"
	if function == latest { // the row that ends with the window, whatever is in it
		begin = w.start - r.width
		rowNumber = fmt.Sprintf("intDiv(%s - %d, %d)", at, w.start, b.distance())
		rowCondition = fmt.Sprintf(" AND (%s - %d) %% %d = 0", at, w.start, b.distance())
	}
	statement := fmt.Sprintf("SELECT id, %s AS bucket, %s FROM %s AS rollup FINAL WHERE t > toDateTime(%d, 'UTC') AND t <= toDateTime(%d, 'UTC')%s AND %s%s GROUP BY id, bucket",
		rowNumber, f.rollup, r.table, max(begin, 0)/1000, until/1000, r.days(begin, until), of, rowCondition)
	if until < to {
		statement += " UNION ALL " + samples(until)
	}
	return "SELECT * FROM (" + statement + ")" + order, args, nil
}

// rollup is a table of rollups and how much time a row has.
type rollup struct {
	table string
	width int64
}

// days narrows a range of rows by the first column of the table's key.
func (r rollup) days(from, to int64) string {
	if r.table != "rollup_5m" {
		return ""
	}
	return fmt.Sprintf(" AND intDiv(toUnixTimestamp(t), 86400) BETWEEN %d AND %d", max(from, 0)/dayMillis, to/dayMillis)
}

// rollupFor is the coarsest table in which windows are whole rows. The latest sample is
// also that of a longer row: its time says whether it is recent enough.
func rollupFor(function string, w windows, b buckets) rollup {
	for _, r := range []rollup{{"rollup_1h", 3600_000}, {"rollup_5m", 300_000}} {
		if function == latest && w.length <= r.width && b.period > 0 && w.start%r.width == 0 && b.period%r.width == 0 {
			return r
		}
		if function != latest && b.width%r.width == 0 && b.distance()%r.width == 0 && (w.start-w.length)%r.width == 0 {
			return r
		}
	}
	return rollup{}
}

// distance is from one bucket to the next.
func (b buckets) distance() int64 { return max(b.width, b.period) }

// only narrows the key's buckets to those that windows far apart touch.
func (b buckets) only(from, to int64, w windows) string {
	if b.period < 2*bucketMillis {
		return ""
	}
	var numbers []uint64
	for t := w.start; t <= w.end; t += w.step {
		for k := max(t-w.length+1, 0) / bucketMillis; k <= max(t, 0)/bucketMillis; k++ {
			if n := len(numbers); (n == 0 || numbers[n-1] < uint64(k)) && t > from && t <= to {
				numbers = append(numbers, uint64(k))
			}
		}
	}
	if len(numbers) == 0 || len(numbers) > 10_000 {
		return ""
	}
	return " AND " + bucket + " IN (" + joinIDs(numbers) + ")"
}

// find returns the series that match, and a condition that selects them in samples.
func (db *DB) find(ctx context.Context, mint, maxt int64, matchers []*labels.Matcher) (found map[uint64]labels.Labels, of string, args []any, err error) {
	var s selection
	s.during(mint, maxt)
	s.seen(mint, maxt)
	s.match(matchers)
	found = map[uint64]labels.Labels{}
	byLabels := map[uint64]labels.Labels{}
	err = db.eachSeries(ctx, s.where.String(), 0, s.args, func(id uint64, ls labels.Labels) error {
		if other, is := byLabels[ls.Hash()]; is && labels.Equal(other, ls) {
			return fmt.Errorf("%w: the series %s has two ids", ErrInexact, ls)
		}
		found[id], byLabels[ls.Hash()] = ls, ls
		return nil
	})
	if err != nil || len(found) == 0 {
		return nil, "", nil, err
	}
	if len(found) > fewIDs {
		return found, "id IN (SELECT id FROM series " + s.where.String() + ")", s.args, nil
	}
	ids := make([]uint64, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return found, "id IN (" + joinIDs(ids) + ")", nil, nil
}

// sliding puts a series' windows together from its buckets, which come in order.
type sliding struct {
	windows windows
	buckets buckets
	f       overTime
	held    []numbered
}

type numbered struct {
	bucket int
	gathered
}

func (s *sliding) add(bucket int, g gathered) { s.held = append(s.held, numbered{bucket, g}) }

// finish returns the values of all windows, and begins anew.
func (s *sliding) finish() (*series, error) {
	out := &series{}
	from := 0
	for k, t := 0, s.windows.start; t <= s.windows.end && from < len(s.held); k, t = k+1, t+s.windows.step {
		first := k * s.buckets.stride
		for from < len(s.held) && s.held[from].bucket < first {
			from++
		}
		var sum gathered
		any := false
		for i := from; i < len(s.held) && s.held[i].bucket < first+s.buckets.count; i++ {
			if !any {
				sum, any = s.held[i].gathered, true
				continue
			}
			sum = s.f.add(sum, s.held[i].gathered)
		}
		if any {
			v, is, err := s.f.result(sum, t-s.windows.length, t)
			if err != nil {
				return nil, err
			}
			if is {
				out.times, out.values = append(out.times, t), append(out.values, v)
			}
		}
		if s.windows.step == 0 {
			break
		}
	}
	s.held = s.held[:0]
	return out, nil
}
