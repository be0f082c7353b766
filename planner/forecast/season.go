package forecast

import "gonum.org/v1/gonum/stat"

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
// moving average of one period, by place in the period; it sums to zero.
func seasonOf(y []float64, period int) []float64 {
	sum, count := make([]float64, period), make([]float64, period)
	half := period / 2
	for i := half; i+half < len(y); i++ {
		var m float64
		if period%2 == 1 {
			m = stat.Mean(y[i-half:i+half+1], nil)
		} else { // half weight at both ends
			m = (stat.Mean(y[i-half:i+half], nil) + stat.Mean(y[i-half+1:i+half+1], nil)) / 2
		}
		sum[i%period] += y[i] - m
		count[i%period]++
	}
	for i := range sum {
		if count[i] > 0 {
			sum[i] /= count[i]
		}
	}
	mean := stat.Mean(sum, nil)
	for i := range sum {
		sum[i] -= mean
	}
	return sum
}
