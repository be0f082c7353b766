// Package forecast turns the history of one quantity into quantiles of its
// future and the distribution of the date at which it crosses a limit.
//
// For what fills up and has a limit use New: it cleans the history, weighs trends
// by a rolling-origin backtest, simulates paths around their mixture and scales
// their spread by the errors the backtest made (a conformal correction). Crossing
// then reads the paths against a limit, CrossingOf against one that is itself
// uncertain. For anything else, seasons above all, use Predict: autoregressions,
// Theta, damped trends and naive models, weighed in the same way. Reconcile makes
// forecasts of parts and wholes add up. Functions are pure and deterministic: the
// seed of a simulation follows from the values.
//
// It will not guess: with too little history there are no quantiles, and the
// Result says why.
package forecast

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Options steer New; the zero value is usable except for Horizon.
type Options struct {
	// Horizon is how far to look; at most MaxSteps steps of the series are
	// simulated.
	Horizon time.Duration
	// Capacity is what the quantity can never exceed, and saturates at; zero for
	// none. A limit that is to be crossed lies at or below it.
	Capacity float64
	// Paths is the number of simulated futures; zero means 400.
	Paths int
	// Min is the shortest history that is extrapolated; zero means two days.
	Min time.Duration
}

// MaxSteps bounds the horizon in steps, and so the cost of one forecast.
const MaxSteps = 2000

// minPoints is the fewest points any model is fitted to.
const minPoints = 8

// Result is a forecast with the evidence for it.
type Result struct {
	// Model that was chosen, "" when the history did not suffice; Reason says
	// why this one, or why none.
	Model  string `json:"model,omitempty"`
	Reason string `json:"reason"`
	// From and To bound the history that was used, Step apart.
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	Step   time.Duration `json:"step"`
	Points int           `json:"points"`
	// Gaps counts the missing points that were interpolated, Outliers the short
	// excursions that were taken for errors of measurement (restarts, resets).
	Gaps     int `json:"gaps"`
	Outliers int `json:"outliers"`
	// Shifts are sudden lasting changes: purchases, mass deletions.
	Shifts     []Shift  `json:"shifts,omitempty"`
	Backtest   Backtest `json:"backtest"`
	Candidates []Score  `json:"candidates,omitempty"` // best first
	Last       float64  `json:"last"`                 // the last value, where the paths start
	// Notes say in plain words what is odd about the history.
	Notes []string `json:"notes,omitempty"`
	// P10, P50 and P90 are quantiles at To + (i+1)·Step; nil without a model.
	P10 []float64 `json:"-"`
	P50 []float64 `json:"-"`
	P90 []float64 `json:"-"`

	paths [][]float64
}

// Shift is a lasting change of level from one point to the next.
type Shift struct {
	At   time.Time `json:"at"`
	Size float64   `json:"size"`
}

// Time is the instant of the i-th step of the quantiles, counted from 0.
func (r Result) Time(i int) time.Time { return r.To.Add(time.Duration(i+1) * r.Step) }

// Forecasted says whether there are quantiles.
func (r Result) Forecasted() bool { return len(r.P50) > 0 }

// New forecasts s. Bad input (no step, infinite values) is an error; too
// little history is a Result without a model that says so.
func New(s Series, o Options) (Result, error) {
	if s.Step <= 0 {
		return Result{}, fmt.Errorf("forecast: series has step %s, want more than 0", s.Step)
	}
	if slices.ContainsFunc(s.Values, func(v float64) bool { return math.IsInf(v, 0) }) {
		return Result{}, fmt.Errorf("forecast: series has infinite values")
	}
	h := clean(s)
	r := Result{Step: s.Step, From: h.start, Points: len(h.values), Gaps: h.gaps, Outliers: h.outliers, Notes: oddities(s)}
	if len(h.values) == 0 {
		r.Reason = "no history: the series has no value in the window"
		return r, nil
	}
	n := len(h.values)
	r.To = h.start.Add(time.Duration(n-1) * s.Step)
	r.Last = h.values[n-1]
	least := o.Min
	if least == 0 {
		least = 48 * time.Hour
	}
	if span := r.To.Sub(r.From); n < minPoints || span < least {
		r.Reason = fmt.Sprintf("history too short: %d points over %.3g h, want %d over %.3g h", n, span.Hours(), minPoints, least.Hours())
		return r, nil
	}
	steps := min(MaxSteps, max(1, int(o.Horizon/s.Step)))
	paths := o.Paths
	if paths == 0 {
		paths = 400
	}
	for _, i := range findShifts(h.values) {
		r.Shifts = append(r.Shifts, Shift{At: h.start.Add(time.Duration(i) * s.Step), Size: h.values[i] - h.values[i-1]})
	}
	if constant(h.values) {
		r.Model, r.Reason = "constant", "every value of the history is the same"
		r.paths = [][]float64{repeat(r.Last, steps)}
	} else {
		models := candidates(s.Step, n)
		bt := runBacktest(h.values, models, steps)
		r.Model, r.Reason, r.Backtest, r.Candidates = "combination led by "+models[bt.best].name, bt.reason(models), bt.summary(s.Step), bt.scores(models)
		fits := make([]fitted, len(models))
		for m := range models {
			fits[m] = models[m].fit(h.values, steps)
		}
		roof := math.Inf(1)
		if o.Capacity > 0 {
			roof = math.Max(o.Capacity, r.Last)
		}
		r.paths = simulate(mixture(fits, bt.weights), bt.scale, paths, steps, seed(h.values), h.floor, roof)
	}
	r.P10, r.P50, r.P90 = quantiles(r.paths, steps)
	return r, nil
}

func constant(v []float64) bool {
	return slices.Min(v) == slices.Max(v)
}

func repeat(v float64, n int) []float64 { return slices.Repeat([]float64{v}, n) }
