package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// older puts before the samples of a query those of the time whose raw samples
// are gone: the last sample of each row of rollups, at the time it had. It is a
// sample that there was, one in five minutes or in an hour; questions about what
// was between them are answered from the rollups' other columns or not at all.
func (q *querier) older(ctx context.Context, set []*series, found map[uint64]labels.Labels, of string, args []any, mint, maxt int64, hints *storage.SelectHints) ([]*series, error) {
	now, retention := q.db.now(), q.db.options.Retention
	raw := retention.Raw
	for _, c := range retention.Classes {
		raw = min(raw, c.Raw)
	}
	if maxt = min(maxt, now.Add(-raw).UnixMilli()); mint > maxt {
		return set, nil
	}
	from, to := clamp(mint)/1000, clamp(maxt)/1000
	table, day := "rollup_1h", ""
	if hints != nil && hints.Step > 0 && hints.Step < time.Hour.Milliseconds() && mint > now.Add(-retention.FiveMinutes).UnixMilli() {
		table, day = "rollup_5m", fmt.Sprintf("intDiv(toUnixTimestamp(t), 86400) BETWEEN %d AND %d AND ", from/86400, (to+300)/86400)
	}
	statement := fmt.Sprintf(`SELECT id, toUnixTimestamp64Milli(last_ts), v_last, e FROM %s FINAL
		WHERE %st >= toDateTime(%d, 'UTC') AND t <= toDateTime(%d, 'UTC') AND n > 0 AND %s ORDER BY id, t`, table, day, from, to+3600, of)
	rows, err := q.db.conn.Query(clickhouse.Context(ctx, clickhouse.WithBlockBufferSize(4)), statement, args...)
	if err != nil {
		return nil, q.db.wrap(ctx, "reading rollups", err)
	}
	begun := map[string]*series{}
	n := 0
	for _, s := range set {
		begun[s.labels.String()] = s
		n += len(s.times)
	}
	var (
		newer   *series // the raw samples of current
		current *series // gathers what is before that of the raw samples
		last    uint64
		ts, v   int64
		id      uint64
		e       int8
	)
	join := func() {
		if current == nil || len(current.times) == 0 {
			return
		}
		if newer != nil {
			newer.times, newer.values = append(current.times, newer.times...), append(current.values, newer.values...)
		} else {
			set = append(set, current)
		}
	}
	err = each(rows, func() error {
		if err := rows.Scan(&id, &ts, &v, &e); err != nil {
			return err
		}
		if current == nil || id != last {
			join()
			current = nil
			ls, is := found[id]
			if !is {
				return nil
			}
			current, last, newer = &series{labels: ls}, id, begun[ls.String()]
		}
		if ts < mint || ts > maxt || newer != nil && ts >= newer.times[0] {
			return nil
		}
		if n++; n > q.db.options.MaxSamples {
			return fmt.Errorf("%w: the query loads more than %d samples, ask for fewer series or less time", ErrTooMuch, q.db.options.MaxSamples)
		}
		current.times, current.values = append(current.times, ts), append(current.values, decode(v, e))
		return nil
	})
	join()
	return set, q.db.wrap(ctx, "reading rollups", err)
}
