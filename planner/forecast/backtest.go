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
	// needed is how much better, as a fraction, a model must be than a simpler
	// one to be chosen over it.
	needed = 0.03
	// trust is the weight of what the errors say against the model's own spread:
	// origins overlap, so a dozen of them are worth about three.
	trust = 0.6
	// caution widens the interval for having chosen the model by the same errors.
	caution = 1.15
)

type backtest struct {
	origins int
	leads   []int
	errors  [][]trial // by candidate
	mean    []float64 // mean absolute error by candidate
	score   []float64 // relative by candidate
	best    int
	scale   float64
	cover   float64
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
	b := backtest{errors: make([][]trial, len(models)), mean: make([]float64, len(models)), score: make([]float64, len(models)), scale: 2}
	longest := min(steps, n/3)
	if n < 24 {
		b.best = 1 // drift
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

// choose scores every candidate against the last value, lead by lead, and takes
// the simplest of those within needed of the best.
func (b *backtest) choose(models []candidate) {
	naive := b.byLead(0)
	var overall float64
	for _, lead := range b.leads { // in order: sums must not depend on a map's
		overall += naive[lead] / float64(len(b.leads))
	}
	for m := range models {
		mine := b.byLead(m)
		for _, lead := range b.leads {
			b.mean[m] += mine[lead] / float64(len(b.leads))
			b.score[m] += mine[lead] / math.Max(naive[lead], overall*1e-3) / float64(len(b.leads))
		}
	}
	for m := range models {
		if b.score[m] < b.score[b.best]*(1-needed) {
			b.best = m
		}
	}
}

// byLead is candidate m's mean absolute error at each lead.
func (b *backtest) byLead(m int) map[int]float64 {
	sum, count := map[int]float64{}, map[int]float64{}
	for _, e := range b.errors[m] {
		sum[e.lead] += math.Abs(e.err)
		count[e.lead]++
	}
	for lead := range sum {
		sum[lead] /= count[lead]
	}
	return sum
}

// calibrate sets the scale so that 80 % of the chosen model's errors lie within
// its P10–P90, and measures coverage with each origin left out in turn.
func (b *backtest) calibrate() {
	var all, held []float64
	byOrigin := map[int][]float64{}
	for _, e := range b.errors[b.best] {
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
		MeanError: b.mean[b.best], Relative: b.score[b.best], Coverage: b.cover, Scale: b.scale,
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
		return "too few points for a backtest: plain drift with its interval doubled"
	case b.best == 0:
		return fmt.Sprintf("no model foresaw the last %d origins better than \"no change\"", b.origins)
	}
	return fmt.Sprintf("least error of %d models from %d origins: %.0f %% of that of \"no change\"", len(models), b.origins, 100*b.score[b.best])
}

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
