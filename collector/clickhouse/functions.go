package clickhouse

import (
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/value"
)

// gathered is what the store says about the samples of one series in one bucket, or
// what that adds up to over the buckets of a window.
type gathered struct {
	n, distinct     uint64 // samples; times, where that matters
	firstAt, lastAt int64
	// For sums: the sum, the bound of what the store's rounding of it may be taken from
	// (the sum of the absolutes), and what x lacks. For the extremes: the extreme of those
	// that are numbers. For last: it. For rates: first, last, and the sum of the values
	// before a reset.
	x, y, z float64
}

// overTime is how one of PromQL's functions is gathered, and computed from that. Columns
// are n, distinct, firstAt, lastAt, x, y and z, from rows of samples and of a rollup; take
// adds one sample to what is gathered, which comes in the order of time and each once.
type overTime struct {
	samples, rollup string
	take            func(g *gathered, at int64, v float64)
	add             func(a, b gathered) gathered
	result          func(g gathered, from, to int64) (v float64, is bool, err error)
	named           bool // the metric's name stays
	stale           bool // stale markers matter
}

// The value of a selector is that of the latest sample, unless it is a stale marker.
const latest = ""

var overTimes = map[string]overTime{
	"sum_over_time":   {samples: sums, rollup: rolledSums, take: takeSum, add: addSums, result: func(g gathered, _, _ int64) (float64, bool, error) { return g.sum() }},
	"avg_over_time":   {samples: sums, rollup: rolledSums, take: takeSum, add: addSums, result: average},
	"count_over_time": {samples: sums, rollup: rolledSums, take: takeSum, add: addSums, result: func(g gathered, _, _ int64) (float64, bool, error) { return float64(g.n), true, g.once() }},
	"max_over_time": {take: takeExtreme(math.Max), add: extreme(math.Max), result: extremeOf,
		samples: "count(), countIf(NOT isNaN(value)), toInt64(0), toInt64(0), maxIf(value, NOT isNaN(value)), 0., 0.",
		rollup:  "toUInt64(sum(n)), countIf(NOT isNaN(max)), toInt64(0), toInt64(0), maxIf(max, NOT isNaN(max)), 0., 0."},
	"min_over_time": {take: takeExtreme(math.Min), add: extreme(math.Min), result: extremeOf,
		samples: "count(), countIf(NOT isNaN(value)), toInt64(0), toInt64(0), minIf(value, NOT isNaN(value)), 0., 0.",
		rollup:  "toUInt64(sum(n)), countIf(NOT isNaN(min)), toInt64(0), toInt64(0), minIf(min, NOT isNaN(min)), 0., 0."},
	"last_over_time": {take: takeLast, add: addLast, named: true,
		samples: "count(), toUInt64(0), toInt64(0), toInt64(0), argMax(value, ts), 0., 0.",
		rollup:  "toUInt64(sum(n)), toUInt64(0), toInt64(0), toInt64(0), argMax(last, t), 0., 0.",
		result:  func(g gathered, _, _ int64) (float64, bool, error) { return g.x, true, nil }},
	latest: {take: takeLast, add: addLast, named: true, stale: true,
		samples: "count(), toUInt64(0), toInt64(0), max(" + atMilli + "), argMax(value, ts), toFloat64(argMax(" + isStale + ", ts)), 0.",
		rollup:  "toUInt64(sum(n)), toUInt64(0), toInt64(0), argMax(toUnixTimestamp64Milli(last_ts), t), argMax(last, t), toFloat64(argMax(stale, t)), 0.",
		result:  func(g gathered, from, _ int64) (float64, bool, error) { return g.x, g.y == 0 && g.lastAt > from, nil }},
	"rate":     {samples: ends, rollup: rolledEnds, take: takeEnd, add: addEnds, result: extrapolated(true, true)},
	"increase": {samples: ends, rollup: rolledEnds, take: takeEnd, add: addEnds, result: extrapolated(true, false)},
	"delta":    {samples: ends, rollup: rolledEnds, take: takeEnd, add: addEnds, result: extrapolated(false, false)},
}

const (
	atMilli = "toUnixTimestamp64Milli(ts)"
	isStale = "(e = 127 AND v = " + staleBits + ")"
	// Repeated samples show as fewer times than rows.
	sums = "count(), groupBitmap(toUInt64(" + atMilli + ")), toInt64(0), toInt64(0), sumKahan(value), sum(abs(value)), 0."
	// The sum of a row's absolutes is not known where it has both signs, but bounded.
	rolledSums = "toUInt64(sum(n)) AS total, total, toInt64(0), toInt64(0), sumKahan(rollup.sum), sum(if(rollup.min >= 0 OR rollup.max <= 0, abs(rollup.sum), greatest(abs(rollup.min), abs(rollup.max)) * n)), 0."
	ends       = "length(arraySort(groupArray((" + atMilli + ", value))) AS s), toUInt64(arrayUniq(arrayMap(x -> x.1, s))), s[1].1, s[-1].1, s[1].2, s[-1].2, " +
		"arraySum((c, p) -> if(c.2 < p.2, p.2, 0.), arrayPopFront(s), arrayPopBack(s))"
	rolledEnds = "toUInt64(arraySum(x -> x.2, arraySort(groupArray((t, n, toUnixTimestamp64Milli(first_ts), toUnixTimestamp64Milli(last_ts), first, last, fell))) AS s)) AS total, total, s[1].3, s[-1].4, s[1].5, s[-1].6, " +
		"arraySum(x -> x.7, s) + arraySum((c, p) -> if(c.5 < p.6, p.6, 0.), arrayPopFront(s), arrayPopBack(s))"
)

func (g gathered) once() error {
	if g.distinct != g.n {
		return fmt.Errorf("%w: samples are stored more than once", ErrInexact)
	}
	return nil
}

func takeSum(g *gathered, _ int64, v float64) {
	g.n, g.distinct = g.n+1, g.distinct+1
	g.x, g.z = compensated(g.x, g.z, v)
}

// compensated is Neumaier's addition: the sum is x + z, as precise as if it was computed
// with twice the digits, as Prometheus computes it. (A. Neumaier, Rundungsfehleranalyse
// einiger Verfahren zur Summation endlicher Summen, ZAMM 54, 1974.)
func compensated(x, z, v float64) (float64, float64) {
	sum := x + v
	switch {
	case math.IsInf(sum, 0):
		return sum, 0
	case math.Abs(x) >= math.Abs(v):
		z += x - sum + v
	default:
		z += v - sum + x
	}
	return sum, z
}

func addSums(a, b gathered) gathered {
	sum := gathered{n: a.n + b.n, distinct: a.distinct + b.distinct, y: a.y + b.y}
	sum.x, sum.z = compensated(a.x, a.z, b.x)
	if !math.IsInf(sum.x, 0) {
		sum.z += b.z
	}
	return sum
}

// sum is exact enough unless the store rounded it and nearly everything cancels out:
// compensated as Prometheus's, it is off by some 2^-52 of the sum of the absolutes. (The
// compensation makes NaN of infinities there.)
func (g gathered) sum() (float64, bool, error) {
	if err := g.once(); err != nil {
		return 0, false, err
	}
	sum := g.x + g.z
	if math.IsInf(g.y, 0) || g.y*0x1p-50 > 1e-10*math.Abs(sum) {
		return 0, false, fmt.Errorf("%w: the sum of large and small values", ErrInexact)
	}
	return sum, true, nil
}

func average(g gathered, _, _ int64) (float64, bool, error) {
	sum, is, err := g.sum()
	if math.IsInf(sum, 0) {
		return 0, false, fmt.Errorf("%w: a sum that is too large for a float may have an average that is not", ErrInexact)
	}
	return sum / float64(g.n), is, err
}

func takeExtreme(of func(a, b float64) float64) func(g *gathered, at int64, v float64) {
	return func(g *gathered, _ int64, v float64) {
		g.n++
		switch {
		case math.IsNaN(v):
		case g.distinct == 0:
			g.distinct, g.x = 1, v
		default:
			g.distinct, g.x = g.distinct+1, of(g.x, v)
		}
	}
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

func takeLast(g *gathered, at int64, v float64) {
	*g = gathered{n: g.n + 1, lastAt: at, x: v}
	if value.IsStaleNaN(v) {
		g.y = 1
	}
}

func addLast(a, b gathered) gathered {
	b.n += a.n
	return b
}

func takeEnd(g *gathered, at int64, v float64) {
	if g.n == 0 {
		g.firstAt, g.x = at, v
	} else if v < g.y {
		g.z += g.y
	}
	g.n, g.distinct, g.lastAt, g.y = g.n+1, g.distinct+1, at, v
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
