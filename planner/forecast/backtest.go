package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
)

// Backtest says how the chosen model did on the history it was given: fitted to
// the part before an origin, judged on what came after, for several origins.
type Backtest struct {
	Origins int           `json:"origins"`
	Horizon time.Duration `json:"horizon"` // the longest lead that was judged
	// MeanError is the mean absolute error over origins and leads, in the unit
	// of the series.
	MeanError float64 `json:"mean_error"`
	// Relative is MeanError of each lead over that of "no change", averaged:
	// below 1 the model knows more than its last value.
	Relative float64 `json:"relative"`
	// Coverage is the share of what came that lay between P10 and P90, each
	// origin judged with an interval that the other origins scaled. 0.8 is
	// perfect.
	Coverage float64 `json:"coverage"`
	// Scale is the factor by which the model's own spread was widened or
	// narrowed to fit its errors.
	Scale float64 `json:"scale"`
}

// Score is a candidate's Relative error.
type Score struct {
	Model    string  `json:"model"`
	Relative float64 `json:"relative"`
}

const (
	origins = 14
	// favour is the power of the inverse errors that weighs the models of a fill.
	// Its origins overlap: a dozen are worth about three, and are not believed far.
	favour = 2
	// trust is the weight of what the errors say against the model's own spread:
	// origins overlap, so a dozen of them are worth about three.
	trust = 0.6
	// caution widens the interval for having chosen the model by the same errors.
	caution = 1.15
)

type backtest struct {
	origins             int
	leads               []int
	errors              [][]trial // by candidate
	mean                []float64 // mean absolute error by candidate
	score               []float64 // relative by candidate
	weights             []float64 // by candidate, they sum to 1
	best                int       // the candidate of the largest weight
	mixed               []trial   // of the combination
	scale               float64
	cover               float64
	relative, meanError float64 // of the combination
}

// trial is one error of one model: its size and the spread the model expected.
type trial struct {
	origin, lead int
	err, spread  float64
}

// runBacktest judges the candidates at origins spread over the second half of y
// and at leads spaced geometrically up to a third of it. With fewer than 24 points
// there is nothing to judge: the simplest trend is used and its spread doubled.
func runBacktest(y []float64, models []candidate, steps int) backtest {
	n := len(y)
	b := backtest{weights: priors(models), best: 1, errors: make([][]trial, len(models)), mean: make([]float64, len(models)), score: make([]float64, len(models)), scale: 2}
	longest := min(steps, n/3)
	if n < 24 {
		return b
	}
	b.leads = geometric(longest)
	first := max(n/2-longest/2, minPoints+2, n/3)
	last := n - 1 - b.leads[0]
	seen := -1
	for k := range origins {
		origin := first + (last-first)*k/(origins-1)
		if origin == seen {
			continue
		}
		seen = origin
		b.origins++
		for m, model := range models {
			f := model.fit(y[:origin+1], longest)
			for _, lead := range b.leads {
				if origin+lead < n {
					b.errors[m] = append(b.errors[m], trial{origin, lead, y[origin+lead] - f.mean[lead-1], f.spread(lead)})
				}
			}
		}
	}
	b.choose(models)
	b.calibrate()
	return b
}

// geometric are leads 1, 2, 4, … and the longest itself.
func geometric(longest int) []int {
	var leads []int
	for h := max(1, longest/16); h < longest; h = max(h+1, h*7/4) {
		leads = append(leads, h)
	}
	return append(leads, max(1, longest))
}

// choose scores every candidate against the last value, lead by lead, and weighs
// them by that.
func (b *backtest) choose(models []candidate) {
	naive := b.byLead(b.errors[0])
	for m := range models {
		b.mean[m], b.score[m] = b.judge(b.errors[m], naive)
	}
	best, sum := slices.Min(b.score), 0.0
	for m := range models {
		b.weights[m] *= math.Pow(math.Max(best, 1e-6)/math.Max(b.score[m], 1e-6), favour)
		sum += b.weights[m]
	}
	for m := range models {
		b.weights[m] /= sum
		if b.weights[m] > b.weights[b.best] {
			b.best = m
		}
	}
	b.mixed = slices.Clone(b.errors[0])
	for i := range b.mixed {
		b.mixed[i].err, b.mixed[i].spread = 0, 0
		for m, w := range b.weights {
			b.mixed[i].err += w * b.errors[m][i].err
			b.mixed[i].spread += w * b.errors[m][i].spread
		}
	}
	b.meanError, b.relative = b.judge(b.mixed, naive)
}

// hopeless is the relative error of a model that expects change where there was
// none at all.
const hopeless = 1e3

// judge is the mean absolute error over leads and its ratio to that of the last
// value, averaged over leads.
func (b *backtest) judge(trials []trial, naive map[int]float64) (mean, relative float64) {
	mine := b.byLead(trials)
	leads := float64(len(b.leads))
	var overall float64
	for _, lead := range b.leads { // in order: sums must not depend on a map's
		overall += naive[lead] / leads
	}
	for _, lead := range b.leads {
		mean += mine[lead] / leads
		switch known := math.Max(naive[lead], overall*1e-3); {
		case known > 0:
			relative += mine[lead] / known / leads
		case mine[lead] == 0: // nothing moved, and neither expected it to
			relative += 1 / leads
		default:
			relative += hopeless / leads
		}
	}
	return mean, relative
}

// priors are the weights before any evidence; they sum to 1.
func priors(models []candidate) []float64 {
	w, sum := make([]float64, len(models)), 0.0
	for m := range w {
		w[m] = models[m].prior
		sum += w[m]
	}
	for m := range w {
		w[m] /= sum
	}
	return w
}

// byLead is the mean absolute error at each lead.
func (b *backtest) byLead(trials []trial) map[int]float64 {
	sum, count := map[int]float64{}, map[int]float64{}
	for _, e := range trials {
		sum[e.lead] += math.Abs(e.err)
		count[e.lead]++
	}
	for lead := range sum {
		sum[lead] /= count[lead]
	}
	return sum
}

// calibrate sets the scale so that 80 % of the combination's errors lie within
// its P10–P90, and measures coverage with each origin left out in turn.
func (b *backtest) calibrate() {
	var all, held []float64
	byOrigin := map[int][]float64{}
	for _, e := range b.mixed {
		z := math.Abs(e.err) / math.Max(e.spread, 1e-300)
		all = append(all, z)
		byOrigin[e.origin] = append(byOrigin[e.origin], z)
	}
	b.scale = conformalScale(all)
	for left, judged := range byOrigin {
		var others []float64
		for origin, z := range byOrigin {
			if origin != left {
				others = append(others, z...)
			}
		}
		width := normalP90 * conformalScale(others)
		for _, z := range judged {
			held = append(held, boolFloat(z <= width))
		}
	}
	b.cover = stat.Mean(held, nil)
}

// normalP90 is the 0.9 quantile of the standard normal distribution: P10 to P90
// is 1.2816 spreads to both sides.
const normalP90 = 1.2815515655446004

// conformalScale is the 80 % quantile of |error|/spread in units of what a normal
// error would have, drawn towards 1 as few origins speak, and then made cautious.
func conformalScale(z []float64) float64 {
	if len(z) == 0 {
		return 2
	}
	slices.Sort(z)
	c := stat.Quantile(0.8, stat.LinInterp, z, nil) / normalP90
	return math.Max(0.2, math.Min(8, caution*math.Pow(math.Max(c, 1e-3), trust)))
}

func (b *backtest) summary(step time.Duration) Backtest {
	if b.origins == 0 {
		return Backtest{Scale: b.scale}
	}
	return Backtest{
		Origins: b.origins, Horizon: time.Duration(b.leads[len(b.leads)-1]) * step,
		MeanError: b.meanError, Relative: b.relative, Coverage: b.cover, Scale: b.scale,
	}
}

func (b *backtest) scores(models []candidate) []Score {
	if b.origins == 0 {
		return nil
	}
	s := make([]Score, len(models))
	for i, m := range models {
		s[i] = Score{m.name, b.score[i]}
	}
	slices.SortStableFunc(s, func(x, y Score) int { return cmp.Compare(x.Relative, y.Relative) })
	return s
}

func (b *backtest) reason(models []candidate) string {
	switch {
	case b.origins == 0:
		return fmt.Sprintf("too few points for a backtest: %d models are averaged, with the interval doubled", len(models))
	case b.relative >= 1:
		return fmt.Sprintf("from the last %d origins not even %d models together foresaw better than \"no change\"", b.origins, len(models))
	}
	return fmt.Sprintf("%d models weighed by their errors from %d origins: together %.0f %% of that of \"no change\"", len(models), b.origins, 100*b.relative)
}

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
