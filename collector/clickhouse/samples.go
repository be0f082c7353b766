package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/labels"

	"mcloud"
)

// MaxBatch is the largest number of samples in one Batch: a batch is one block
// of the table, which is written and remembered as a whole.
const MaxBatch = 500_000

// Batch is samples in columns: sample i has the labels Series[Ref[i]], the time
// Time[i] in milliseconds since 1970 and the value Value[i], of which every bit
// is kept (stale markers are NaNs).
type Batch struct {
	Series []labels.Labels
	Ref    []uint32
	Time   []int64
	Value  []float64
}

// Validate returns an error wrapping mcloud.ErrInvalid.
func (b Batch) Validate() error {
	switch n := len(b.Ref); {
	case len(b.Time) != n || len(b.Value) != n:
		return fmt.Errorf("%w: a batch has %d references, %d times and %d values, want as many of each", mcloud.ErrInvalid, n, len(b.Time), len(b.Value))
	case n > MaxBatch:
		return fmt.Errorf("%w: a batch has %d samples, at most %d are written at once", mcloud.ErrInvalid, n, MaxBatch)
	}
	for i, ref := range b.Ref {
		if int(ref) >= len(b.Series) {
			return fmt.Errorf("%w: sample %d is of series %d of %d", mcloud.ErrInvalid, i, ref, len(b.Series))
		}
	}
	return nil
}

// maxTime is the first millisecond of 2106, where the sort key's DateTime ends.
const maxTime = 4291747200000

// WriteSamples writes a batch; when it returns nil the samples are stored, once,
// however often it is called with the same token. A token names a batch for
// ever: it must not come back with other samples. The last 10,000 blocks are
// remembered, a block being what one batch has in one week.
//
// Samples before 1970 or after 2105 are counted and left out. An error wraps
// ErrUnavailable when the same call may succeed later, mcloud.ErrInvalid when
// it cannot; any other means that the store needs a person.
func (db *DB) WriteSamples(ctx context.Context, token string, b Batch) error {
	if token == "" {
		return fmt.Errorf("%w: a batch without a token", mcloud.ErrInvalid)
	}
	if err := b.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()

	days := make([]span, len(b.Series))
	for i := range days {
		days[i] = span{1, 0}
	}
	var newest day
	kept := 0
	for i, ref := range b.Ref {
		if b.Time[i] < 0 || b.Time[i] >= maxTime {
			continue
		}
		kept++
		d, s := dayOf(b.Time[i]), &days[ref]
		if s.last < s.first {
			*s = span{d, d}
		} else {
			s.first, s.last = min(s.first, d), max(s.last, d)
		}
		newest = max(newest, d)
	}
	db.metrics.skipped.Add(float64(len(b.Ref) - kept))
	if kept == 0 {
		return nil
	}

	var (
		ids  = make([]uint64, 0, kept)
		ts   = make([]int64, 0, kept)
		v    = make([]int64, 0, kept)
		e    = make([]int8, 0, kept)
		fill = func() error {
			db.series.Lock()
			defer db.series.Unlock()
			entries, err := db.register(ctx, b.Series, days)
			if err != nil {
				return err
			}
			for i, ref := range b.Ref {
				if b.Time[i] < 0 || b.Time[i] >= maxTime {
					continue
				}
				k := entries[ref]
				value, exponent := encode(b.Value[i], k.exponent)
				if exponent != rawBits {
					k.exponent = exponent
				}
				ids, ts, v, e = append(ids, k.id), append(ts, b.Time[i]), append(v, value), append(e, exponent)
			}
			db.series.forget(newest)
			return nil
		}
	)
	if err := fill(); err != nil {
		return err
	}
	err := db.insert(ctx, "samples", token, []column{
		{"id", "UInt64", ids}, {"ts", "DateTime64(3, 'UTC')", ts}, {"v", "Int64", v}, {"e", "Int8", e},
	})
	if err != nil {
		return err
	}
	if err := db.mark(ctx, ids, ts); err != nil {
		return err
	}
	db.metrics.samples.Add(float64(kept))
	return nil
}

// eachRun reads the samples that a condition selects, and calls f for runs of one series:
// those come in the order of time, and a sample as often as it is stored; the series take
// turns. The slices are f's until it returns.
func (db *DB) eachRun(ctx context.Context, where string, args []any, f func(id uint64, at []int64, values []float64) error) error {
	var (
		id     proto.ColUInt64
		at, v  proto.ColInt64
		e      proto.ColInt8
		values []float64
	)
	into := proto.Results{{Data: &id}, {Data: &at}, {Data: &v}, {Data: &e}}
	// The order is the key's, in which they are read without sorting.
	statement := "SELECT id, toUnixTimestamp64Milli(ts), v, e FROM samples WHERE " + where + " ORDER BY " + bucket + ", id, ts"
	return db.columns(ctx, statement, args, into, func(rows int) error {
		values = values[:0]
		for i := range rows {
			values = append(values, decode(v[i], e[i]))
		}
		for begin := 0; begin < rows; {
			end := begin + 1
			for end < rows && id[end] == id[begin] {
				end++
			}
			if err := f(id[begin], at[begin:end], values[begin:end]); err != nil {
				return err
			}
			begin = end
		}
		return nil
	})
}

// Count is the answer of CountCheck.
type Count struct {
	// Total is the number of rows, Duplicate how many of them have the series
	// and the time of another.
	Total, Duplicate uint64
}

// CountCheck counts all samples and those stored more than once. It reads the
// whole table, in the order of its key and with little memory.
func (db *DB) CountCheck(ctx context.Context) (Count, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	var c Count
	err := db.conn.QueryRow(ctx, `SELECT sum(n), toUInt64(sum(n) - sum(times)) FROM (
		SELECT count() AS n, uniqExact(ts) AS times FROM samples
		GROUP BY `+bucket+`, id
	) SETTINGS optimize_aggregation_in_order = 1`).Scan(&c.Total, &c.Duplicate)
	return c, db.wrap(ctx, "counting samples", err)
}
