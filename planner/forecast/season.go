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
	eachMiddle(y, period, func(t int, middle float64) {
		sum[t%period] += y[t] - middle
		count[t%period]++
	})
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
