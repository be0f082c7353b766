package forecast

import (
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/stat"
)

// candidate is a model that may be fitted to any prefix of the history.
type candidate struct {
	name string
	fit  func(y []float64, steps int) fitted
	// prior is its weight before any evidence. On real disks, seven and fourteen days
	// ahead, drift was hard to beat, and so was what happens on most days; the last
	// value expects no growth of a quantity that is there because it grows. Three
	// file systems are little to choose by: the others keep their say.
	prior float64
}

// fitted is a model's view of the future of one history.
type fitted struct {
	// mean is the expected value at each step.
	mean []float64
	// shocks are past one-step surprises around zero, to be drawn in blocks; nil
	// means normal ones.
	shocks []float64
	// variance is the long-run variance that shocks add per step.
	variance float64
	// slopeError is the standard error of the trend per step; slopeDrift is the
	// variance by which the trend itself changes per step.
	slopeError, slopeDrift float64
	// jumps happened at rate per step and are not in shocks.
	jumps []float64
	rate  float64
}

// spread is the standard deviation of the value at step h (1 is the first).
func (f fitted) spread(h int) float64 {
	n := float64(h)
	return math.Sqrt(f.variance*n + f.slopeError*f.slopeError*n*n + f.slopeDrift*n*n*n/3 + f.rate*meanSquare(f.jumps)*n)
}

// leastWindow is the fewest points of which a local trend is taken seriously.
const leastWindow = 14

// candidates are the models that n points at step allow, simplest first.
func candidates(step time.Duration, n int) []candidate {
	all := []candidate{
		{"last value", lastValue, 0.1},
		{"drift", drift, 2},
		{"damped trend", dampedTrend, 1},
	}
	for _, part := range []int{8, 4, 2, 1} {
		if n/part >= leastWindow || part == 1 {
			window := time.Duration(n/part) * step
			all = append(all, candidate{"local trend over " + span(window), localTrend(part), 1})
		}
	}
	if n >= 2*minPoints {
		all = append(all, candidate{"median step", medianStep, 2})
	}
	for _, season := range []struct {
		name   string
		length time.Duration
	}{{"daily", 24 * time.Hour}, {"weekly", 7 * 24 * time.Hour}} {
		period := int(season.length / step)
		if period < 2 || season.length%step != 0 || n < 3*period+minPoints {
			continue
		}
		all = append(all,
			candidate{"seasonal naive, " + season.name, seasonalNaive(period), 1},
			candidate{"local trend with " + season.name + " season", withSeason(period, localTrend(2)), 1})
	}
	return all
}

// span prints a duration of days or hours the way people say it.
func span(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%.0f d", d.Hours()/24)
	}
	return fmt.Sprintf("%.0f h", d.Hours())
}

// lastValue expects no change.
func lastValue(y []float64, steps int) fitted {
	f := doubtful(y)
	f.mean = repeat(y[len(y)-1], steps)
	return f
}

// doubtful is the spread of a model that does not trust the trend it sees: the
// trend may come true by half.
func doubtful(y []float64) fitted {
	d := diff(y)
	v, slope := longRunVariance(d), stat.Mean(d, nil)
	return fitted{
		shocks: centred(d), variance: v,
		slopeError: math.Hypot(math.Sqrt(v/float64(len(d))), slope/2), slopeDrift: slopeDrift(d, v, slope),
	}
}

// drift goes on as from the first to the last value.
func drift(y []float64, steps int) fitted {
	d := diff(y)
	v := longRunVariance(d)
	return fitted{
		mean: line(y[len(y)-1], stat.Mean(d, nil), steps), shocks: centred(d),
		variance: v, slopeError: math.Sqrt(v / float64(len(d))), slopeDrift: slopeDrift(d, v, stat.Mean(d, nil)),
	}
}

// localTrend follows the recent 1/part of the history, with level shifts taken
// out of the trend and drawn as rare jumps of their own: what was bought or
// deleted at once says nothing about the slope.
func localTrend(part int) func(y []float64, steps int) fitted {
	return func(y []float64, steps int) fitted {
		d := diff(y)
		shifts := findShifts(y)
		jumps := make([]float64, 0, len(shifts))
		middle := median(d)
		for _, i := range shifts {
			jumps = append(jumps, d[i-1]-middle)
			d[i-1] = middle
		}
		recent := d[len(d)-max(minPoints-1, len(d)/part):]
		slope := trimmedMean(recent)
		rate := float64(len(jumps)) / float64(len(d))
		v := longRunVariance(d)
		f := fitted{
			shocks: centred(d), variance: v, slopeError: math.Sqrt(v / float64(len(recent))), slopeDrift: slopeDrift(d, v, slope),
			jumps: jumps, rate: rate,
		}
		expected := slope
		if len(jumps) >= 3 { // they recur: part of what to expect
			expected += rate * stat.Mean(jumps, nil)
		}
		f.mean = line(y[len(y)-1], expected, steps)
		if len(jumps) >= 3 { // keep simulate from counting their mean twice
			f.jumps = centred(jumps)
			f.slopeError = math.Hypot(f.slopeError, math.Sqrt(rate*meanSquare(jumps)/float64(len(d))))
		}
		return f
	}
}

// mixture is the weighted mean of models. Their spreads are averaged and not
// diminished, for they err together; where their means part, that is a doubt of
// its own. Shocks and jumps are those of the model with the largest weight that
// knows any.
func mixture(fits []fitted, weights []float64) fitted {
	steps := len(fits[0].mean)
	f := fitted{mean: make([]float64, steps)}
	heaviest := -1.0
	for m, w := range weights {
		for h, v := range fits[m].mean {
			f.mean[h] += w * v
		}
		f.variance += w * math.Sqrt(fits[m].variance)
		f.slopeError += w * fits[m].slopeError
		f.slopeDrift += w * math.Sqrt(fits[m].slopeDrift)
		if w > heaviest && len(fits[m].shocks) > 0 {
			heaviest, f.shocks, f.jumps, f.rate = w, fits[m].shocks, fits[m].jumps, fits[m].rate
		}
	}
	f.variance, f.slopeDrift = f.variance*f.variance, f.slopeDrift*f.slopeDrift
	var apart float64
	for m, w := range weights {
		d := (fits[m].mean[steps-1] - f.mean[steps-1]) / float64(steps)
		apart += w * d * d
	}
	f.slopeError = math.Sqrt(f.slopeError*f.slopeError + apart)
	return f
}

// medianStep goes on by the median difference of the recent half: what happens on
// most days, whatever was bought or deleted on the others.
func medianStep(y []float64, steps int) fitted {
	f := localTrend(2)(y, steps)
	d := diff(y)
	f.mean = line(y[len(y)-1], medianInPlace(d[len(d)/2:]), steps)
	return f
}

func line(from, slope float64, steps int) []float64 {
	m := make([]float64, steps)
	for h := range m {
		m[h] = from + slope*float64(h+1)
	}
	return m
}

// trimmedMean is the mean with values beyond four robust standard deviations
// drawn in to there; unlike a median it keeps the weight of many small steps
// in one direction.
func trimmedMean(v []float64) float64 {
	m := median(v)
	bound := 4 * 1.4826 * deviation(v, m)
	if bound == 0 {
		return stat.Mean(v, nil)
	}
	var sum float64
	for _, x := range v {
		sum += math.Max(m-bound, math.Min(m+bound, x))
	}
	return sum / float64(len(v))
}

func centred(v []float64) []float64 {
	m := stat.Mean(v, nil)
	c := make([]float64, len(v))
	for i, x := range v {
		c[i] = x - m
	}
	return c
}

// longRunVariance is the variance per step of sums of neighbouring differences,
// from overlapping blocks: noise around a level cancels in it, persistent
// growth adds up.
func longRunVariance(d []float64) float64 {
	n := len(d)
	b := blockLength(n)
	if n < 2 {
		return 0
	}
	m := stat.Mean(d, nil)
	var sum, squares float64
	for i := range n {
		sum += d[i] - m
		if i >= b {
			sum -= d[i-b] - m
		}
		if i >= b-1 {
			squares += sum * sum
		}
	}
	blocks := n - b + 1
	return squares / float64(blocks) / float64(b) * float64(n) / float64(max(1, n-b))
}

// changes is the part of itself by which a trend is taken to change over the
// length of a history even when the history does not show it: clouds do not
// grow along rulers, and a year's forecast from half a year must say so.
const changes = 0.3

// atMost is what the history may make of changes: seven differences of slopes
// can mislead, and a year is long enough for that to blow up any interval.
const atMost = 0.9

// slopeDrift is how much the trend changes by itself, as a variance per step: the
// slopes of neighbouring eighths of the history differ more than their standard
// errors (from variance, the long-run one of d) explain.
func slopeDrift(d []float64, variance, slope float64) float64 {
	usual := changes * changes * slope * slope / float64(len(d))
	const parts = 8
	b := len(d) / parts
	if b < 3 {
		return usual
	}
	var squares, former float64
	for k := range parts {
		local := stat.Mean(d[len(d)-(k+1)*b:len(d)-k*b], nil)
		if k > 0 {
			squares += (local - former) * (local - former)
		}
		former = local
	}
	// E(Δslope²) = 2·variance/b + drift·b·2/3 for a slope that walks at random. The
	// first term is known to a good third of itself from seven differences: less
	// than that on top of it is no evidence.
	excess := squares/(parts-1) - (1+1.0/3)*2*variance/float64(b)
	most := usual * (atMost / changes) * (atMost / changes)
	return math.Max(usual, math.Min(most, excess/(float64(b)*2/3)))
}

// blockLength grows with the cube root of the length, the usual rate for block
// bootstraps (Künsch 1989; Hall, Horowitz, Jing 1995).
func blockLength(n int) int { return max(1, int(1.5*math.Cbrt(float64(n)))) }

func meanSquare(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return sum / float64(len(v))
}
