package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"mcloud"
)

// slowQueryAge is how long slow queries are kept.
const slowQueryAge = 90 * 24 * time.Hour

// MaxSlowQueries bounds one answer of SlowQueries.
const MaxSlowQueries = 10_000

// WriteSlowQueries stores slow queries; those that are stored already stay as they
// are. Errors wrap mcloud.ErrInvalid or ErrUnavailable where that is the cause.
func (db *DB) WriteSlowQueries(ctx context.Context, queries []mcloud.SlowQuery) error {
	n := len(queries)
	var (
		ts, start, end                                   = make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
		id, expression, kind, reason, fault, user, asked = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		step, seconds                                    = make([]float64, n), make([]float64, n)
		samples, peak                                    = make([]int64, n), make([]int64, n)
		pushed                                           = make([]uint8, n)
	)
	for i, q := range queries {
		if err := storable(q.Time); err != nil {
			return fmt.Errorf("slow query %s: %w", q.ID, err)
		}
		// A range may begin before 1970, or end after all times.
		ts[i], start[i], end[i] = q.Time, time.UnixMilli(clamp(q.Start.UnixMilli())), time.UnixMilli(clamp(q.End.UnixMilli()))
		id[i], expression[i], kind[i], reason[i], fault[i], user[i], asked[i] = q.ID, q.Expression, q.Kind, string(q.Reason), q.Error, q.User, q.Collector
		step[i], seconds[i], samples[i], peak[i] = q.StepSeconds, q.Seconds, q.Samples, q.PeakSamples
		if q.PushedDown {
			pushed[i] = 1
		}
	}
	if n == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	return db.insert(ctx, "slow_queries", "", []column{
		{"ts", "DateTime64(3, 'UTC')", ts}, {"id", "String", id}, {"expression", "String", expression}, {"kind", "LowCardinality(String)", kind},
		{"range_start", "DateTime64(3, 'UTC')", start}, {"range_end", "DateTime64(3, 'UTC')", end},
		{"step", "Float64", step}, {"seconds", "Float64", seconds}, {"samples", "Int64", samples}, {"peak_samples", "Int64", peak},
		{"pushed_down", "UInt8", pushed}, {"reason", "LowCardinality(String)", reason}, {"error", "String", fault},
		{"user", "String", user}, {"collector", "LowCardinality(String)", asked},
	})
}

// SlowQueries returns the slow queries that began at or after since, those that took
// longest first, at most top of them. The zero time has no bound; top is between 1 and
// MaxSlowQueries.
func (db *DB) SlowQueries(ctx context.Context, since time.Time, top int) ([]mcloud.SlowQuery, error) {
	const doing = "reading slow queries"
	if top < 1 || top > MaxSlowQueries {
		return nil, fmt.Errorf("%w: %s: %d of them, want between 1 and %d", mcloud.ErrInvalid, doing, top, MaxSlowQueries)
	}
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	from := int64(0)
	if !since.IsZero() {
		from = clamp(since.UnixMilli())
	}
	rows, err := db.conn.Query(ctx, `SELECT id, ts, expression, kind, range_start, range_end, step, seconds, samples, peak_samples, pushed_down, reason, error, user, collector
		FROM slow_queries FINAL WHERE ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') ORDER BY seconds DESC, ts, id LIMIT `+strconv.Itoa(top), named("from", from))
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	queries := []mcloud.SlowQuery{}
	err = each(rows, func() error {
		var q mcloud.SlowQuery
		var pushed uint8
		var reason string
		if err := rows.Scan(&q.ID, &q.Time, &q.Expression, &q.Kind, &q.Start, &q.End, &q.StepSeconds, &q.Seconds, &q.Samples, &q.PeakSamples, &pushed, &reason, &q.Error, &q.User, &q.Collector); err != nil {
			return err
		}
		q.PushedDown, q.Reason = pushed == 1, mcloud.SlowReason(reason)
		queries = append(queries, q)
		return nil
	})
	return queries, db.wrap(ctx, doing, err)
}
