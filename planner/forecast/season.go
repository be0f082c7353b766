package forecast

// seasonalNaive repeats the last period.
func seasonalNaive(period int) func(y []float64, steps int) fitted {
	return func(y []float64, steps int) fitted {
		if len(y) <= period {
			return lastValue(y, steps)
		}
		f := fitted{mean: make([]float64, steps)}
		for h := range f.mean {
			f.mean[h] = y[len(y)-period+h%period]
		}
		change := make([]float64, len(y)-period)
		for i := range change {
			change[i] = y[i+period] - y[i]
		}
		f.variance = meanSquare(change) / float64(period)
		return f
	}
}

// withSeason takes the mean season off, lets trend see the rest and puts the
// season back.
func withSeason(period int, trend func(y []float64, steps int) fitted) func(y []float64, steps int) fitted {
	return func(y []float64, steps int) fitted {
		if len(y) < 2*period {
			return trend(y, steps)
		}
		season := seasonOf(y, period)
		rest := make([]float64, len(y))
		for i, v := range y {
			rest[i] = v - season[i%period]
		}
		f := trend(rest, steps)
		for h := range f.mean {
			f.mean[h] += season[(len(y)+h)%period]
		}
		return f
	}
}

// seasonOf is the classical decomposition: the mean deviation from a centred
// moving average of one period (its ends half weighed when it is even), by place
// in the period; it sums to zero.
func seasonOf(y []float64, period int) []float64 {
	sum, count := make([]float64, period), make([]float64, period)
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
		sum[(i+half)%period] += y[i+half] - middle
		count[(i+half)%period]++
		window = next
	}
	for i := range sum {
		if count[i] > 0 {
			sum[i] /= count[i]
		}
	}
	mean := meanOf(sum)
	for i := range sum {
		sum[i] -= mean
	}
	return sum
}
