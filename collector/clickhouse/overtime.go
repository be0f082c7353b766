package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go/proto"
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
	answers.gathering = gathering{w, b, f}
	from, err := db.sources(ctx, function, w, b)
	if err != nil {
		return nil, err
	}
	if err := db.gather(ctx, function, from, of, args, answers); err != nil {
		return nil, db.wrap(ctx, "computing over time", err)
	}
	if ids := answers.inexact(); len(ids) > 0 && len(ids) <= maxAgain {
		// The samples say it exactly.
		for _, id := range ids {
			answers.again(id)
		}
		from = sources{from: from.from, until: from.from, to: from.to, gone: from.gone, streamed: true}
		if from.from < from.gone {
			return nil, gone(from.gone)
		}
		if err := db.gather(ctx, function, from, "id IN ("+joinIDs(ids)+")", nil, answers); err != nil {
			return nil, db.wrap(ctx, "computing over time", err)
		}
	}
	return answers.series()
}

// maxAgain is up to how many series are computed from their samples because the rollups
// are not exact enough for them.
const maxAgain = 1000

// sources says what a call is gathered from: (from, until] from a table of rollups,
// (until, to] from the samples, which may be gone before a time.
type sources struct {
	rollup          rollup
	from, until, to int64
	gone            int64
	streamed        bool // the samples come here, instead of being gathered in the store
}

func gone(before int64) error {
	return fmt.Errorf("%w: raw samples before %s may be gone", ErrInexact, time.UnixMilli(before).UTC().Format(time.RFC3339))
}

// sources decides where a call's buckets come from. What the rollups have whole comes
// from them where windows begin and end with their rows.
func (db *DB) sources(ctx context.Context, function string, w windows, b buckets) (sources, error) {
	from, to := w.start-w.length, w.end
	rawSince, fiveMinutesSince := db.options.Retention.since(db.now())
	s := sources{from: from, until: from, to: to, gone: rawSince, streamed: b.width < db.options.GatherFrom.Milliseconds()}
	r := rollupFor(function, w, b)
	if r == days {
		have, err := db.haveDays(ctx, from, to)
		if err != nil {
			return s, err
		}
		if !have {
			r = hours
		}
	}
	if r == fiveMinutes && from < fiveMinutesSince {
		return s, gone(rawSince)
	}
	if r.width == 0 {
		if from < rawSince {
			return s, gone(rawSince)
		}
		return s, nil
	}
	open, err := db.Unrolled(ctx, from, to)
	if err != nil {
		return s, err
	}
	// From the first stretch on that is not in the rollups, the samples are read.
	until := to
	for _, o := range open {
		until = min(until, o.From)
	}
	whole := from // what lies up to here is asked of the rollups: no bucket reaches over it
	if function == latest {
		whole = w.start
	}
	if until < whole || until == from {
		if from < rawSince {
			return s, gone(rawSince)
		}
		return s, nil
	}
	until -= (until - whole) % b.distance()
	if until < to && until < rawSince {
		return s, gone(rawSince)
	}
	s.rollup, s.until = r, until
	return s, nil
}

// gather reads the buckets of all series into answers, those of the rollups first.
func (db *DB) gather(ctx context.Context, function string, from sources, of string, args []any, answers *chooser) error {
	n := 0
	count := func(rows int) error {
		if n += rows; n > db.options.MaxSamples {
			return fmt.Errorf("%w: the query loads more than %d values, ask for fewer series or less time", ErrTooMuch, db.options.MaxSamples)
		}
		return nil
	}
	if from.rollup.width > 0 {
		db.metrics.overTime.WithLabelValues(from.rollup.table).Inc()
		if err := db.readBuckets(ctx, rolled(function, from, of, answers.gathering), args, count, answers); err != nil {
			return err
		}
		if from.until == from.to {
			return nil
		}
	} else {
		db.metrics.overTime.WithLabelValues("samples").Inc()
	}
	g := answers.gathering
	number, condition := g.buckets.number(atMilli, g.windows.start-g.windows.length)
	where := timeCondition(from.until+1, from.to) + g.buckets.only(from.until, from.to, g.windows) + " AND " + of + condition
	if !g.f.stale {
		where += " AND NOT " + isStale
	}
	if !from.streamed {
		return db.readBuckets(ctx, "SELECT id, "+number+" AS bucket, "+g.f.samples+" FROM samples WHERE "+where+" GROUP BY id, bucket ORDER BY id, bucket", args, count, answers)
	}
	return db.eachRun(ctx, where, args, func(id uint64, at []int64, values []float64) error {
		s := answers.of[id]
		if s == nil {
			return nil // it appeared between two statements
		}
		return count(s.take(&answers.gathering, at, values))
	})
}

// rolled is the statement for the buckets of the rollups.
func rolled(function string, from sources, of string, g gathering) string {
	const at = "(toInt64(toUnixTimestamp(t)) * 1000)"
	begin := g.windows.start - g.windows.length
	number, condition := g.buckets.number(at, begin)
	condition += " AND n > 0"
	if function == latest { // the row that ends with the window, whatever is in it
		begin = g.windows.start - from.rollup.width
		number = fmt.Sprintf("intDiv(%s - %d, %d)", at, g.windows.start, g.buckets.distance())
		condition = fmt.Sprintf(" AND (%s - %d) %% %d = 0", at, g.windows.start, g.buckets.distance())
	}
	return fmt.Sprintf("SELECT id, %s AS bucket, %s FROM %s AS rollup FINAL WHERE t > toDateTime(%d, 'UTC') AND t <= toDateTime(%d, 'UTC')%s AND %s%s GROUP BY id, bucket ORDER BY id, bucket",
		number, g.f.rollup, from.rollup.table, max(begin, 0)/1000, from.until/1000, from.rollup.days(begin, from.until), of, condition)
}

// readBuckets reads what a statement gathers.
func (db *DB) readBuckets(ctx context.Context, statement string, args []any, count func(int) error, answers *chooser) error {
	var (
		id, n, distinct         proto.ColUInt64
		bucket, firstAt, lastAt proto.ColInt64
		x, y, z                 proto.ColFloat64
	)
	into := proto.Results{{Data: &id}, {Data: &bucket}, {Data: &n}, {Data: &distinct}, {Data: &firstAt}, {Data: &lastAt}, {Data: &x}, {Data: &y}, {Data: &z}}
	return db.columns(ctx, statement, args, into, func(rows int) error {
		for i := range rows {
			answers.add(id[i], int(bucket[i]), gathered{n: n[i], distinct: distinct[i], firstAt: firstAt[i], lastAt: lastAt[i], x: x[i], y: y[i], z: z[i]})
		}
		return count(rows)
	})
}

// rollup is a table of rollups and how much time a row has.
type rollup struct {
	table string
	width int64
}

var (
	fiveMinutes = rollup{"rollup_5m", 300_000}
	hours       = rollup{"rollup_1h", 3600_000}
	days        = rollup{"rollup_1d", dayMillis}
)

// days narrows a range of rows by the first column of the table's key.
func (r rollup) days(from, to int64) string {
	if r != fiveMinutes {
		return ""
	}
	return fmt.Sprintf(" AND intDiv(toUnixTimestamp(t), 86400) BETWEEN %d AND %d", max(from, 0)/dayMillis, to/dayMillis)
}

// rollupFor is the coarsest table in which windows are whole rows. The latest sample is
// also that of a longer row: its time says whether it is recent enough.
func rollupFor(function string, w windows, b buckets) rollup {
	for _, r := range []rollup{days, hours, fiveMinutes} {
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
