package clickhouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// unit is the piece of time that rollups are computed for: the two hours that
// end at unit × 2 h, the end included and the beginning not. All but that end
// lies in one bucket of the key of samples.
type unit uint32

const unitMillis = bucketMillis

func unitOf(ms int64) unit { return unit((ms + unitMillis - 1) / unitMillis) }

// end is the unit's last millisecond; it begins after start.
func (u unit) end() int64   { return int64(u) * unitMillis }
func (u unit) start() int64 { return u.end() - unitMillis }

// marker is a process's hand in the table rollup_units: it says of each batch
// which units the rollups of have to be computed, again if need be.
//
// The order of things loses nothing. A batch's samples are written first, then
// the marks, then the batch is acknowledged: who is killed in between sends the
// batch again. And who computes a unit reads the marks before the samples, and
// takes back only the marks that it read.
type marker struct {
	// on marks units that are still open, late those that are closed: a late
	// batch names its series, so that not the whole unit is computed again.
	on, late uint64
	number   atomic.Uint64
}

func (m *marker) init() { m.on, m.late = rand.Uint64()|1, rand.Uint64()|1 }

// maxLateIDs bounds how many series a mark names; with more it is for all.
const maxLateIDs = 10_000

// mark says which units samples of these series and times are in.
func (db *DB) mark(ctx context.Context, ids []uint64, times []int64) error {
	closed := unitOf(db.now().Add(-rollupGrace).UnixMilli())
	touched := map[unit]map[uint64]struct{}{}
	last := unit(0)
	for i, t := range times {
		u := unitOf(t)
		if u == last && u >= closed {
			continue
		}
		last = u
		of, is := touched[u]
		if !is {
			if u < closed {
				of = map[uint64]struct{}{}
			}
			touched[u] = of
		}
		if u < closed && len(of) <= maxLateIDs {
			of[ids[i]] = struct{}{}
		}
	}
	var m marks
	number := db.marker.number.Add(1)
	for u, of := range touched {
		writer, all, list := db.marker.late, uint8(0), make([]uint64, 0, len(of))
		switch {
		case u >= closed:
			writer, all = db.marker.on, 1
		case len(of) > maxLateIDs:
			all = 1
		default:
			for id := range of {
				list = append(list, id)
			}
			slices.Sort(list)
		}
		m.add(u, writer, number, all, list)
	}
	return db.writeMarks(ctx, m)
}

// pending is a unit to be computed: the marks that ask for it, and the series,
// nil for all.
type pending struct {
	unit  unit
	marks []mark
	ids   []uint64
}

type mark struct{ writer, number uint64 }

// maxRollIDs bounds the series that a statement names.
const maxRollIDs = 100_000

// pendingUnits returns the units in [from, to] whose rollups lack something, in
// the order of time.
func (db *DB) pendingUnits(ctx context.Context, from, to unit) ([]pending, error) {
	const doing = "looking for what to roll up"
	rows, err := db.conn.Query(ctx, fmt.Sprintf(`SELECT unit, writer, max(marked), max(whole), groupUniqArrayArray(ids) FROM rollup_units
		WHERE unit BETWEEN %d AND %d GROUP BY unit, writer HAVING max(marked) > max(rolled) ORDER BY unit, writer`, from, to))
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	var (
		all   []pending
		whole = false
	)
	err = each(rows, func() error {
		var (
			u     uint32
			m     mark
			every uint8
			ids   []uint64
		)
		if err := rows.Scan(&u, &m.writer, &m.number, &every, &ids); err != nil {
			return err
		}
		if n := len(all); n == 0 || all[n-1].unit != unit(u) {
			all, whole = append(all, pending{unit: unit(u)}), false
		}
		p := &all[len(all)-1]
		p.marks = append(p.marks, m)
		whole = whole || every == 1
		if p.ids = append(p.ids, ids...); whole || len(p.ids) > maxRollIDs {
			p.ids, whole = nil, true
		}
		return nil
	})
	return all, db.wrap(ctx, doing, err)
}

// rolled takes back the marks that units were computed for.
func (db *DB) rolled(ctx context.Context, all []pending) error {
	var (
		units            []uint32
		writers, numbers []uint64
	)
	for _, p := range all {
		for _, m := range p.marks {
			units, writers, numbers = append(units, uint32(p.unit)), append(writers, m.writer), append(numbers, m.number)
		}
	}
	return db.insert(ctx, "rollup_units", "", []column{
		{"unit", "UInt32", units}, {"writer", "UInt64", writers}, {"rolled", "SimpleAggregateFunction(max, UInt64)", numbers},
	})
}

// rolledUpTo sums, for each unit, the numbers up to which its writers' samples are
// in the rollups: another sum, and it was computed in between.
func (db *DB) rolledUpTo(ctx context.Context) (map[unit]uint64, error) {
	return db.byUnit(ctx, "looking at what is rolled up",
		"SELECT unit, sum(r) FROM (SELECT unit, max(rolled) AS r FROM rollup_units GROUP BY unit, writer) GROUP BY unit")
}

// byUnit reads the rows (unit UInt32, UInt64) of a statement.
func (db *DB) byUnit(ctx context.Context, doing, statement string) (map[unit]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	rows, err := db.conn.Query(ctx, statement)
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	numbers := map[unit]uint64{}
	err = each(rows, func() error {
		var (
			u uint32
			n uint64
		)
		err := rows.Scan(&u, &n)
		numbers[unit(u)] = n
		return err
	})
	return numbers, db.wrap(ctx, doing, err)
}

// markWhole has units computed again, of all series.
func (db *DB) markWhole(ctx context.Context, all []unit) error {
	if len(all) == 0 {
		return nil
	}
	var m marks
	writer := rand.Uint64() | 1
	for _, u := range all {
		m.add(u, writer, 1, 1, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	return db.writeMarks(ctx, m)
}

// marks are rows of rollup_units that ask for units.
type marks struct {
	units           []uint32
	writers, marked []uint64
	whole           []uint8
	ids             [][]uint64
}

func (m *marks) add(u unit, writer, number uint64, whole uint8, ids []uint64) {
	m.units, m.writers, m.marked = append(m.units, uint32(u)), append(m.writers, writer), append(m.marked, number)
	m.whole, m.ids = append(m.whole, whole), append(m.ids, ids)
}

func (db *DB) writeMarks(ctx context.Context, m marks) error {
	return db.insert(ctx, unitsTable, "", []column{
		{"unit", "UInt32", m.units}, {"writer", "UInt64", m.writers},
		{"marked", "SimpleAggregateFunction(max, UInt64)", m.marked},
		{"whole", "SimpleAggregateFunction(max, UInt8)", m.whole},
		{"ids", "SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))", m.ids},
	})
}

// Span is a stretch of time in milliseconds: what lies after From, up to and
// with To.
type Span struct{ From, To int64 }

// Unrolled returns the spans that overlap (from, to] in which the rollups do not
// hold all samples (yet): the hours that are not over, and those that got late
// samples since they were computed. Elsewhere a rollup is what its samples are;
// a span without samples is not in the answer either.
func (db *DB) Unrolled(ctx context.Context, from, to int64) ([]Span, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	const doing = "looking for what is not rolled up"
	// Not pendingUnits: every question asks, and after a back-fill the marks name millions of series.
	rows, err := db.conn.Query(ctx, fmt.Sprintf(`SELECT DISTINCT unit FROM (
			SELECT unit, writer FROM rollup_units WHERE unit BETWEEN %d AND %d GROUP BY unit, writer HAVING max(marked) > max(rolled)
		) ORDER BY unit`, unitOf(clamp(from)+1), unitOf(clamp(to))))
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	var spans []Span
	err = each(rows, func() error {
		var number uint32
		if err := rows.Scan(&number); err != nil {
			return err
		}
		u := unit(number)
		if n := len(spans); n > 0 && spans[n-1].To == u.start() {
			spans[n-1].To = u.end()
		} else {
			spans = append(spans, Span{u.start(), u.end()})
		}
		return nil
	})
	return spans, db.wrap(ctx, doing, err)
}

// rollupGrace is how long after its end a unit is left open, for samples that
// are on their way.
const rollupGrace = 10 * time.Minute

func (db *DB) now() time.Time {
	if db.options.Now != nil {
		return db.options.Now()
	}
	return time.Now()
}
