package forecast

import (
	"math"
	"slices"
	"time"
)

// Series is evenly spaced values; NaN marks a gap.
type Series struct {
	Start  time.Time
	Step   time.Duration
	Values []float64
}

// Point is one value at one instant.
type Point struct {
	Time  time.Time
	Value float64
}

// Grid puts points, in any order, on a grid of step: the mean of the points in
// [t, t+step) at t, NaN where there are none. NaN and infinite points are
// dropped. Grid instants are multiples of step since the Unix epoch.
func Grid(points []Point, step time.Duration) Series {
	points = slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return math.IsNaN(p.Value) || math.IsInf(p.Value, 0) })
	if len(points) == 0 || step <= 0 {
		return Series{Step: step}
	}
	slot := func(t time.Time) int64 { return floorDiv(t.UnixNano(), int64(step)) }
	first, last := slot(points[0].Time), slot(points[0].Time)
	for _, p := range points {
		first, last = min(first, slot(p.Time)), max(last, slot(p.Time))
	}
	sum, count := make([]float64, last-first+1), make([]float64, last-first+1)
	for _, p := range points {
		i := slot(p.Time) - first
		sum[i] += p.Value
		count[i]++
	}
	for i := range sum {
		sum[i] /= count[i] // 0/0 is the NaN of a gap
	}
	return Series{Start: time.Unix(0, first*int64(step)).UTC(), Step: step, Values: sum}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// history is a series without gaps and without errors of measurement.
type history struct {
	start          time.Time
	values         []float64
	gaps, outliers int
	floor          float64 // paths do not go below: 0 unless the history did
}

// clean trims gaps at both ends, interpolates those inside and replaces short
// excursions.
func clean(s Series) history {
	first := slices.IndexFunc(s.Values, func(v float64) bool { return !math.IsNaN(v) })
	if first < 0 {
		return history{}
	}
	last := len(s.Values) - 1
	for math.IsNaN(s.Values[last]) {
		last--
	}
	h := history{start: s.Start.Add(time.Duration(first) * s.Step), values: slices.Clone(s.Values[first : last+1])}
	h.outliers = removeExcursions(h.values)
	h.gaps = interpolate(h.values) - h.outliers
	h.floor = math.Min(0, slices.Min(h.values))
	return h
}

// interpolate fills NaN between known neighbours by straight lines and counts
// them. The ends must be known.
func interpolate(v []float64) (filled int) {
	for i := 1; i < len(v); i++ {
		if !math.IsNaN(v[i]) {
			continue
		}
		to := i
		for math.IsNaN(v[to]) {
			to++
		}
		for k := i; k < to; k++ {
			v[k] = v[i-1] + (v[to]-v[i-1])*float64(k-i+1)/float64(to-i+1)
			filled++
		}
		i = to
	}
	return filled
}

// maxExcursion is the longest stretch, in known points, that is taken for an
// error of measurement when the level before and after it is the same.
const maxExcursion = 3

// removeExcursions makes gaps of points that leave the level and come back to
// it within maxExcursion points: an exporter that restarted, a half-read
// cluster. The first and last point are kept.
func removeExcursions(v []float64) (removed int) {
	var known []int
	var values []float64
	for i, x := range v {
		if !math.IsNaN(x) {
			known, values = append(known, i), append(values, x)
		}
	}
	if len(values) < minPoints {
		return 0
	}
	scale, trend := stepScale(values), median(diff(values))
	for i := 1; i < len(values)-1; i++ {
		before := values[i-1]
		if math.Abs(values[i]-before-trend) <= shiftScales*scale {
			continue
		}
		for back := i + 1; back <= min(i+maxExcursion, len(values)-1); back++ {
			steps := float64(back - i + 1)
			if math.Abs(values[back]-before-steps*trend) > 3*scale*math.Sqrt(steps) {
				continue
			}
			for k := i; k < back; k++ {
				v[known[k]] = math.NaN()
				removed++
			}
			i = back
			break
		}
	}
	return removed
}

// shiftScales is how many robust standard deviations a difference must have to
// count as sudden.
const shiftScales = 8

// stepScale is the robust standard deviation of the differences: 1.4826 × the
// median absolute deviation, or where most differences are equal (a quantity
// that rarely changes) a tenth of the range of the values.
func stepScale(v []float64) float64 {
	d := diff(v)
	if mad := 1.4826 * deviation(d, median(d)); mad > 0 {
		return mad
	}
	return (slices.Max(v) - slices.Min(v)) / (10 * shiftScales)
}

// findShifts returns the indices i where the level changes for good between
// i−1 and i: sudden differences, the largest 3 % of the points at most, since
// what happens more often is how the quantity moves.
func findShifts(v []float64) []int {
	if len(v) < minPoints {
		return nil
	}
	d := diff(v)
	scale, middle := stepScale(v), median(d)
	var found []int
	for i, x := range d {
		if math.Abs(x-middle) > shiftScales*scale {
			found = append(found, i+1)
		}
	}
	most := max(3, len(v)*3/100)
	if len(found) > most {
		slices.SortFunc(found, func(a, b int) int {
			return cmpFloat(math.Abs(d[b-1]-middle), math.Abs(d[a-1]-middle))
		})
		found = found[:most]
		slices.Sort(found)
	}
	return found
}

func diff(v []float64) []float64 {
	d := make([]float64, max(0, len(v)-1))
	for i := range d {
		d[i] = v[i+1] - v[i]
	}
	return d
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return medianInPlace(slices.Clone(v))
}

// medianInPlace reorders v, which must not be empty.
func medianInPlace(v []float64) float64 {
	n := len(v)
	upper := nth(v, n/2)
	if n%2 == 1 {
		return upper
	}
	return (slices.Max(v[:n/2]) + upper) / 2
}

// nth is the k-th smallest value, counted from 0, by Hoare's selection: it moves
// what is smaller before it and what is larger behind it. v holds no NaN.
func nth(v []float64, k int) float64 {
	low, high := 0, len(v)-1
	for low < high {
		// The middle of three keeps sorted input from being the worst case.
		middle := (low + high) / 2
		if v[middle] < v[low] {
			v[middle], v[low] = v[low], v[middle]
		}
		if v[high] < v[low] {
			v[high], v[low] = v[low], v[high]
		}
		if v[high] < v[middle] {
			v[high], v[middle] = v[middle], v[high]
		}
		pivot := v[middle]
		i, j := low, high
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// deviation is the median absolute deviation from middle.
func deviation(v []float64, middle float64) float64 {
	a := make([]float64, len(v))
	for i, x := range v {
		a[i] = math.Abs(x - middle)
	}
	if len(a) == 0 {
		return 0
	}
	return medianInPlace(a)
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
