package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// ErrInexact is returned by OverTime when the store's sums could differ from what
// Prometheus computes: load the samples instead.
var ErrInexact = errors.New("the store cannot compute this exactly")

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

// overTime is how one of PromQL's functions is gathered, and computed from that.
type overTime struct {
	columns string // n, distinct, first time, last time, x, y, z
	add     func(a, b gathered) gathered
	result  func(g gathered, from, to int64) (v float64, is bool, err error)
	named   bool // the metric's name stays
}

const atMilli = "toUnixTimestamp64Milli(ts)"

var overTimes = map[string]overTime{
	"sum_over_time":   {columns: sums, add: addSums, result: func(g gathered, _, _ int64) (float64, bool, error) { return g.sum() }},
	"avg_over_time":   {columns: sums, add: addSums, result: average},
	"count_over_time": {columns: sums, add: addSums, result: func(g gathered, _, _ int64) (float64, bool, error) { return float64(g.n), true, g.once() }},
	"max_over_time":   {columns: "count(), countIf(NOT isNaN(value)), toInt64(0), toInt64(0), maxIf(value, NOT isNaN(value)), 0., 0.", add: extreme(math.Max), result: extremeOf},
	"min_over_time":   {columns: "count(), countIf(NOT isNaN(value)), toInt64(0), toInt64(0), minIf(value, NOT isNaN(value)), 0., 0.", add: extreme(math.Min), result: extremeOf},
	"last_over_time": {columns: "count(), toUInt64(0), toInt64(0), " + atMilliMax + ", argMax(value, ts), 0., 0.", add: func(_, b gathered) gathered { return b }, named: true,
		result: func(g gathered, _, _ int64) (float64, bool, error) { return g.x, true, nil }},
	"rate":     {columns: ends, add: addEnds, result: extrapolated(true, true)},
	"increase": {columns: ends, add: addEnds, result: extrapolated(true, false)},
	"delta":    {columns: ends, add: addEnds, result: extrapolated(false, false)},
}

const (
	atMilliMax = "max(" + atMilli + ")"
	// Repeated samples show as fewer times than rows.
	sums = "count(), groupBitmap(toUInt64(" + atMilli + ")), toInt64(0), toInt64(0), sum(value), sum(abs(value)), 0."
	ends = "length(arraySort(groupArray((" + atMilli + ", value))) AS s), toUInt64(arrayUniq(arrayMap(x -> x.1, s))), s[1].1, s[-1].1, s[1].2, s[-1].2, " +
		"arraySum((c, p) -> if(c.2 < p.2, p.2, 0.), arrayPopFront(s), arrayPopBack(s))"
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

// sum is exact enough when what was lost by adding plainly, of which Prometheus loses
// less (Kahan), is nothing against the sum.
func (g gathered) sum() (float64, bool, error) {
	if err := g.once(); err != nil {
		return 0, false, err
	}
	if math.IsInf(g.y, 0) || float64(g.n)*g.y*0x1p-52 > 1e-11*math.Abs(g.x) && !math.IsNaN(g.x) {
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
	number, condition := b.number(atMilli, w.start-w.length)
	statement := fmt.Sprintf("SELECT id, %s AS bucket, %s FROM samples WHERE %s AND %s%s AND NOT (e = %d AND v = %d) GROUP BY id, bucket ORDER BY id, bucket",
		number, f.columns, timeCondition(mint, maxt), of, condition, rawBits, int64(value.StaleNaN))
	rows, err := db.conn.Query(ctx, statement, args...)
	if err != nil {
		return nil, db.wrap(ctx, "computing over time", err)
	}
	var (
		set     []storage.Series
		current = sliding{windows: w, buckets: b, f: f}
		last    uint64
		n       int
	)
	finish := func() error {
		s, err := current.finish()
		if ls, is := found[last]; is && err == nil && len(s.times) > 0 {
			s.labels = ls
			if !f.named {
				s.labels = labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels()
			}
			set = append(set, s)
		}
		return err
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
	return set, db.wrap(ctx, "computing over time", err)
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
