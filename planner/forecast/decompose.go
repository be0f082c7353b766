package forecast

import "slices"

// decomposition is one or two seasons of a series, each the mean deviation from
// the moving average over a period by place in it, the longer ones from what the
// shorter ones leave: MSTL (Bandara, Hyndman, Bergmeir 2021) with classical
// decomposition in the place of STL.
type decomposition struct {
	periods []int
	seasons [][]float64
}

// decompose takes the seasons of the periods, ascending, that y has at least
// twice.
func decompose(y []float64, periods []int) decomposition {
	var d decomposition
	rest := y
	for _, p := range periods {
		if p < 2 || len(y) < 2*p {
			continue
		}
		season := seasonOf(rest, p)
		d.periods, d.seasons = append(d.periods, p), append(d.seasons, season)
		left := make([]float64, len(y))
		for i, v := range rest {
			left[i] = v - season[i%p]
		}
		rest = left
	}
	return d
}

// at is the sum of the seasons at instant t, counted as in the series.
func (d decomposition) at(t int) float64 {
	var sum float64
	for i, p := range d.periods {
		sum += d.seasons[i][t%p]
	}
	return sum
}

// adjusted is y without the seasons.
func (d decomposition) adjusted(y []float64) []float64 {
	rest := make([]float64, len(y))
	for t, v := range y {
		rest[t] = v - d.at(t)
	}
	return rest
}

// strength is the share of the variance around the moving average over a period
// that the season explains, less what one of pure noise would seem to: 1 is a
// season without noise, 0 and less is none.
func strength(y []float64, period int) float64 {
	if len(y) < 3*period || period < 2 {
		return 0
	}
	season := seasonOf(y, period)
	var all, left, count float64
	eachMiddle(y, period, func(t int, middle float64) {
		deviation := y[t] - middle
		rest := deviation - season[t%period]
		all += deviation * deviation
		left += rest * rest
		count++
	})
	if all <= 0 || count <= float64(period) {
		return 0
	}
	return 1 - left/(count-float64(period))*(count-1)/all
}

// SeasonalIndices is the classical multiplicative decomposition: by place in the
// period, counted from the first value, the mean ratio to the moving average over
// a period; their mean is 1. It is nil for values that are not all above 0 or
// fewer than two periods.
func SeasonalIndices(y []float64, period int) []float64 {
	if period < 2 || len(y) < 2*period || slices.Min(y) <= 0 {
		return nil
	}
	index, count := make([]float64, period), make([]float64, period)
	eachMiddle(y, period, func(t int, middle float64) {
		index[t%period] += y[t] / middle
		count[t%period]++
	})
	for i := range index {
		index[i] /= count[i]
	}
	mean := meanOf(index)
	for i := range index {
		index[i] /= mean
	}
	return index
}

// eachMiddle calls f with each instant that has a whole period around it and the
// moving average there; the ends of an even period weigh half.
func eachMiddle(y []float64, period int, f func(t int, middle float64)) {
	half := period / 2
	window := 0.0
	for _, v := range y[:period] {
		window += v
	}
	for i := 0; i+period <= len(y); i++ {
		next := window // of the window one further
		if i+period < len(y) {
			next += y[i+period] - y[i]
		} else if period%2 == 0 {
			break
		}
		middle := window / float64(period)
		if period%2 == 0 {
			middle = (window + next) / 2 / float64(period)
		}
		f(i+half, middle)
		window = next
	}
}
