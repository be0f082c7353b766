package forecast

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// ReconcileResults moves forecasts of parts and wholes until every node with parts
// is their sum at the instants of the first result, which is the whole: their
// quantiles and simulated paths move with the middle. parents are as in Node. How
// much a forecast gives way follows from the error of its backtest; without one it
// is taken to be as unsure as it is large.
//
// A part that has no parts and no forecast is held at its last value. No middle
// that was at or above 0 falls below it. The results themselves stay as they are;
// it is an error when the whole has no forecast.
func ReconcileResults(parents []int, results []Result) ([]Result, error) {
	if len(parents) != len(results) {
		return nil, fmt.Errorf("forecast: %d parents of %d results", len(parents), len(results))
	}
	if len(results) == 0 {
		return nil, nil
	}
	whole := results[0]
	if !whole.Forecasted() {
		return nil, fmt.Errorf("forecast: the whole has no forecast: %s", whole.Reason)
	}
	hasParts := make([]bool, len(results))
	for _, parent := range parents {
		if parent >= 0 && parent < len(hasParts) {
			hasParts[parent] = true
		}
	}
	instants := make([]time.Time, len(whole.P50))
	moves := make([][]float64, len(results)) // by node and instant
	for h := range instants {
		instants[h] = whole.Time(h)
	}
	for i := range moves {
		moves[i] = make([]float64, len(instants))
	}
	nodes := make([]Node, len(results))
	for h, t := range instants {
		for i, r := range results {
			nodes[i] = r.node(parents[i], t, hasParts[i])
		}
		final, err := reconcileAboveZero(nodes)
		if err != nil {
			return nil, err
		}
		for i, r := range results {
			moves[i][h] = final[i] - r.middle(t)
		}
	}
	moved := make([]Result, len(results))
	for i, r := range results {
		moved[i] = r.moved(instants, moves[i])
	}
	return moved, nil
}

// node is what r says of t; with parts it may say nothing.
func (r Result) node(parent int, t time.Time, hasParts bool) Node {
	v := r.middle(t)
	n := Node{Parent: parent, Value: v}
	switch e := r.Backtest.MeanError; {
	case !r.Forecasted() && hasParts:
		n.Value, n.Variance = math.NaN(), math.Inf(1)
	case r.Backtest.Origins == 0 || !(e > 0):
		n.Variance = v * v
	default:
		n.Variance = e * e
	}
	return n
}

// At are the quantiles at t, by straight lines between the steps; the last value
// where there is no forecast or t is not after the history, the last step's beyond
// the horizon.
func (r Result) At(t time.Time) (p10, p50, p90 float64) {
	return r.along(r.P10, t), r.along(r.P50, t), r.along(r.P90, t)
}

func (r Result) middle(t time.Time) float64 { return r.along(r.P50, t) }

func (r Result) along(path []float64, t time.Time) float64 {
	if len(path) == 0 {
		return r.Last
	}
	steps := float64(t.Sub(r.To))/float64(r.Step) - 1 // path[0] is one step after To
	switch {
	case steps <= -1:
		return r.Last
	case steps < 0:
		return r.Last + (steps+1)*(path[0]-r.Last)
	case steps >= float64(len(path)-1):
		return path[len(path)-1]
	}
	i := int(steps)
	return path[i] + (steps-float64(i))*(path[i+1]-path[i])
}

// WithoutPaths is r without its simulated paths, which take most of its memory: it
// has quantiles, but no Crossing.
func (r Result) WithoutPaths() Result {
	r.paths, r.Candidates = nil, nil
	return r
}

// moved is r with by[h] added at instants[h], and by straight lines from none at
// To in between. A leaf without quantiles gets flat ones, as it stands for what
// adds up.
func (r Result) moved(instants []time.Time, by []float64) Result {
	out := r
	if !r.Forecasted() {
		flat := make([]float64, len(by))
		for h := range flat {
			flat[h] = r.Last + by[h]
		}
		out.P10, out.P50, out.P90 = flat, flat, flat
		if len(instants) > 1 {
			out.Step = instants[1].Sub(instants[0])
		}
		out.To = instants[0].Add(-out.Step)
		return out
	}
	shift := make([]float64, len(r.P50))
	for h := range shift {
		shift[h] = between(r.To, instants, by, r.Time(h))
	}
	add := func(path []float64) []float64 {
		sum := make([]float64, len(path))
		for h, v := range path {
			sum[h] = math.Max(v+shift[h], math.Min(0, v)) // nothing falls below 0 that was not there
		}
		return sum
	}
	out.P10, out.P50, out.P90 = add(r.P10), add(r.P50), add(r.P90)
	out.paths = make([][]float64, len(r.paths))
	for i, path := range r.paths {
		out.paths[i] = add(path)
	}
	return out
}

// between interpolates by at instants, which ascend, from 0 at start.
func between(start time.Time, instants []time.Time, by []float64, t time.Time) float64 {
	i := sort.Search(len(instants), func(i int) bool { return !instants[i].Before(t) })
	if i == len(instants) {
		return by[i-1]
	}
	before, from := start, 0.0
	if i > 0 {
		before, from = instants[i-1], by[i-1]
	}
	span := instants[i].Sub(before)
	if span <= 0 {
		return by[i]
	}
	share := float64(t.Sub(before)) / float64(span)
	return from + math.Max(0, share)*(by[i]-from)
}

// reconcileAboveZero is Reconcile that lets no part fall below 0 that was not there:
// such a part is held at 0 and the others share the rest.
func reconcileAboveZero(nodes []Node) ([]float64, error) {
	hasParts := make([]bool, len(nodes))
	for _, n := range nodes {
		if n.Parent >= 0 && n.Parent < len(nodes) {
			hasParts[n.Parent] = true
		}
	}
	held := append([]Node(nil), nodes...)
	for range nodes {
		final, err := Reconcile(held)
		if err != nil {
			return nil, err
		}
		again := false
		for i, v := range final {
			if v < 0 && !hasParts[i] && nodes[i].Value >= 0 && held[i].Variance > 0 {
				held[i].Value, held[i].Variance = 0, 0
				again = true
			}
		}
		if !again {
			return final, nil
		}
	}
	return Reconcile(held)
}
