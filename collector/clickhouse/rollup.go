package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rollups are computed for units of time that are over, from the raw samples,
// and again for those that got late samples: see migrations/0003_rollups.sql for
// what is in them and marker for how it is known. Computing a unit again gives
// the same rows, so a process that is killed at any point of it, and two that
// do the same work, are no harm.

// Roll computes the rollups that are due and returns how many units it computed.
// Errors wrap ErrUnavailable when the next call may succeed.
func (db *DB) Roll(ctx context.Context) (units int, err error) {
	return db.rollDue(ctx, func(time.Duration) {})
}

// rollDue is Roll that tells rest after each computation, which may wait, how long it took.
func (db *DB) rollDue(ctx context.Context, rest func(took time.Duration)) (units int, err error) {
	all, err := db.due(ctx)
	if err != nil {
		return 0, err
	}
	db.metrics.rollupPending.Set(float64(len(all)))
	if len(all) > 0 {
		// Whoever has the marks has to have the samples.
		if err := db.sync(ctx, "samples"); err != nil {
			return 0, err
		}
	}
	for len(all) > 0 {
		n := run(all)
		planned, err := db.plan(ctx, all[:n])
		if err != nil {
			return units, err
		}
		for _, s := range planned {
			began := time.Now()
			if err := db.roll(ctx, s); err != nil {
				db.metrics.rollupFailures.Inc()
				return units, fmt.Errorf("rolling up %s to %s: %w", moment(s.first().start()), moment(s.last().end()), err)
			}
			units += len(s.units)
			db.metrics.rollupUnits.Add(float64(len(s.units)))
			db.metrics.rollupPending.Sub(float64(len(s.units)))
			rest(time.Since(began))
		}
		all = all[n:]
	}
	return units, db.rollMissingDays(ctx)
}

func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// due are the units to be computed that are over.
func (db *DB) due(ctx context.Context) ([]pending, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	return db.pendingUnits(ctx, 0, unitOf(db.now().Add(-rollupGrace).UnixMilli())-1)
}

// stretch is units that one computation does, and those between them that it may
// as well do again: of the series ids, or of all when it is nil. rows is about how
// many samples it reads.
type stretch struct {
	units []pending
	ids   []uint64
	rows  uint64
}

func (s stretch) first() unit { return s.units[0].unit }
func (s stretch) last() unit  { return s.units[len(s.units)-1].unit }

const (
	// rollRows is about how many samples one statement rolls up: it holds them in
	// memory, some 50 bytes each.
	rollRows = 4_000_000
	// rollUnits bounds a stretch, a month: what was computed is not computed again
	// after a kill.
	rollUnits = 31 * 12
	// rollGap is how many samples between two units are read again sooner than that
	// another statement is made.
	rollGap = 200_000
	// unitRows is taken for the samples of one series in a unit, one every 15 s.
	unitRows = unitMillis / 15_000
)

// run is how many of the first units are within a month, and all for some series or
// all for every one.
func run(all []pending) int {
	n := 1
	for n < len(all) && all[n].unit < all[0].unit+rollUnits && (all[n].ids == nil) == (all[0].ids == nil) {
		n++
	}
	return n
}

// plan cuts a run into stretches of rollRows or so; each statement costs some
// tenths of a second beside what its samples cost.
func (db *DB) plan(ctx context.Context, all []pending) ([]stretch, error) {
	if len(all) == 1 && all[0].ids != nil {
		return []stretch{{units: all, ids: all[0].ids, rows: 1}}, nil
	}
	rows, err := db.countBuckets(ctx, all[0].unit-1, all[len(all)-1].unit)
	if err != nil {
		return nil, err
	}
	return cut(all, rows), nil
}

// cut is plan's decision: units are computed together where that is fewer statements
// for not many more samples. rows are the samples of all series by bucket.
func cut(all []pending, rows map[unit]uint64) []stretch {
	var planned []stretch
	for _, p := range all {
		if n := len(planned); n == 0 || !planned[n-1].take(p, rows) {
			planned = append(planned, stretch{})
			planned[n].take(p, rows)
		}
	}
	return planned
}

// take adds a later unit to a stretch, unless both together become too much. An empty one
// takes any.
func (s *stretch) take(p pending, rows map[unit]uint64) bool {
	ids := p.ids
	if s.ids != nil {
		ids = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.ids, p.ids))))
	}
	read := func(rows uint64) uint64 { // of a unit
		if ids == nil {
			return rows
		}
		return min(rows, uint64(len(ids))*unitRows)
	}
	// The unit's bucket, and of the next one the first moment.
	of := rows[p.unit-1]
	if of == 0 {
		of = min(rows[p.unit], 1)
	}
	var between uint64
	if len(s.units) > 0 {
		for u := s.last() + 1; u < p.unit; u++ {
			between += read(rows[u-1])
		}
		if len(ids) > maxRollIDs || between > rollGap || s.rows+between+read(of) > rollRows {
			return false
		}
	}
	s.units, s.ids, s.rows = append(s.units, p), ids, s.rows+between+read(of)
	return true
}

// countBuckets counts the samples by the first column of the key.
func (db *DB) countBuckets(ctx context.Context, from, to unit) (map[unit]uint64, error) {
	return db.byUnit(ctx, "counting what to roll up",
		fmt.Sprintf("SELECT toUInt32(%s) AS b, count() FROM samples WHERE %[1]s BETWEEN %d AND %d GROUP BY b", bucket, from, to))
}

// Upkeep rolls up every period and applies the retention every hour, until ctx
// ends. It rests as long as it works: a backlog, as after an import, leaves room for
// those who ask. Any number of processes may do it for one store.
func (db *DB) Upkeep(ctx context.Context, period time.Duration) {
	rest := func(took time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(took):
		}
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	var retained time.Time
	for failing := false; ; {
		began := time.Now()
		units, err := db.rollDue(ctx, rest)
		if err == nil && time.Since(retained) >= time.Hour {
			if err = db.Retain(ctx); err == nil {
				retained = time.Now()
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			db.options.Logger.Error("rollups and retention wait; long questions are answered from the samples until they can be done", "error", err)
		case err == nil && units > 0:
			db.options.Logger.Debug("rolled up", "units", units, "seconds", time.Since(began).Seconds())
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// roll computes a stretch and takes its marks back.
func (db *DB) roll(ctx context.Context, s stretch) error {
	ranges := []string{""}
	switch {
	case s.rows == 0:
		ranges = nil
	case s.ids != nil:
		ranges[0] = " AND id IN (" + joinIDs(s.ids) + ")"
	case s.rows > rollRows:
		var err error
		if ranges, err = db.slices(ctx, s); err != nil {
			return err
		}
	}
	for _, ids := range ranges {
		step := rollupStep{from: fiveMinutes, to: hours, begin: s.first().start(), end: s.last().end()}
		for _, into := range []struct{ table, statement string }{{fiveMinutes.table, rollSamples(s, ids)}, {hours.table, step.statement(ids)}} {
			bounded, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
			err := db.wrap(bounded, "computing rollups", db.conn.Exec(bounded, into.statement))
			cancel()
			if err == nil {
				err = db.sync(ctx, into.table)
			}
			if err != nil {
				return err
			}
		}
	}
	if ranges != nil {
		if err := db.rollDays(ctx, s.first().day(), s.last().day(), s.ids); err != nil {
			return err
		}
	}
	bounded, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	return db.rolled(bounded, s.units)
}

// slices cuts a stretch's series into conditions on id that select about rollRows
// samples each, the last one without an upper bound.
func (db *DB) slices(ctx context.Context, s stretch) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	rows, err := db.conn.Query(ctx, fmt.Sprintf(`SELECT max(id) FROM (
		SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS total
		FROM (SELECT id, count() AS n FROM samples WHERE %s GROUP BY id)
	) GROUP BY intDiv(total, %d) ORDER BY 1`, s.condition(), rollRows))
	if err != nil {
		return nil, db.wrap(ctx, "looking for what to roll up", err)
	}
	var conditions []string
	from := ""
	err = each(rows, func() error {
		var last uint64
		if err := rows.Scan(&last); err != nil {
			return err
		}
		conditions = append(conditions, fmt.Sprintf("%s AND id <= %d", from, last))
		from = fmt.Sprintf(" AND id > %d", last)
		return nil
	})
	if n := len(conditions); n > 0 {
		conditions[n-1] = conditions[n-1][:strings.LastIndex(conditions[n-1], " AND ")]
	}
	return conditions, db.wrap(ctx, "looking for what to roll up", err)
}

// condition selects the samples of a stretch: those of the units' buckets but for
// the first moment, and of the next bucket that moment.
func (s stretch) condition() string { return timeCondition(s.first().start()+1, s.last().end()) }

const (
	// staleBits are those of Prometheus's stale marker (value.StaleNaN) as an Int64.
	staleBits = "9218868437227405314"
	// exact is up to where every integer is a float: 2^53, with some room.
	exact = "9e15"

	rollupColumns = "(id, t, seen, n, stale, e, v_sum, v_min, v_max, v_first, v_last, v_fell, first_ts, last_ts)"
	// fall is what a counter's reset adds to its increase: the value before it.
	fall = "(a, b) -> if(b < a, a, 0)"
)

// layers nests SELECTs, each of which adds columns that are made from those of
// the one inside. Columns that use each other within one SELECT are expanded
// into each other by the engine, which then thinks for seconds.
func layers(inner string, added ...string) string {
	for _, columns := range added {
		inner = "SELECT *, " + columns + " FROM (" + inner + ")"
	}
	return inner
}

// rollSamples is the statement that computes rollup_5m for a stretch.
//
// Most buckets are plain: one exponent, no marker, no float's bits, times that
// ascend. For them the sums of integers do; the others go through z (sorted), u (each
// time once), w (without stale markers), and then either d (integers of one exponent)
// or f (floats), g (those that are numbers). plain ones have all of these empty.
func rollSamples(s stretch, ids string) string {
	return `INSERT INTO rollup_5m ` + rollupColumns + `
SELECT id, toDateTime(k * 300, 'UTC'), seen, n,
	NOT plain AND u[-1].3 = 127 AND u[-1].2 = ` + staleBits + `,
	multiIf(plain, ehi, n = 0, 0, decimal, top, 127),
	multiIf(plain, vsum, decimal, arraySum(d), reinterpretAsInt64(if(isFinite(arraySum(f)), arrayReduce('sumKahan', f), arraySum(f)))),
	multiIf(plain, vlo, decimal, arrayMin(d), reinterpretAsInt64(if(empty(g), nan, arrayMin(g)))),
	multiIf(plain, vhi, decimal, arrayMax(d), reinterpretAsInt64(if(empty(g), nan, arrayMax(g)))),
	multiIf(plain, vs[1], decimal, d[1], reinterpretAsInt64(f[1])),
	multiIf(plain, vs[-1], decimal, d[-1], reinterpretAsInt64(f[-1])),
	if(plain OR decimal, arraySum(` + fall + `, arrayPopBack(i), arrayPopFront(i)), reinterpretAsInt64(arraySum(` + fall + `, arrayPopBack(f), arrayPopFront(f)))),
	fromUnixTimestamp64Milli(if(plain, ms[1], w[1].1), 'UTC'), fromUnixTimestamp64Milli(if(plain, ms[-1], w[-1].1), 'UTC')
FROM (` + layers(`
	SELECT id, intDiv(toUnixTimestamp64Milli(ts) + 299999, 300000) AS k, count() AS seen,
		groupArray(toUnixTimestamp64Milli(ts)) AS ms, groupArray(v) AS vs, groupArray(e) AS es,
		min(e) AS elo, max(e) AS ehi, sum(v) AS vsum, min(v) AS vlo, max(v) AS vhi
	FROM samples WHERE `+s.condition()+ids+` GROUP BY id, k
`,
		`elo = ehi AND ehi < 127 AND greatest(abs(toFloat64(vlo)), abs(toFloat64(vhi))) * seen < 9e18
			AND arrayAll(x -> x > 0, arrayPopFront(arrayDifference(ms))) AS plain`,
		`arraySort(x -> x.1, arrayZip(if(plain, [], ms), if(plain, [], vs), if(plain, [], es))) AS z`,
		`arrayFilter((x, before) -> x.1 != before, z, arrayResize(arrayPushFront(z.1, -1), length(z))) AS u`,
		`arrayFilter(x -> NOT (x.3 = 127 AND x.2 = `+staleBits+`), u) AS w`,
		`arrayMax(x -> if(x.3 = 127, 0, x.3), w) AS top, if(plain, seen, length(w)) AS n`,
		`NOT plain AND n < 1000 AND arrayAll(x -> x.3 != 127 AND abs(toFloat64(x.2)) * intExp10(top - x.3) < `+exact+`, w) AS decimal`,
		`arrayMap(x -> x.2 * intExp10(top - x.3), if(decimal, w, [])) AS d,
			arrayMap(x -> if(x.3 = 127, reinterpretAsFloat64(x.2), x.2 / intExp10(x.3)), if(decimal, [], w)) AS f`,
		`if(plain, vs, d) AS i, arrayFilter(x -> NOT isNaN(x), f) AS g`,
	) + `)`
}

// rollupStep computes rows of one table of rollups from those of a finer one, of
// (begin, end] in milliseconds.
type rollupStep struct {
	from, to   rollup
	begin, end int64
}

// condition selects the rows that it reads.
func (s rollupStep) condition() string {
	return fmt.Sprintf("t > toDateTime(%d, 'UTC') AND t <= toDateTime(%d, 'UTC')%s", s.begin/1000, s.end/1000, s.from.days(s.begin, s.end))
}

// statement computes the rows of the series that a condition selects. w are those that it
// is made of with samples, as tuples of columns; d and f their sum, min, max, first, last
// and fell as integers of one exponent or as floats.
func (s rollupStep) statement(ids string) string {
	width := strconv.FormatInt(s.to.width/1000, 10)
	return `INSERT INTO ` + s.to.table + ` ` + rollupColumns + `
SELECT id, toDateTime(k * ` + width + `, 'UTC'), seen, n, z[-1].3,
	multiIf(n = 0, 0, decimal, top, 127),
	if(decimal, arraySum(d.1), reinterpretAsInt64(if(isFinite(arraySum(f.1)), arrayReduce('sumKahan', f.1), arraySum(f.1)))),
	if(decimal, arrayMin(d.2), reinterpretAsInt64(if(empty(lo), nan, arrayMin(lo)))),
	if(decimal, arrayMax(d.3), reinterpretAsInt64(if(empty(hi), nan, arrayMax(hi)))),
	if(decimal, d.4[1], reinterpretAsInt64(f.4[1])),
	if(decimal, d.5[-1], reinterpretAsInt64(f.5[-1])),
	if(decimal, arraySum(d.6) + arraySum(` + fall + `, arrayPopBack(d.5), arrayPopFront(d.4)),
		reinterpretAsInt64(arraySum(f.6) + arraySum(` + fall + `, arrayPopBack(f.5), arrayPopFront(f.4)))),
	w[1].11, w[-1].12
FROM (` + layers(`
	SELECT id, intDiv(toUnixTimestamp(t) + `+width+` - 1, `+width+`) AS k, sum(seen) AS seen,
		arraySort(x -> x.1, groupArray((t, n, stale, e, v_sum, v_min, v_max, v_first, v_last, v_fell, first_ts, last_ts))) AS z
	FROM `+s.from.table+` FINAL
	WHERE `+s.condition()+ids+`
	GROUP BY id, k
`,
		`arrayFilter(x -> x.2 > 0, z) AS w`,
		`arrayMax(x -> if(x.4 = 127, 0, x.4), w) AS top, arraySum(w.2) AS n`,
		`arrayAll(x -> x.4 != 127
			AND greatest(abs(toFloat64(x.6)), abs(toFloat64(x.7))) * intExp10(top - x.4) < `+exact+`
			AND greatest(abs(toFloat64(x.5)), abs(toFloat64(x.10))) * intExp10(top - x.4) < 7e17, w) AS decimal`,
		`arrayMap(x -> (x.5 * intExp10(top - x.4), x.6 * intExp10(top - x.4), x.7 * intExp10(top - x.4), x.8 * intExp10(top - x.4), x.9 * intExp10(top - x.4), x.10 * intExp10(top - x.4)), if(decimal, w, [])) AS d,
			arrayMap(x -> (`+number("x.5")+`, `+number("x.6")+`, `+number("x.7")+`, `+number("x.8")+`, `+number("x.9")+`, `+number("x.10")+`), if(decimal, [], w)) AS f`,
		`arrayFilter(x -> NOT isNaN(x), f.2) AS lo, arrayFilter(x -> NOT isNaN(x), f.3) AS hi`,
	) + `)`
}

// number is a column of a tuple x of a rollupStep as a float.
func number(column string) string {
	return "if(x.4 = 127, reinterpretAsFloat64(" + column + "), " + column + " / intExp10(x.4))"
}
