package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Forever is an age that nothing reaches.
const Forever = time.Duration(1<<63 - 1)

// Ages say how long the samples and the rollups of a metric are kept.
type Ages struct{ Raw, FiveMinutes, Hour time.Duration }

// DefaultAges are those of metrics that no class names.
var DefaultAges = Ages{Raw: 90 * 24 * time.Hour, FiveMinutes: 365 * 24 * time.Hour, Hour: Forever}

func (a Ages) withDefaults(d Ages) Ages {
	for _, f := range []struct{ age, d *time.Duration }{{&a.Raw, &d.Raw}, {&a.FiveMinutes, &d.FiveMinutes}, {&a.Hour, &d.Hour}} {
		if *f.age == 0 {
			*f.age = *f.d
		}
	}
	return a
}

// Validate wants a day at least, and that what is coarser is kept as long as
// what is finer.
func (a Ages) Validate() error {
	switch {
	case a.Raw < 24*time.Hour:
		return fmt.Errorf("raw samples for %s: samples are kept for a day at least", a.Raw)
	case a.FiveMinutes < a.Raw:
		return fmt.Errorf("five-minute rollups for %s, raw samples for %s: a rollup is kept as long as what it is made of", a.FiveMinutes, a.Raw)
	case a.Hour < a.FiveMinutes:
		return fmt.Errorf("hour rollups for %s, five-minute ones for %s: a rollup is kept as long as what it is made of", a.Hour, a.FiveMinutes)
	}
	return nil
}

// Class is metrics with ages of their own: those whose whole name matches.
type Class struct {
	Name    string
	Metrics *regexp.Regexp
	Ages
}

// Retention is how long what is kept. The first class that matches a metric
// counts; an age of 0 is that of the metrics without a class, there a default.
type Retention struct {
	Ages
	Classes []Class
}

func (r Retention) withDefaults() Retention {
	r.Ages = r.Ages.withDefaults(DefaultAges)
	r.Classes = slices.Clone(r.Classes)
	for i := range r.Classes {
		r.Classes[i].Ages = r.Classes[i].Ages.withDefaults(r.Ages)
	}
	return r
}

func (r Retention) validate() error {
	if err := r.Ages.Validate(); err != nil {
		return fmt.Errorf("store retention: %w", err)
	}
	for _, c := range r.Classes {
		if c.Metrics == nil {
			return fmt.Errorf("store retention: class %q names no metrics", c.Name)
		}
		if err := c.Ages.Validate(); err != nil {
			return fmt.Errorf("store retention: class %q: %w", c.Name, err)
		}
	}
	return nil
}

// of are the ages of a metric.
func (r Retention) of(metric string) Ages {
	for _, c := range r.Classes {
		if at := c.Metrics.FindStringIndex(metric); at != nil && at[0] == 0 && at[1] == len(metric) {
			return c.Ages
		}
	}
	return r.Ages
}

// since is from when on, in milliseconds, raw samples and five-minute rollups of every
// metric are kept.
func (r Retention) since(now time.Time) (raw, fiveMinutes int64) {
	least := r.Ages
	for _, c := range r.Classes {
		least.Raw, least.FiveMinutes = min(least.Raw, c.Raw), min(least.FiveMinutes, c.FiveMinutes)
	}
	return now.Add(-least.Raw).UnixMilli(), now.Add(-least.FiveMinutes).UnixMilli()
}

// aged is a table that data leaves when it is old.
type aged struct {
	table string
	// end is when the newest that a partition can hold was, in milliseconds.
	end func(partition string) (int64, error)
	age func(Ages) time.Duration
	// within is the condition that a row is of the partition that ends at end.
	within func(end int64) string
}

// seriesGrace is how much longer a series is known than its last sample.
const seriesGrace = 62 * 24 * time.Hour

func longest(a Ages) time.Duration {
	if a.Hour > Forever-seriesGrace {
		return Forever
	}
	return a.Hour + seriesGrace
}

var agedTables = []aged{
	{"samples", weekEnd, func(a Ages) time.Duration { return a.Raw }, func(end int64) string { return timeCondition(end-weekMillis, end-1) }},
	{"rollup_5m", monthEnd, func(a Ages) time.Duration { return a.FiveMinutes }, monthOfRows},
	{"rollup_1h", monthEnd, func(a Ages) time.Duration { return a.Hour }, monthOfRows},
	{"rollup_1d", monthEnd, func(a Ages) time.Duration { return a.Hour }, monthOfRows},
	{"series", monthEnd, longest, nil},
	{"label_index", monthEnd, longest, nil},
	{"slow_queries", monthEnd, func(Ages) time.Duration { return slowQueryAge }, nil},
}

const weekMillis = 7 * dayMillis

// weekEnd is the end of a partition of samples, which is the number of a week.
func weekEnd(partition string) (int64, error) {
	week, err := strconv.ParseInt(partition, 10, 32)
	return (week + 1) * weekMillis, err
}

// monthEnd is the end of a partition that is a month: 202611 or 2026-11-01.
func monthEnd(partition string) (int64, error) {
	layout := "200601"
	if strings.Contains(partition, "-") {
		layout = time.DateOnly
	}
	month, err := time.Parse(layout, strings.Trim(partition, "'"))
	return month.AddDate(0, 1, 0).UnixMilli(), err
}

func monthOfRows(end int64) string {
	to := time.UnixMilli(end).UTC()
	return fmt.Sprintf("t >= toDateTime(%d, 'UTC') AND t < toDateTime(%d, 'UTC')", to.AddDate(0, -1, 0).Unix(), to.Unix())
}

// Retain removes what is older than Options.Retention allows: whole partitions
// where all of one is too old, rows of the classes that are where others stay.
// Samples whose rollups are not computed stay until they are.
func (db *DB) Retain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*db.options.WriteTimeout)
	defer cancel()
	metrics, err := db.metricsByHash(ctx)
	if err != nil {
		return err
	}
	for _, t := range agedTables {
		partitions, err := db.partitions(ctx, t.table)
		if err != nil {
			return err
		}
		for _, p := range partitions {
			if err := db.retain(ctx, t, p, metrics); err != nil {
				return err
			}
		}
	}
	return nil
}

type partition struct{ id, name string }

func (db *DB) partitions(ctx context.Context, table string) ([]partition, error) {
	const doing = "looking for what is too old"
	rows, err := db.conn.Query(ctx, "SELECT DISTINCT partition_id, partition FROM "+db.system("parts")+" WHERE database = {database:String} AND table = {table:String} AND active ORDER BY partition_id",
		named("database", db.options.Database), named("table", db.local(table)))
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	var all []partition
	err = each(rows, func() error {
		var p partition
		err := rows.Scan(&p.id, &p.name)
		all = append(all, p)
		return err
	})
	return all, db.wrap(ctx, doing, err)
}

// metricsByHash are the names of all metrics by the upper half of their series'
// ids, by which the tables of numbers tell them.
func (db *DB) metricsByHash(ctx context.Context) (map[uint64][]string, error) {
	if len(db.options.Retention.Classes) == 0 {
		return nil, nil
	}
	names, err := db.metricNames(ctx)
	if err != nil {
		return nil, err
	}
	all := map[uint64][]string{}
	for _, name := range names {
		hash := baseID(labels.FromStrings(model.MetricNameLabel, name)) >> 32
		all[hash] = append(all[hash], name)
	}
	return all, nil
}

func (db *DB) metricNames(ctx context.Context) ([]string, error) {
	const doing = "reading the names of metrics"
	rows, err := db.conn.Query(ctx, "SELECT DISTINCT toString(metric) FROM series")
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	var names []string
	err = each(rows, func() error {
		var name string
		err := rows.Scan(&name)
		names = append(names, strings.Clone(name))
		return err
	})
	return names, db.wrap(ctx, doing, err)
}

// retain applies the retention to one partition.
func (db *DB) retain(ctx context.Context, t aged, p partition, metrics map[uint64][]string) error {
	end, err := t.end(p.name)
	if err != nil {
		return fmt.Errorf("partition %s of %s is none of mcloud's: %w", p.name, t.table, err)
	}
	age := db.now().Sub(time.UnixMilli(end))
	r := db.options.Retention
	oldest := t.age(r.Ages)
	expired := age >= oldest
	// Those that differ: kept where the others go, or gone where they stay. Two
	// metrics whose hashes are the same go when both do.
	differ := map[uint64]bool{}
	for hash, names := range metrics {
		goes := true
		for _, name := range names {
			a := t.age(r.of(name))
			oldest, goes = max(oldest, a), goes && age >= a
		}
		if goes != expired {
			differ[hash] = true
		}
	}
	if !expired && len(differ) == 0 {
		return nil
	}
	if t.table == "samples" {
		last := unitOf(end)
		waiting, err := db.pendingUnits(ctx, last-weekMillis/unitMillis, last)
		if err != nil || len(waiting) > 0 {
			return err
		}
	}
	if expired && (age >= oldest || len(differ) == 0) {
		err := db.conn.Exec(ctx, "ALTER TABLE "+db.altered(t.table)+" DROP PARTITION ID '"+p.id+"'")
		if err == nil {
			db.metrics.dropped.WithLabelValues(t.table).Inc()
			db.options.Logger.Info("dropped what is older than its retention", "table", t.table, "partition", p.name)
		}
		return db.wrap(ctx, "dropping partition "+p.name+" of "+t.table, err)
	}
	not := ""
	if expired {
		not = "NOT "
	}
	within := ""
	if t.within != nil {
		within = t.within(end)
	}
	return db.deleteMetrics(ctx, t.table, p, within, "intDiv(id, 4294967296) "+not+"IN ("+joinIDs(slices.Sorted(maps.Keys(differ)))+")")
}

// deleteMetrics deletes rows of a partition unless there are none, or they are
// being deleted.
func (db *DB) deleteMetrics(ctx context.Context, table string, p partition, within, condition string) error {
	doing := "deleting rows of partition " + p.name + " of " + table
	var left, running uint64
	in := "_partition_id = {p:String}"
	if db.local(table) != table {
		in = within // a Distributed table has no such column
	}
	if err := db.conn.QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+table+" WHERE "+in+" AND "+condition+" LIMIT 1)", named("p", p.id)).Scan(&left); err != nil || left == 0 {
		return db.wrap(ctx, doing, err)
	}
	if err := db.conn.QueryRow(ctx, "SELECT count() FROM "+db.system("mutations")+" WHERE database = {database:String} AND table = {table:String} AND NOT is_done",
		named("database", db.options.Database), named("table", db.local(table))).Scan(&running); err != nil || running > 0 {
		return db.wrap(ctx, doing, err)
	}
	err := db.conn.Exec(ctx, "ALTER TABLE "+db.altered(table)+" DELETE IN PARTITION ID '"+p.id+"' WHERE "+condition+" SETTINGS mutations_sync = 1")
	if err == nil {
		db.metrics.dropped.WithLabelValues(table).Inc()
		db.options.Logger.Info("deleted metrics that are older than their class's retention", "table", table, "partition", p.name)
	}
	return db.wrap(ctx, doing, err)
}

// dropTTLs takes the TTLs away that migration 0001 gave its tables: they know
// neither rollups nor classes, Retain does.
func (db *DB) dropTTLs(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	for _, table := range []string{"samples", "series", "label_index"} {
		for try := 0; ; try++ {
			var has uint8
			err := db.conn.QueryRow(ctx, "SELECT position(create_table_query, ' TTL ') > 0 FROM system.tables WHERE database = {database:String} AND name = {table:String}",
				named("database", db.options.Database), named("table", db.local(table))).Scan(&has)
			if err == nil && has == 0 {
				break
			}
			if err == nil {
				err = db.conn.Exec(ctx, "ALTER TABLE "+db.altered(table)+" REMOVE TTL")
			}
			// Another process may have removed it in the meantime.
			if err != nil && try > 0 {
				return db.wrap(ctx, "taking the TTL from "+table, err)
			}
		}
	}
	return nil
}
