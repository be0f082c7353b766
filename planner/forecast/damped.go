package forecast

import "math"

// dampedTrend is exponential smoothing with an additive damped trend, ETS(A,Ad,N)
// of Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd ed.,
// 8.2. The smoothing parameters are the best of a small grid by squared one-step
// error; a finer search gains little and costs a backtest dearly.
func dampedTrend(y []float64, steps int) fitted {
	best := smoothing{sse: math.Inf(1)}
	for _, alpha := range []float64{0.2, 0.5, 0.8, 0.99} {
		for _, beta := range []float64{0.01, 0.05, 0.2} {
			for _, phi := range []float64{0.9, 0.98, 0.995} {
				if s := smooth(y, alpha, beta, phi); s.sse < best.sse {
					best = s
				}
			}
		}
	}
	f := doubtful(y)
	f.mean = make([]float64, steps)
	sum, factor := 0.0, best.phi
	for h := range f.mean {
		sum += factor
		factor *= best.phi
		f.mean[h] = best.level + sum*best.trend
	}
	return f
}

type smoothing struct{ level, trend, phi, sse float64 }

func smooth(y []float64, alpha, beta, phi float64) smoothing {
	start := min(len(y)-1, 10)
	s := smoothing{level: y[0], trend: (y[start] - y[0]) / float64(start), phi: phi}
	for _, v := range y[1:] {
		predicted := s.level + phi*s.trend
		e := v - predicted
		s.sse += e * e
		s.level = predicted + alpha*e
		s.trend = phi*s.trend + alpha*beta*e
	}
	return s
}
