package forecast

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
	half := period / 2
	var all, left, count float64
	window := 0.0
	for _, v := range y[:period] {
		window += v
	}
	for i := 0; i+period < len(y); i++ {
		next := window - y[i] + y[i+period]
		middle := (window + next) / 2 / float64(period)
		window = next
		deviation := y[i+half] - middle
		rest := deviation - season[(i+half)%period]
		all += deviation * deviation
		left += rest * rest
		count++
	}
	if all <= 0 || count <= float64(period) {
		return 0
	}
	return 1 - left/(count-float64(period))*(count-1)/all
}
