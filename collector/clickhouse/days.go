package clickhouse

import (
	"context"
	"fmt"
	"sync"
)

// The rows of days are computed from those of hours: for all series when the last unit of
// a day is, for the series of a late batch again. rollup_days says which days all series
// have their row of; the units of a day say whether it is what its samples are.

// dayNumber counts days by their end: the day n is (n - 1, n] × 86,400 s.
type dayNumber uint32

func (u unit) day() dayNumber {
	return dayNumber((u + dayMillis/unitMillis - 1) / (dayMillis / unitMillis))
}

// ended is the last day that is over.
func (db *DB) ended() dayNumber { return dayNumber(db.now().Add(-rollupGrace).UnixMilli() / dayMillis) }

// rollDays computes the rows of days of the series ids, or of all when it is nil. Rows of
// hours have to be in the table, on every replica.
func (db *DB) rollDays(ctx context.Context, first, last dayNumber, ids []uint64) error {
	if last = min(last, db.ended()); first > last {
		return nil
	}
	s := rollupStep{from: hours, to: days, begin: int64(first-1) * dayMillis, end: int64(last) * dayMillis}
	of := []string{" AND id IN (" + joinIDs(ids) + ")"}
	if ids == nil {
		rows, err := db.countRows(ctx, s)
		if err != nil {
			return err
		}
		of = of[:0]
		for k, n := uint64(0), rows/rollRows+1; k < n; k++ {
			of = append(of, fmt.Sprintf(" AND id %% %d = %d", n, k))
		}
	}
	for _, condition := range of {
		bounded, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
		err := db.wrap(bounded, "computing the rollups of days", db.conn.Exec(bounded, s.statement(condition)))
		cancel()
		if err != nil {
			return err
		}
	}
	if err := db.sync(ctx, s.to.table); err != nil || ids != nil {
		return err
	}
	var whole []uint32
	for d := first; d <= last; d++ {
		whole = append(whole, uint32(d))
	}
	bounded, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	return db.insert(bounded, "rollup_days", "", []column{{"day", "UInt32", whole}})
}

// countRows counts what a step reads.
func (db *DB) countRows(ctx context.Context, s rollupStep) (rows uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	err = db.conn.QueryRow(ctx, "SELECT count() FROM "+s.from.table+" WHERE "+s.condition()).Scan(&rows)
	return rows, db.wrap(ctx, "counting what to roll up", err)
}

// rollMissingDays makes up for the days that are over, have rollups and lack rows of days.
func (db *DB) rollMissingDays(ctx context.Context) error {
	missing, err := db.missingDays(ctx, 0, db.ended())
	for len(missing) > 0 && err == nil {
		n := 1
		for n < len(missing) && n < 31 && missing[n] == missing[n-1]+1 {
			n++
		}
		err = db.rollDays(ctx, missing[0], missing[n-1], nil)
		missing = missing[n:]
	}
	return err
}

// missingDays are the days of [first, last] that have rollups and are not in rollup_days.
func (db *DB) missingDays(ctx context.Context, first, last dayNumber) ([]dayNumber, error) {
	const doing = "looking for days to roll up"
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	rows, err := db.conn.Query(ctx, fmt.Sprintf(`SELECT DISTINCT toUInt32(intDiv(unit + %d, %d)) AS day FROM rollup_units
		WHERE day BETWEEN %d AND %d AND day NOT IN (SELECT day FROM rollup_days) ORDER BY day`, dayMillis/unitMillis-1, dayMillis/unitMillis, first, last))
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	var all []dayNumber
	err = each(rows, func() error {
		var d uint32
		err := rows.Scan(&d)
		all = append(all, dayNumber(d))
		return err
	})
	return all, db.wrap(ctx, doing, err)
}

// wholeDays remembers the stretch of days that are known to have their rows: they never lose
// them, and most questions are about the same ones.
type wholeDays struct {
	sync.Mutex
	first, last dayNumber // last < first: none
}

// haveDays tells whether all series have the rows of the days that (from, to] is made of.
func (db *DB) haveDays(ctx context.Context, from, to int64) (bool, error) {
	first, last := dayNumber(from/dayMillis)+1, dayNumber(to/dayMillis)
	w := &db.days
	w.Lock()
	known := w.first <= first && last <= w.last
	w.Unlock()
	if known {
		return true, nil
	}
	rows, err := db.missingDays(ctx, first, last)
	if err != nil || len(rows) > 0 {
		return false, err
	}
	marked, err := db.countDays(ctx, first, last)
	if err == nil && marked == uint64(last-first)+1 {
		w.Lock()
		if w.last < w.first || first > w.last+1 || last+1 < w.first {
			w.first, w.last = first, last
		} else {
			w.first, w.last = min(w.first, first), max(w.last, last)
		}
		w.Unlock()
	}
	return err == nil, err
}

func (db *DB) countDays(ctx context.Context, first, last dayNumber) (n uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	err = db.conn.QueryRow(ctx, fmt.Sprintf("SELECT uniqExact(day) FROM rollup_days WHERE day BETWEEN %d AND %d", first, last)).Scan(&n)
	return n, db.wrap(ctx, "looking for days", err)
}
