package scenario

import (
	"math"
	"slices"
	"time"

	"mcloud/planner/forecast"
)

// At is the level and the demand that e adds at an instant. A step whose date is
// uncertain counts from its first day where it takes something away, and from its last
// where it gives.
func (e Effect) At(at time.Time) (level Level, demand float64) {
	level = e.Now
	for _, s := range e.Steps {
		first, last := s.From, later(s.From, s.Until)
		if s.Limit < 0 && !at.Before(first) || s.Limit > 0 && !at.Before(last) {
			level.Limit += s.Limit
		}
		if s.Capacity < 0 && !at.Before(first) || s.Capacity > 0 && !at.Before(last) {
			level.Capacity += s.Capacity
		}
		if s.Demand > 0 && !at.Before(first) {
			demand += s.Demand
		}
	}
	return level, demand
}

// End is the level after all steps, and all the demand that e adds.
func (e Effect) End() (level Level, demand float64) {
	level = e.Now
	for _, s := range e.Steps {
		level.Limit += s.Limit
		level.Capacity += s.Capacity
		demand += s.Demand
	}
	return level, demand
}

// Crossing is when r, grown and with the demand that e adds, meets the limit as e
// moves it.
func (e Effect) Crossing(r forecast.Result) forecast.Crossing {
	return e.meets(r, e.Now.Limit, func(s Step) float64 { return s.Limit })
}

// Full is when r meets the capacity as e moves it, reserves used up.
func (e Effect) Full(r forecast.Result) forecast.Crossing {
	return e.meets(r, e.Now.Capacity, func(s Step) float64 { return s.Capacity })
}

// meets reads r against a limit that moves. Demand that is added is a limit that is
// lowered, and growth that is multiplied a distance to the limit that is divided:
// last + g·(path − last) + demand ≥ limit where path ≥ last + (limit − demand − last)/g.
func (e Effect) meets(r forecast.Result, base float64, of func(Step) float64) forecast.Crossing {
	threshold := e.threshold(r, base, of)
	if slices.ContainsFunc(e.Steps, func(s Step) bool { return s.Until.After(s.From) }) {
		return r.CrossingOf(threshold)
	}
	// Every path meets the same limit, which is then computed once.
	return r.Crossing(func(at time.Time) float64 { return threshold(0, at) })
}

// Threshold is what r meets when it crosses the limit as e moves it, on the first of the
// dates that are spread over uncertain ones.
func (e Effect) Threshold(r forecast.Result) func(time.Time) float64 {
	limit := e.threshold(r, e.Now.Limit, func(s Step) float64 { return s.Limit })
	return func(at time.Time) float64 { return limit(0, at) }
}

func (e Effect) threshold(r forecast.Result, base float64, of func(Step) float64) func(path int, at time.Time) float64 {
	moves := make([]forecast.Move, len(e.Steps))
	for i, s := range e.Steps {
		moves[i] = forecast.Move{Earliest: s.From, Latest: s.Until, Add: of(s) - s.Demand, Key: s.Why}
	}
	limit := forecast.Moving(base, moves)
	return func(path int, at time.Time) float64 {
		room := limit(path, at) - r.Last
		switch {
		case e.Growth == 1:
			return r.Last + room
		case e.Growth > 0:
			return r.Last + room/e.Growth
		case room <= 0:
			return math.Inf(-1)
		}
		return math.Inf(1)
	}
}

// Grown is where a quantile of r lies after e's growth and demand at an instant.
func (e Effect) Grown(r forecast.Result, value float64, at time.Time) float64 {
	_, demand := e.At(at)
	return r.Last + e.Growth*(value-r.Last) + demand
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
