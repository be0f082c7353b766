package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Request says what Predict is to foresee.
type Request struct {
	// Horizon is the number of steps after the last value, 1 to MaxSteps.
	Horizon int
	// Periods are the seasons in steps, such as 24 of hours; 0 and 1 are none. A
	// longer one that usually goes with it (168 with 24) is looked for as well, and
	// without any the usual ones are looked for in the values.
	Periods []int
	// Quantiles are the levels wanted, each between 0 and 1 exclusive.
	Quantiles []float64
}

// Prediction is what Predict says of one series, with the evidence.
type Prediction struct {
	// Model names the combination in a word; Weights are its parts, heaviest first.
	Model   string   `json:"model"`
	Weights []Weight `json:"weights,omitempty"`
	// Points that were used, from the first to the last finite value; Filled of them
	// were missing.
	Points  int   `json:"points"`
	Filled  int   `json:"filled"`
	Periods []int `json:"periods,omitempty"`
	// Notes say in plain words what limits the forecast.
	Notes    []string `json:"notes,omitempty"`
	Evidence Evidence `json:"evidence"`
	// Mean is the middle of the future, step by step.
	Mean []float64 `json:"mean"`
	// Levels are the quantile levels asked for and Quantiles the values, by level
	// and step; nil when the history is too short to tell any spread.
	Levels    []float64   `json:"levels,omitempty"`
	Quantiles [][]float64 `json:"quantiles,omitempty"`
}

// Weight is a model's part in a combination and the error it was given for.
type Weight struct {
	Model  string  `json:"model"`
	Weight float64 `json:"weight"` // they sum to 1
	Error  float64 `json:"error"`  // mean absolute, over the backtest, in the unit of the series
}

// Evidence is the rolling-origin backtest of the combination.
type Evidence struct {
	Origins int `json:"origins"` // 0: there was none
	Horizon int `json:"horizon"` // steps judged from each
	// Error is the mean absolute error, Relative that over the error of the seasonal
	// naive forecast (of the last value, without a season).
	Error    float64 `json:"error"`
	Relative float64 `json:"relative"`
	// Coverage80 and Coverage95 are the shares of what came that the intervals
	// held, each origin judged by what the others say.
	Coverage80 float64 `json:"coverage_80"`
	Coverage95 float64 `json:"coverage_95"`
}

// Predict foresees a series by a combination of models, weighed by how each did
// from past origins, and gives quantiles scaled by the errors the combination
// made from there. NaN and infinite values are missing; missing values at the end
// are not there, so that step 1 follows the last finite one. It is
// deterministic, and may be called concurrently.
//
// Where no value is below zero, nothing of the forecast is.
func Predict(values []float64, r Request) (Prediction, error) {
	if r.Horizon < 1 || r.Horizon > MaxSteps {
		return Prediction{}, fmt.Errorf("forecast: horizon is %d steps, want 1 to %d", r.Horizon, MaxSteps)
	}
	for _, level := range r.Quantiles {
		if !(level > 0 && level < 1) {
			return Prediction{}, fmt.Errorf("forecast: quantile level %v, want between 0 and 1", level)
		}
	}
	for _, p := range r.Periods {
		if p < 0 {
			return Prediction{}, fmt.Errorf("forecast: period %d is negative", p)
		}
	}
	p := Prediction{Levels: slices.Clone(r.Quantiles)}
	y := p.take(values, r.Periods)
	n := len(y)
	switch {
	case n == 0:
		return Prediction{}, fmt.Errorf("forecast: the series has no finite value")
	case slices.Min(y) == slices.Max(y):
		p.still(y[0], r.Horizon)
	case n < leastTested:
		p.short(y, r.Horizon)
	default:
		p.combine(y, r.Horizon)
	}
	p.keepOrder(slices.Min(y) >= 0)
	return p, nil
}

// leastTested is the shortest history with a backtest.
const leastTested = 12

// take notes and repairs what is wrong with values and settles the seasons.
func (p *Prediction) take(values []float64, periods []int) []float64 {
	y := slices.Clone(values)
	infinite := 0
	for i, v := range y {
		if math.IsInf(v, 0) || math.Abs(v) > largest {
			infinite++
			y[i] = math.NaN()
		}
	}
	if infinite > 0 {
		p.note("%d infinite values were taken as missing", infinite)
	}
	known := func(v float64) bool { return !math.IsNaN(v) }
	first := slices.IndexFunc(y, known)
	if first < 0 {
		return nil
	}
	for math.IsNaN(y[len(y)-1]) {
		y = y[:len(y)-1]
	}
	y = y[first:]
	missing := make([]int, 0, 8)
	for i, v := range y {
		if !known(v) {
			missing = append(missing, i)
		}
	}
	p.Points, p.Filled = len(y), len(missing)
	interpolate(y)
	p.Periods = seasonsOf(y, periods)
	if p.Filled > 0 {
		p.note("%d of %d values are missing and were interpolated", p.Filled, p.Points)
		if d := decompose(y, p.Periods); len(d.periods) > 0 {
			for _, i := range missing {
				y[i] = math.NaN()
			}
			y = d.adjusted(y)
			interpolate(y)
			for t := range y {
				y[t] += d.at(t)
			}
		}
	}
	return y
}

// largest bounds values: their squares must still be numbers.
const largest = 1e150

func (p *Prediction) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// companions are longer seasons that go with one: hours and half-hours and
// quarters of the day with the week, days of the week with the year.
var companions = map[int]int{24: 168, 48: 336, 96: 672}

// usual are the seasons looked for when none is named.
var usual = []int{7, 12, 24, 52}

// seasonsOf are the seasons to model, at most two, ascending.
func seasonsOf(y []float64, asked []int) []int {
	var found []int
	for _, p := range asked {
		if p > 1 {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) == 0 {
		// The weights of the models decide how far it is believed. Of seasons of about
		// the same strength the longest tells most.
		best := 0.0
		for _, p := range usual {
			if s := strength(y, p); s > 0 && s > best-0.1 {
				best, found = math.Max(best, s), []int{p}
			}
		}
	}
	if len(found) == 1 && slices.Contains(asked, found[0]) {
		if longer, ok := companions[found[0]]; ok {
			found = append(found, longer)
		}
	}
	found = slices.DeleteFunc(found, func(p int) bool { return len(y) < 2*p+p/2 })
	return found[:min(2, len(found))]
}

// still is a series that never changed.
func (p *Prediction) still(v float64, horizon int) {
	p.Mean = repeat(v, horizon)
	if p.Points == 1 {
		p.Model = "last value"
		p.note("one value says nothing of change or spread: it is repeated, without quantiles")
		p.Levels = nil
		return
	}
	p.Model = "constant"
	p.note("all %d values are the same: the quantiles know of no change, which may begin at any time", p.Points)
	for range p.Levels {
		p.Quantiles = append(p.Quantiles, repeat(v, horizon))
	}
}

// short is a history with no room for a backtest: the last value, and the spread
// of its differences as it grows with the root of the lead, widened for how few
// they are.
func (p *Prediction) short(y []float64, horizon int) {
	p.Model = "last value"
	p.note("%d values are too few for a backtest: the last one is repeated, with a wide interval", len(y))
	p.Mean = repeat(y[len(y)-1], horizon)
	d := diff(y)
	spread := math.Sqrt(meanSquare(d)) * (1 + 3/float64(len(d)))
	for _, level := range p.Levels {
		q := make([]float64, horizon)
		for h := range q {
			q[h] = p.Mean[h] + normalQuantile(level)*spread*math.Sqrt(float64(h+1))
		}
		p.Quantiles = append(p.Quantiles, q)
	}
}

// keepOrder makes the quantiles ascend with their levels whatever the rounding,
// and nothing negative where nothing was.
func (p *Prediction) keepOrder(floor bool) {
	if floor {
		for _, path := range append(p.Quantiles, p.Mean) {
			for h, v := range path {
				path[h] = math.Max(0, v)
			}
		}
	}
	order := make([]int, len(p.Quantiles))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p.Levels[a], p.Levels[b]) })
	for i := 1; i < len(order); i++ {
		below, above := p.Quantiles[order[i-1]], p.Quantiles[order[i]]
		for h := range above {
			above[h] = math.Max(above[h], below[h])
		}
	}
}
