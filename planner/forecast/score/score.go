// Package score judges forecasts by what came: the M4 competition's measures and
// its benchmark Naive2. Formulas: Makridakis, Spiliotis, Assimakopoulos, "The M4
// competition: 100,000 time series and 61 forecasting methods", IJF 36 (2020).
package score

import (
	"math"

	"mcloud/planner/forecast"
)

// SMAPE is the mean of 200·|y−f|/(|y|+|f|), percent; where both are 0 there is no
// error.
func SMAPE(actual, f []float64) float64 {
	var sum float64
	for h, y := range actual {
		if d := math.Abs(y) + math.Abs(f[h]); d > 0 {
			sum += 200 * math.Abs(y-f[h]) / d
		}
	}
	return sum / float64(len(actual))
}

// MAE is the mean absolute error.
func MAE(actual, f []float64) float64 {
	var sum float64
	for h, y := range actual {
		sum += math.Abs(y - f[h])
	}
	return sum / float64(len(actual))
}

// Scale is the mean absolute error of the seasonal naive forecast within history,
// one step ahead: what MASE and MSIS are in units of. 0 for a history that is
// constant or not longer than period.
func Scale(history []float64, period int) float64 {
	if len(history) <= period {
		return 0
	}
	var sum float64
	for t := period; t < len(history); t++ {
		sum += math.Abs(history[t] - history[t-period])
	}
	return sum / float64(len(history)-period)
}

// MSIS is the mean interval score of a 1−alpha interval over scale: its width,
// and 2/alpha for each unit that lies outside (Gneiting and Raftery 2007).
func MSIS(actual, low, high []float64, alpha, scale float64) float64 {
	var sum float64
	for h, y := range actual {
		sum += high[h] - low[h] + 2/alpha*(math.Max(0, low[h]-y)+math.Max(0, y-high[h]))
	}
	return sum / float64(len(actual)) / scale
}

// Coverage is the share of actual within [low, high].
func Coverage(actual, low, high []float64) float64 {
	var within float64
	for h, y := range actual {
		if low[h] <= y && y <= high[h] {
			within++
		}
	}
	return within / float64(len(actual))
}

// Naive2 is the last value of the seasonally adjusted history (multiplicative
// classical decomposition), with the season put back; without a significant
// season, by the competition's test, or with values that are not above 0, the
// last value.
func Naive2(history []float64, period, horizon int) []float64 {
	f := make([]float64, horizon)
	last := history[len(history)-1]
	index := make([]float64, max(1, period))
	for i := range index {
		index[i] = 1
	}
	if seasonal(history, period) {
		if m := forecast.SeasonalIndices(history, period); m != nil {
			index = m
		}
	}
	last /= index[(len(history)-1)%len(index)]
	for h := range f {
		f[h] = last * index[(len(history)+h)%len(index)]
	}
	return f
}

// seasonal is the competition's test: the autocorrelation at the period is beyond
// its 90 % limit.
func seasonal(y []float64, period int) bool {
	if period < 2 || len(y) < 3*period {
		return false
	}
	var mean, variance float64
	for _, v := range y {
		mean += v / float64(len(y))
	}
	for _, v := range y {
		variance += (v - mean) * (v - mean)
	}
	if variance == 0 {
		return false
	}
	correlation := func(lag int) float64 {
		var sum float64
		for t := lag; t < len(y); t++ {
			sum += (y[t] - mean) * (y[t-lag] - mean)
		}
		return sum / variance
	}
	squares := 0.5
	for lag := 1; lag < period; lag++ {
		c := correlation(lag)
		squares += c * c
	}
	return math.Abs(correlation(period)) > 1.645*math.Sqrt(2*squares/float64(len(y)))
}
