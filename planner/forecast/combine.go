package forecast

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// mostOrigins of the backtest, perHorizon of them within one horizon.
	mostOrigins = 16
	perHorizon  = 4
	// sharpness is the power of the inverse errors that weighs models: 0 is their
	// mean, a large one picks the best. Of few origins less is believed.
	sharpness = 4
)

// originsFor are the ascending origins of a backtest and, last, the end of the
// n values, with how many steps are forecast from each. At least the first half
// of the values stays before the first origin.
func originsFor(n, horizon int) (origins, steps []int) {
	judged := min(horizon, n/4)
	apart := max(1, judged/perHorizon)
	for k := range mostOrigins {
		origin := n - judged - k*apart
		if origin < max(8, n/2) {
			break
		}
		origins, steps = append(origins, origin), append(steps, judged)
	}
	slices.Reverse(origins)
	return append(origins, n), append(steps, horizon)
}

// combine is the weighted mean of all models.
func (p *Prediction) combine(y []float64, horizon int) {
	origins, steps := originsFor(len(y), horizon)
	b := runModels(y, origins, steps, p.Periods)
	errors := make([]float64, len(b.names))
	for m := range b.names {
		errors[m] = b.meanError(m)
	}
	weights := weigh(errors, len(origins)-1)
	mixed := b.mix(weights)
	past := len(origins) - 1
	p.Mean = mixed[past]
	p.Evidence = Evidence{Origins: past, Horizon: steps[0]}
	residuals := make([][]float64, past)
	count := 0.0
	for k := range past {
		residuals[k] = mixed[k]
		for h := range residuals[k] {
			residuals[k][h] = y[origins[k]+h] - residuals[k][h]
			p.Evidence.Error += math.Abs(residuals[k][h])
			count++
		}
	}
	p.Evidence.Error /= count
	if naive := errors[b.benchmark()]; naive > 0 {
		p.Evidence.Relative = p.Evidence.Error / naive
	}
	p.name(b.names, weights, errors)
	s := newSpread(residuals, horizon)
	period := 1
	if len(p.Periods) > 0 {
		period = p.Periods[0]
	}
	s.temper(y, origins[0], period)
	p.Evidence.Coverage80, p.Evidence.Coverage95 = heldOut(residuals)
	for _, level := range p.Levels {
		q := make([]float64, horizon)
		for h := range q {
			q[h] = p.Mean[h] + s.quantile(level, h)
		}
		p.Quantiles = append(p.Quantiles, q)
	}
}

// meanError is a model's mean absolute error over the backtest; NaN where it
// failed anywhere.
func (b *bank) meanError(m int) float64 {
	var sum, count float64
	for k, origin := range b.origins[:len(b.origins)-1] {
		for h, v := range b.paths[m][k] {
			sum += math.Abs(b.y[origin+h] - v)
			count++
		}
	}
	for _, v := range b.paths[m][len(b.origins)-1] {
		if math.IsNaN(v) {
			return math.NaN()
		}
	}
	return sum / count
}

// benchmark is the model that others are compared with: the seasonal naive one of
// the shortest season, else the last value.
func (b *bank) benchmark() int {
	if len(b.periods) > 0 {
		if i := slices.Index(b.names, marked("seasonal naive", b.periods[0])); i >= 0 {
			return i
		}
	}
	return 0
}

// weigh gives every model that has an error a weight; they sum to 1.
func weigh(errors []float64, origins int) []float64 {
	best := math.Inf(1)
	for _, e := range errors {
		if e < best {
			best = e
		}
	}
	power := sharpness * math.Min(1, float64(origins)/8)
	weights, sum := make([]float64, len(errors)), 0.0
	for m, e := range errors {
		switch {
		case math.IsNaN(e):
		case best == 0: // a perfect one needs no others
			weights[m] = boolFloat(e == 0)
		default:
			weights[m] = math.Pow(best/e, power)
		}
		sum += weights[m]
	}
	for m := range weights {
		weights[m] /= sum
	}
	return weights
}

// mix is the weighted mean of the paths by origin.
func (b *bank) mix(weights []float64) [][]float64 {
	mixed := make([][]float64, len(b.origins))
	for k := range mixed {
		mixed[k] = make([]float64, b.steps[k])
		for m, w := range weights {
			if w == 0 {
				continue
			}
			for h, v := range b.paths[m][k] {
				mixed[k][h] += w * v
			}
		}
	}
	return mixed
}

// name lists the parts that matter.
func (p *Prediction) name(names []string, weights, errors []float64) {
	for m, w := range weights {
		if w >= 0.005 {
			p.Weights = append(p.Weights, Weight{names[m], w, errors[m]})
		}
	}
	slices.SortStableFunc(p.Weights, func(a, b Weight) int { return cmp.Compare(b.Weight, a.Weight) })
	p.Model = "combination led by " + p.Weights[0].Model
}

// spread is how far what comes may lie from the forecast: a scale that grows with
// the lead and the distribution of errors in units of it, pooled over leads.
type spread struct {
	scale  []float64
	levels []float64 // of the standard normal, from 0
	sizes  []float64 // the absolute errors at those levels, in units of scale
}

// anchors are the two-sided shares at which the distribution of errors is read.
var anchors = []float64{0.5, 0.8, 0.95}

// widen is by what the errors of a backtest fall short of those to come: the
// weights were chosen by them, and a dozen overlapping origins see few accidents.
// Measured on held-back tails; larger where less is seen.
var widen = []float64{1.02, 1.02, 1.16}

// leastSize is the least error at a normal deviate of 1, in units of the scale (that
// of normal errors is 1.25), leastScale the least scale in units of what the
// series moves by in a period: what was still of late has moved before.
const leastSize, leastScale = 0.25, 0.02

// newSpread learns from the residuals, by origin and lead, up to horizon steps.
func newSpread(residuals [][]float64, horizon int) spread {
	s := spread{scale: scales(residuals, horizon)}
	sizes := make([]float64, 0, len(residuals)*len(residuals[0]))
	for _, path := range residuals {
		for h, e := range path {
			sizes = append(sizes, math.Abs(e)/s.scale[h])
		}
	}
	slices.Sort(sizes)
	s.levels, s.sizes = []float64{0}, []float64{0}
	for i, share := range anchors {
		z := normalQuantile(0.5 + share/2)
		seen := sizes[min(len(sizes)-1, int(share*float64(len(sizes))))]
		// Errors of a few origins may all be nothing; those to come need not.
		size := math.Max(widen[i]*seen, leastSize*z)
		s.levels = append(s.levels, z)
		s.sizes = append(s.sizes, math.Max(size, s.sizes[i]))
	}
	return s
}

// scales is the mean absolute error by lead, smoothed over neighbouring leads and
// never shrinking; beyond the leads that were judged it grows with their root.
func scales(residuals [][]float64, horizon int) []float64 {
	judged := len(residuals[0])
	raw := make([]float64, judged)
	var overall float64
	for _, path := range residuals {
		for h, e := range path {
			raw[h] += math.Abs(e) / float64(len(residuals))
			overall += math.Abs(e) / float64(len(residuals)*judged)
		}
	}
	scale := make([]float64, horizon)
	least := math.Max(overall*1e-3, 1e-300)
	for h := range scale {
		if h >= judged {
			scale[h] = scale[judged-1] * math.Sqrt(float64(h+1)/float64(judged))
			continue
		}
		reach := 1 + h/3
		from, to := max(0, h-reach), min(judged, h+reach+1)
		scale[h] = math.Max(least, meanOf(raw[from:to]))
		if h > 0 {
			scale[h] = math.Max(scale[h], scale[h-1])
		}
	}
	return scale
}

// quantile is the deviation from the forecast at a level and lead.
func (s spread) quantile(level float64, h int) float64 {
	z := normalQuantile(level)
	size := s.size(math.Abs(z))
	return math.Copysign(size, z) * s.scale[h]
}

// size is the absolute error at a normal deviate, linear between the anchors and
// in proportion beyond the last.
func (s spread) size(z float64) float64 {
	last := len(s.levels) - 1
	for i := 1; i <= last; i++ {
		if z <= s.levels[i] {
			f := (z - s.levels[i-1]) / (s.levels[i] - s.levels[i-1])
			return s.sizes[i-1] + f*(s.sizes[i]-s.sizes[i-1])
		}
	}
	return s.sizes[last] * z / s.levels[last]
}

// heldOut is the coverage of the 80 and 95 % intervals, each quarter of the
// origins judged by the spread the others give.
func heldOut(residuals [][]float64) (within80, within95 float64) {
	parts := min(4, len(residuals))
	if parts < 2 {
		return math.NaN(), math.NaN()
	}
	var count float64
	for part := range parts {
		from, to := part*len(residuals)/parts, (part+1)*len(residuals)/parts
		s := newSpread(slices.Concat(residuals[:from], residuals[to:]), len(residuals[0]))
		for _, path := range residuals[from:to] {
			for h, e := range path {
				within80 += boolFloat(math.Abs(e) <= s.quantile(0.9, h))
				within95 += boolFloat(math.Abs(e) <= s.quantile(0.975, h))
				count++
			}
		}
	}
	return within80 / count, within95 / count
}

func normalQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }

// temper draws the scale towards what the whole history was like, as far as the
// backtest, which began at first, fell into a calm or a wild part of it: volatility
// comes back, the more surely when it is missing. The powers were found on
// held-back tails.
func (s spread) temper(y []float64, first, period int) {
	all, recent := meanStep(y, period), meanStep(y[max(0, first-period):], period)
	if all <= 0 {
		return
	}
	for h := range s.scale {
		s.scale[h] = math.Max(s.scale[h], leastScale*all)
	}
	if recent <= 0 {
		return
	}
	ratio := math.Max(0.25, math.Min(4, all/recent))
	factor := math.Pow(ratio, 0.45)
	if ratio < 1 {
		factor = math.Pow(ratio, 0.2)
	}
	for h := range s.scale {
		s.scale[h] *= factor
	}
}

// meanStep is the mean absolute change over a period.
func meanStep(y []float64, period int) float64 {
	var sum float64
	for i := period; i < len(y); i++ {
		sum += math.Abs(y[i] - y[i-period])
	}
	return sum / float64(max(1, len(y)-period))
}
