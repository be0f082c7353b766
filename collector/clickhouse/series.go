package clickhouse

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"mcloud/collector/replica"
)

// day counts days since 1970-01-01, UTC, as the type Date does.
type day int32

const dayMillis = 24 * 60 * 60 * 1000

func dayOf(ms int64) day { return day(ms / dayMillis) }

func (d day) time() time.Time { return time.Unix(int64(d)*dayMillis/1000, 0).UTC() }

// month is the first day of d's month.
func (d day) month() day {
	t := d.time()
	return day(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix() * 1000 / dayMillis)
}

// baseID is the id a series gets unless another has it: the hash of the metric's
// name above, so that the series of one metric lie together, that of the
// other labels below. FNV-1a, folded from 64 to 32 bits, is the same for ever.
func baseID(ls labels.Labels) uint64 {
	metric, rest := fnv.New64a(), fnv.New64a()
	ls.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			metric.Write([]byte(l.Value))
			return
		}
		rest.Write([]byte(l.Name))
		rest.Write([]byte{0xff})
		rest.Write([]byte(l.Value))
		rest.Write([]byte{0xff})
	})
	fold := func(h uint64) uint64 { return (h>>32 ^ h) & 0xffffffff }
	return fold(metric.Sum64())<<32 | fold(rest.Sum64())
}

// nextID is what a series tries when its id is taken.
func nextID(id uint64) uint64 { return id&^0xffffffff | (id+1)&0xffffffff }

// stored are the labels under which the store has a series of this writer.
func (db *DB) stored(ls labels.Labels) labels.Labels {
	if db.options.Replica == "" {
		return ls
	}
	return labels.NewBuilder(ls).Set(replica.Label, db.options.Replica).Labels()
}

// known is what the writer remembers of a series.
type known struct {
	labels      labels.Labels // without the replica, which is the same for all
	id          uint64
	exponent    int8
	first, last day // written as seen from first to last; last < first before the first time
}

// registry gives series their ids and remembers which days of them are written.
// It grows with the series that are active and forgets those that were last
// seen two days before the newest.
type registry struct {
	sync.Mutex
	byHash map[uint64][]*known
	byID   map[uint64]*known
	newest day
	most   int // series that are written at once
}

func (r *registry) init() {
	r.byHash, r.byID, r.most = map[uint64][]*known{}, map[uint64]*known{}, maxSeriesRows
}

// maxSeriesRows bounds how many series are written at once: with their labels they take
// some kilobytes each, here and in the store.
const maxSeriesRows = 50_000

// wrote notes that the store knows a series, and that it was seen in these days.
func (r *registry) wrote(k *known, in span) {
	switch {
	case k.last < k.first: // the first time
		r.add(k)
		k.first, k.last = in.first, in.last
	case in.first <= k.last+1 && k.first <= in.last+1:
		k.first, k.last = min(k.first, in.first), max(k.last, in.last)
	case in.first > k.last: // a gap: only the newer stretch is remembered
		k.first, k.last = in.first, in.last
	}
}

func (r *registry) find(ls labels.Labels) *known {
	for _, k := range r.byHash[ls.Hash()] {
		if labels.Equal(k.labels, ls) {
			return k
		}
	}
	return nil
}

func (r *registry) add(k *known) {
	h := k.labels.Hash()
	r.byHash[h] = append(r.byHash[h], k)
	r.byID[k.id] = k
}

// forget drops series not seen for two days; they are looked up again should they return.
func (r *registry) forget(today day) {
	if today <= r.newest {
		return
	}
	r.newest = today
	for hash, ks := range r.byHash {
		left := slices.DeleteFunc(ks, func(k *known) bool {
			old := k.last < today-2
			if old {
				delete(r.byID, k.id)
			}
			return old
		})
		if len(left) == 0 {
			delete(r.byHash, hash)
		} else {
			r.byHash[hash] = left
		}
	}
}

// span is the days in which a batch has samples of one series.
type span struct{ first, last day }

// register finds or makes the ids of series, and writes the rows that say so
// unless they are written; days[i] is where series i has samples, an empty span
// for none. Afterwards the returned entries are known to the store. The
// registry must be locked.
func (db *DB) register(ctx context.Context, series []labels.Labels, days []span) ([]*known, error) {
	r := &db.series
	entries := make([]*known, len(series))
	var fresh []*known
	pending := map[uint64][]*known{} // fresh ones by hash, a label set may be twice in a batch
	for i, ls := range series {
		if days[i].last < days[i].first {
			continue
		}
		k := r.find(ls)
		if k == nil {
			h := ls.Hash()
			if at := slices.IndexFunc(pending[h], func(p *known) bool { return labels.Equal(p.labels, ls) }); at >= 0 {
				k = pending[h][at]
			} else {
				k = &known{labels: ls, id: baseID(db.stored(ls)), first: 0, last: -1}
				fresh = append(fresh, k)
				pending[h] = append(pending[h], k)
			}
		}
		entries[i] = k
	}
	if err := db.identify(ctx, fresh); err != nil {
		return nil, err
	}
	type extension struct {
		*known
		span
	}
	wider := map[*known]span{}
	for i, k := range entries {
		if k == nil || k.first <= days[i].first && days[i].last <= k.last {
			continue
		}
		w, is := wider[k]
		if !is {
			w = days[i]
		}
		wider[k] = span{min(w.first, days[i].first), max(w.last, days[i].last)}
	}
	if len(wider) == 0 {
		return entries, nil
	}
	extensions := make([]extension, 0, len(wider))
	for k, w := range wider {
		extensions = append(extensions, extension{k, w})
	}
	slices.SortFunc(extensions, func(a, b extension) int { return compareUint(a.id, b.id) })
	for part := range slices.Chunk(extensions, r.most) {
		var rows seriesRows
		rows.grow(len(part), part[0].known.labels.Len())
		for _, x := range part {
			ls := db.stored(x.known.labels)
			for month := x.span.first.month(); month <= x.span.last; month = (month + 31).month() {
				rows.add(x.known, ls, month, max(month, x.span.first), min((month+31).month()-1, x.span.last))
			}
		}
		if err := db.writeSeries(ctx, &rows); err != nil {
			return nil, err
		}
		// At once: where time is up before all are written, the next try goes on here.
		for _, x := range part {
			r.wrote(x.known, x.span)
		}
	}
	return entries, nil
}

func compareUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// identify settles the ids of fresh series: the one the store has for the same
// labels, else the first from the series' hash on that nobody has.
func (db *DB) identify(ctx context.Context, fresh []*known) error {
	taken := map[uint64]labels.Labels{} // by the store or earlier ones in fresh
	open := fresh
	for round := 0; len(open) > 0; round++ {
		if round > 1000 {
			return fmt.Errorf("no free id for series %s", open[0].labels)
		}
		ask := map[uint64]struct{}{}
		metrics := map[string]struct{}{}
		for _, k := range open {
			if _, asked := taken[k.id]; !asked && db.series.byID[k.id] == nil {
				ask[k.id] = struct{}{}
				metrics[k.labels.Get(model.MetricNameLabel)] = struct{}{}
			}
		}
		if err := db.storedSeries(ctx, ask, metrics, taken); err != nil {
			return err
		}
		var again []*known
		for _, k := range open {
			ls := db.stored(k.labels)
			other, is := taken[k.id]
			if o := db.series.byID[k.id]; !is && o != nil {
				other, is = db.stored(o.labels), true
			}
			if is && !labels.Equal(other, ls) {
				k.id = nextID(k.id)
				again = append(again, k)
				continue
			}
			taken[k.id] = ls
		}
		open = again
	}
	return nil
}

// storedSeries adds to found the labels of those ids that the store knows.
func (db *DB) storedSeries(ctx context.Context, ids map[uint64]struct{}, metrics map[string]struct{}, found map[uint64]labels.Labels) error {
	if len(ids) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(metrics))
	for part := range slices.Chunk(slices.Sorted(maps.Keys(ids)), 50_000) {
		err := db.eachSeries(ctx, "WHERE metric IN {metrics:Array(String)} AND id IN ("+listIDs(part)+")", 0,
			[]any{named("metrics", names)}, func(id uint64, ls labels.Labels) error { found[id] = ls; return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// eachSeries calls f for each series that where selects, in no order, at most
// limit of them unless it is 0.
func (db *DB) eachSeries(ctx context.Context, where string, limit int, args []any, f func(id uint64, ls labels.Labels) error) error {
	statement := "SELECT id, toString(any(metric)), CAST(mapKeys(any(labels)), 'Array(String)'), mapValues(any(labels)) FROM series " + where + " GROUP BY id"
	if limit > 0 {
		statement += " LIMIT " + strconv.Itoa(limit)
	}
	var (
		id     proto.ColUInt64
		metric proto.ColStr
		names  = new(proto.ColStr).Array()
		values = new(proto.ColStr).Array()
	)
	b := labels.NewScratchBuilder(16)
	err := db.columns(ctx, statement, args, proto.Results{{Data: &id}, {Data: &metric}, {Data: names}, {Data: values}}, func(rows int) error {
		at := 0
		for i := range rows {
			b.Reset()
			if name := metric.Row(i); name != "" {
				b.Add(model.MetricNameLabel, name)
			}
			for ; at < int(values.Offsets[i]); at++ {
				b.Add(names.Data.Row(at), values.Data.Row(at))
			}
			b.Sort()
			if err := f(id[i], b.Labels()); err != nil {
				return err
			}
		}
		return nil
	})
	return db.wrap(ctx, "looking for series", err)
}

func joinIDs(ids []uint64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(id, 10))
	}
	return b.String()
}

// listIDs is a SELECT of ids that are many. One literal of text is read a hundred times
// faster than as many of numbers, each of which becomes a part of the statement's tree.
func listIDs(ids []uint64) string {
	return "SELECT toUInt64(arrayJoin(splitByChar(',', '" + joinIDs(ids) + "')))"
}

// seriesRows are rows of the tables series and label_index, in columns.
type seriesRows struct {
	month, first, last []time.Time
	metric             []string
	id                 []uint64
	labels             []map[string]string

	index struct {
		month               []time.Time
		name, value, metric []string
		id                  []uint64
	}
}

// grow makes room for series that have about so many labels each.
func (s *seriesRows) grow(series, each int) {
	s.month, s.first, s.last = make([]time.Time, 0, series), make([]time.Time, 0, series), make([]time.Time, 0, series)
	s.metric, s.id, s.labels = make([]string, 0, series), make([]uint64, 0, series), make([]map[string]string, 0, series)
	n := series * each
	s.index.month, s.index.id = make([]time.Time, 0, n), make([]uint64, 0, n)
	s.index.name, s.index.value, s.index.metric = make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
}

// add adds the rows of a series with its stored labels.
func (s *seriesRows) add(k *known, stored labels.Labels, month, first, last day) {
	metric, others := stored.Get(model.MetricNameLabel), make(map[string]string, stored.Len())
	stored.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			return
		}
		others[l.Name] = l.Value
		s.index.month = append(s.index.month, month.time())
		s.index.name = append(s.index.name, l.Name)
		s.index.value = append(s.index.value, l.Value)
		s.index.metric = append(s.index.metric, metric)
		s.index.id = append(s.index.id, k.id)
	})
	s.month, s.first, s.last = append(s.month, month.time()), append(s.first, first.time()), append(s.last, last.time())
	s.metric, s.id, s.labels = append(s.metric, metric), append(s.id, k.id), append(s.labels, others)
}

// writeSeries writes the index first: a series that the table has is in it too. What is
// LowCardinality in the tables is sent plainly: the store makes dictionaries faster than
// the driver.
func (db *DB) writeSeries(ctx context.Context, s *seriesRows) error {
	err := db.insert(ctx, "label_index", "", []column{
		{"month", "Date", s.index.month}, {"name", "LowCardinality(String)", s.index.name}, {"value", "String", s.index.value},
		{"metric", "LowCardinality(String)", s.index.metric}, {"id", "UInt64", s.index.id},
	})
	if err == nil {
		err = db.insert(ctx, "series", "", []column{
			{"month", "Date", s.month}, {"metric", "String", s.metric}, {"id", "UInt64", s.id},
			{"labels", "Map(String, String)", s.labels},
			{"first", "SimpleAggregateFunction(min, Date)", s.first}, {"last", "SimpleAggregateFunction(max, Date)", s.last},
		})
	}
	if err != nil {
		return fmt.Errorf("writing series: %w", err)
	}
	db.metrics.series.Add(float64(len(s.id)))
	return nil
}

// column is one column of an insert; values is a slice.
type column struct {
	name, kind string
	values     any
}

// insert writes columns of equal length as one block. With a token, a block that
// the table has under the same token is acknowledged and not written again.
func (db *DB) insert(ctx context.Context, table, token string, columns []column) error {
	settings := clickhouse.Settings{"max_partitions_per_insert_block": 1000}
	if token != "" {
		settings["insert_deduplication_token"] = token
	}
	types := make([]clickhouse.ColumnNameAndType, len(columns))
	names := make([]string, len(columns))
	for i, c := range columns {
		types[i], names[i] = clickhouse.ColumnNameAndType{Name: c.name, Type: c.kind}, c.name
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings), clickhouse.WithColumnNamesAndTypes(types))
	batch, err := db.conn.PrepareBatch(ctx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return db.wrap(ctx, "writing to "+table, err)
	}
	defer batch.Close()
	for i, c := range columns {
		if err := batch.Column(i).Append(c.values); err != nil {
			return fmt.Errorf("column %s.%s: %w", table, c.name, err)
		}
	}
	return db.wrap(ctx, "writing to "+table, batch.Send())
}
