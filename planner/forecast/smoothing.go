package forecast

import "math"

// smoother is a model with a state that is carried along a series: parameters are
// fitted once to a prefix, then the state walks on and forecasts where asked.
type smoother interface {
	// fit finds the parameters from y; a second time it starts where the first ended.
	fit(y []float64)
	// walk carries the state along y and forecasts from each of the ascending origins
	// into out, by origin and step.
	walk(y []float64, origins []int, out [][]float64)
}

// leastSmoothed is the shortest prefix that a smoother is fitted to.
const leastSmoothed = 6

// dampedETS is ETS(A,Ad,N) of Hyndman and Athanasopoulos, "Forecasting: principles
// and practice", 3rd ed., 8.2, with its three parameters found by least squares of
// the one-step errors.
type dampedETS struct {
	alpha, beta, phi float64
	found            []float64
}

func (d *dampedETS) fit(y []float64) {
	set := func(x []float64) {
		d.alpha, d.beta, d.phi = 0.001+0.998*logistic(x[0]), 0.5*logistic(x[1]), 0.8+0.198*logistic(x[2])
	}
	d.found = search(func(x []float64) float64 {
		set(x)
		return d.run(y, nil, nil)
	}, d.found, []float64{0, -2, 1})
	set(d.found)
}

func (d *dampedETS) walk(y []float64, origins []int, out [][]float64) { d.run(y, origins, out) }

func (d *dampedETS) run(y []float64, origins []int, out [][]float64) (squares float64) {
	start := min(10, len(y)-1)
	level, trend := y[0], (y[start]-y[0])/float64(start)
	next := 0
	for i, v := range y[1:] {
		predicted := level + d.phi*trend
		e := v - predicted
		squares += e * e
		level = predicted + d.alpha*e
		trend = d.phi*trend + d.alpha*d.beta*e
		for next < len(origins) && origins[next] == i+2 {
			sum, factor := 0.0, d.phi
			for h := range out[next] {
				sum += factor
				factor *= d.phi
				out[next][h] = level + sum*trend
			}
			next++
		}
	}
	return squares
}

// dynamicTheta is the dynamic optimised Theta model of Fiorucci, Pellegrini,
// Louzada, Petropoulos and Koehler, "Models for optimising the theta method and
// their relationship to state space models", IJF 32 (2016), equations 17 to 21:
// a level smoothed by alpha and a straight line that is fitted anew at each point,
// weighed by theta.
type dynamicTheta struct {
	start, alpha, theta float64
	found               []float64
}

func (d *dynamicTheta) fit(y []float64) {
	unit := math.Abs(y[1] - y[0])
	for i := 2; i < len(y); i++ {
		unit = math.Max(unit, math.Abs(y[i]-y[i-1]))
	}
	set := func(x []float64) {
		d.start, d.alpha, d.theta = x[0]*unit, 0.01+0.98*logistic(x[1]), 1+math.Exp(math.Min(x[2], 10))
	}
	d.found = search(func(x []float64) float64 {
		set(x)
		return d.run(y, nil, nil)
	}, d.found, []float64{0, 0, 0})
	set(d.found)
}

func (d *dynamicTheta) walk(y []float64, origins []int, out [][]float64) { d.run(y, origins, out) }

// thetaState is the level, the line through what was seen and how much of it.
type thetaState struct {
	level, mean, slope, power float64
	n                         float64
}

// expected is the next value, for line = 1−1/theta and perAlpha = 1/alpha;
// (1−alpha)^n is power.
func (s *thetaState) expected(alpha, perAlpha, line float64) float64 {
	left := s.mean - s.slope*(s.n+1)*0.5
	return s.level + line*(left*s.power+s.slope*(1-s.power*(1-alpha))*perAlpha)
}

func (s *thetaState) see(v, alpha float64) {
	s.n++
	s.level = alpha*v + (1-alpha)*s.level
	news := (v - s.mean) / s.n
	s.slope = ((s.n-2)*s.slope + 6*news) / (s.n + 1)
	s.mean += news
	s.power *= 1 - alpha
}

func (d *dynamicTheta) run(y []float64, origins []int, out [][]float64) (squares float64) {
	// Seen from the first value, so that the zero of the scale plays no part.
	s := thetaState{level: (1 - d.alpha) * d.start, power: 1 - d.alpha, n: 1}
	perAlpha, line := 1/d.alpha, 1-1/d.theta
	next := 0
	for i, v := range y[1:] {
		v -= y[0]
		e := v - s.expected(d.alpha, perAlpha, line)
		squares += e * e
		s.see(v, d.alpha)
		for next < len(origins) && origins[next] == i+2 {
			ahead := s
			for h := range out[next] {
				v := ahead.expected(d.alpha, perAlpha, line)
				ahead.see(v, d.alpha)
				out[next][h] = y[0] + v
			}
			next++
		}
	}
	return squares
}

// search minimises f from start, or shorter and nearer from where an earlier
// search ended.
func search(f func([]float64) float64, found, start []float64) []float64 {
	if found != nil {
		return nelderMead(f, found, 0.3, 25)
	}
	return nelderMead(f, start, 1, 70)
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// nelderMead minimises f from start by the simplex of Nelder and Mead (1965),
// step wide at first, with at most so many reflections. It neither allocates per
// step nor needs a gradient; values of NaN count as infinite.
func nelderMead(f func([]float64) float64, start []float64, step float64, steps int) []float64 {
	n := len(start)
	points, values := make([][]float64, n+1), make([]float64, n+1)
	value := func(x []float64) float64 {
		if v := f(x); !math.IsNaN(v) {
			return v
		}
		return math.Inf(1)
	}
	for i := range points {
		points[i] = append([]float64(nil), start...)
		if i > 0 {
			points[i][i-1] += step
		}
		values[i] = value(points[i])
	}
	centre, try, better := make([]float64, n), make([]float64, n), make([]float64, n)
	// along puts try on the line from the worst point through the centre.
	along := func(worst int, by float64) float64 {
		for j := range try {
			try[j] = centre[j] + by*(centre[j]-points[worst][j])
		}
		return value(try)
	}
	for range steps {
		best, worst, second := order(values)
		if values[worst]-values[best] <= 1e-6*math.Abs(values[best]) {
			break
		}
		for j := range centre {
			centre[j] = 0
			for i := range points {
				if i != worst {
					centre[j] += points[i][j] / float64(n)
				}
			}
		}
		take := func(v float64) { copy(points[worst], try); values[worst] = v }
		switch v := along(worst, 1); {
		case v < values[best]:
			reflected := append(better[:0], try...)
			if further := along(worst, 2); further < v {
				take(further)
				continue
			}
			copy(try, reflected)
			take(v)
		case v < values[second]:
			take(v)
		default:
			if v = along(worst, -0.5); v < values[worst] {
				take(v)
				continue
			}
			for i := range points {
				if i == best {
					continue
				}
				for j := range points[i] {
					points[i][j] = 0.5 * (points[i][j] + points[best][j])
				}
				values[i] = value(points[i])
			}
		}
	}
	best, _, _ := order(values)
	return points[best]
}

// order are the indices of the least, the largest and the second largest.
func order(v []float64) (best, worst, second int) {
	for i := range v {
		if v[i] < v[best] {
			best = i
		}
		if v[i] > v[worst] {
			worst = i
		}
	}
	second = best
	for i := range v {
		if i != worst && v[i] > v[second] {
			second = i
		}
	}
	return best, worst, second
}
