package forecast

import (
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// State says in one word how a quantity stands to a limit.
type State string

// The states of a Crossing.
const (
	Over    State = "over"    // at or above the limit already
	Within  State = "within"  // half of the paths cross within the horizon
	Beyond  State = "beyond"  // less than half of the paths cross within the horizon
	Unknown State = "unknown" // there is no forecast
)

// Crossing is the distribution of the first instant at or above a limit.
type Crossing struct {
	State State `json:"state"`
	// P10, P50 and P90 are dates by which 10, 50 and 90 % of the paths have
	// crossed; nil where that is not within the horizon, which ends at Until.
	P10   *time.Time `json:"p10,omitempty"`
	P50   *time.Time `json:"p50,omitempty"`
	P90   *time.Time `json:"p90,omitempty"`
	Until time.Time  `json:"until"`
	// Probability is the share of paths that cross by Until.
	Probability float64 `json:"probability"`
}

// Crossing reads the paths against limit, which may differ from instant to
// instant (a purchase that arrives). A NaN limit is never crossed.
func (r Result) Crossing(limit func(time.Time) float64) Crossing {
	limits := make([]float64, len(r.P50))
	for h := range limits {
		limits[h] = limit(r.Time(h))
	}
	return r.crossing(limit(r.To), func(int) []float64 { return limits })
}

// CrossingOf reads each path against a limit of its own, counted from 0, for a
// limit that is itself uncertain: Moving makes one. What is Over is decided by the
// limit of path 0.
func (r Result) CrossingOf(limit func(path int, at time.Time) float64) Crossing {
	limits := make([]float64, len(r.P50))
	return r.crossing(limit(0, r.To), func(path int) []float64 {
		for h := range limits {
			limits[h] = limit(path, r.Time(h))
		}
		return limits
	})
}

func (r Result) crossing(now float64, limits func(path int) []float64) Crossing {
	if r.Points > 0 && r.Last >= now {
		at := r.To
		return Crossing{State: Over, P10: &at, P50: &at, P90: &at, Until: at, Probability: 1}
	}
	if len(r.paths) == 0 {
		return Crossing{State: Unknown}
	}
	first := make([]int, len(r.paths))
	crossed := 0
	for i, path := range r.paths {
		first[i] = math.MaxInt
		limit := limits(i)
		for h, v := range path {
			if v >= limit[h] {
				first[i] = h
				crossed++
				break
			}
		}
	}
	slices.Sort(first)
	c := Crossing{Until: r.Time(len(r.P50) - 1), Probability: float64(crossed) / float64(len(first)), State: Beyond}
	c.P10, c.P50, c.P90 = r.dateOf(first, 0.1), r.dateOf(first, 0.5), r.dateOf(first, 0.9)
	if c.P50 != nil {
		c.State = Within
	}
	return c
}

// Move is a change of a limit at a date that is known to lie between Earliest and
// Latest, each day as likely: a delivery, a decommission (Add below 0). Without
// Latest it comes at Earliest.
type Move struct {
	Earliest, Latest time.Time
	Add              float64
	// Key tells moves apart whose dates must not depend on which others there are;
	// "" stands for the place in the list.
	Key string
}

// Moving is the limit base with moves, for CrossingOf: every path has dates of its
// own, spread evenly over their ranges and the same whenever they are asked for.
func Moving(base float64, moves []Move) func(path int, at time.Time) float64 {
	apart := make([]float64, len(moves))
	for i, m := range moves {
		apart[i] = float64(i) * 0.41421356237309515
		if m.Key != "" {
			h := fnv.New32a()
			h.Write([]byte(m.Key))
			apart[i] = float64(h.Sum32()) / (1 << 32)
		}
	}
	return func(path int, at time.Time) float64 {
		limit := base
		for i, m := range moves {
			// Multiples of the golden ratio fill the unit interval evenly (Weyl); moves
			// are told apart by another irrational step.
			_, share := math.Modf(float64(path+1)*0.6180339887498949 + apart[i])
			date := m.Earliest
			if m.Latest.After(date) {
				date = date.Add(time.Duration(share * float64(m.Latest.Sub(date))))
			}
			if !at.Before(date) {
				limit += m.Add
			}
		}
		return limit
	}
}

// dateOf is the earliest date by which the share p of the sorted first
// crossings lies; nil when that is beyond the horizon.
func (r Result) dateOf(first []int, p float64) *time.Time {
	i := max(0, int(math.Ceil(p*float64(len(first))))-1)
	if first[i] == math.MaxInt {
		return nil
	}
	t := r.Time(first[i])
	return &t
}

// Constant is a limit that never moves.
func Constant(v float64) func(time.Time) float64 {
	return func(time.Time) float64 { return v }
}
