// Package forecasttest makes histories with known properties for tests: a
// trend, seasons, noise, steps, deletions, gaps. The same Recipe gives the same
// values.
package forecasttest

import (
	"math"
	"math/rand/v2"
	"time"

	"mcloud/planner/forecast"
)

// Recipe says what a history is made of; amounts are in the series' unit.
type Recipe struct {
	Start time.Time
	Step  time.Duration
	Days  int
	Seed  uint64

	Level       float64 // first value
	PerDay      float64 // trend
	TrendNoise  float64 // standard deviation of the daily change of the trend's rate
	Noise       float64 // standard deviation of each step's surprise, which stays
	Jitter      float64 // standard deviation of what does not stay
	Daily       float64 // amplitude of the daily season
	Weekly      float64 // amplitude of the weekly season
	StepsPerDay float64 // rate of sudden lasting changes
	StepSize    float64 // their mean size; negative for deletions
	GapEvery    int     // every n-th point is missing, 0 for none
}

// Values makes the values, Days long.
func (r Recipe) Values() []float64 {
	rng := rand.New(rand.NewPCG(r.Seed, 7))
	perDay := float64(24*time.Hour) / float64(r.Step)
	n := int(float64(r.Days) * perDay)
	values := make([]float64, n)
	level, rate := r.Level, r.PerDay
	for i := range values {
		day := float64(i) / perDay
		rate += rng.NormFloat64() * r.TrendNoise / math.Sqrt(perDay)
		level += rate/perDay + rng.NormFloat64()*r.Noise
		if rng.Float64() < r.StepsPerDay/perDay {
			level += r.StepSize * (0.5 + rng.Float64())
		}
		level = math.Max(0, level)
		values[i] = math.Max(0, level+rng.NormFloat64()*r.Jitter+
			r.Daily*math.Sin(2*math.Pi*day)+r.Weekly*math.Sin(2*math.Pi*day/7))
		if r.GapEvery > 0 && i%r.GapEvery == r.GapEvery-1 {
			values[i] = math.NaN()
		}
	}
	return values
}

// Series is Values on their grid.
func (r Recipe) Series() forecast.Series {
	return forecast.Series{Start: r.Start, Step: r.Step, Values: r.Values()}
}

// Fill is a store that fills by the day: a rate of its own that may wander or be
// replaced by another for good, surprises that stay and some that do not, and
// sudden steps: purchases that bring their load, migrations, mass deletions.
// Rates, sizes and frequencies are drawn from seed.
func Fill(seed uint64, days int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 11))
	values := make([]float64, days)
	kind := seed % 3
	level, rate, noise := 100.0, 0.2+rng.Float64(), 0.2+rng.Float64()
	first, steps, size := rate, 0.04*rng.Float64(), 10.0
	if rng.IntN(2) == 0 {
		size = -size
	}
	for i := range values {
		switch kind {
		case 1: // replaced about every three months
			if rng.Float64() < 1.0/90 {
				rate = first * (0.3 + 1.4*rng.Float64())
			}
		case 2: // wandering
			rate += 0.008 * rng.NormFloat64()
		}
		if rng.Float64() < steps {
			if kind == 2 {
				size = 12 * rng.NormFloat64()
			}
			level += size * (0.5 + rng.Float64())
		}
		level = math.Max(0, level+rate+noise*rng.NormFloat64())
		values[i] = level + 0.3*rng.NormFloat64()
	}
	return values
}
