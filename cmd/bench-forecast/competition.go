package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"mcloud/cmd/machine"
	"mcloud/planner/forecast"
	"mcloud/planner/forecast/score"
	"mcloud/planner/forecast/wide"
)

// competition is one of M4's sets with its rules and what is to be reached.
type competition struct {
	name, file      string
	horizon, period int
	mase, owa, msis float64 // goals
	rate            float64 // series a second on one core, 0 for none
}

var (
	hourly = competition{name: "M4 hourly", file: "Hourly-train.csv.xz", horizon: 48, period: 24, mase: 0.85, owa: 0.45, msis: 7.5, rate: 50}
	weekly = competition{name: "M4 weekly", file: "Weekly-train.csv.xz", horizon: 13, period: 1, mase: 2.2, owa: 0.78, msis: 17}
)

// measures are means over series.
type measures struct{ mase, smape, msis, cover80, cover95, series float64 }

func (m measures) owa(naive2 measures) float64 {
	return (m.mase/naive2.mase + m.smape/naive2.smape) / 2
}

// point adds the errors of one forecast.
func (m *measures) point(actual, f []float64, scale float64) {
	m.mase += score.MAE(actual, f) / scale
	m.smape += score.SMAPE(actual, f)
	m.series++
}

// interval adds the scores of 80 and 95 % intervals.
func (m *measures) interval(actual []float64, q [][]float64, scale float64) {
	m.msis += score.MSIS(actual, q[0], q[3], 0.05, scale)
	m.cover95 += score.Coverage(actual, q[0], q[3])
	m.cover80 += score.Coverage(actual, q[1], q[2])
}

func (m measures) mean() measures {
	return measures{m.mase / m.series, m.smape / m.series, m.msis / m.series, m.cover80 / m.series, m.cover95 / m.series, m.series}
}

type results struct {
	competition
	back                          int
	ours, naive2, seasonal, drift measures
	points                        int
	took                          time.Duration
}

// levels are those of the 95 and 80 % intervals.
var levels = []float64{0.025, 0.1, 0.9, 0.975}

// judge forecasts the held-back tail of each series. One that is constant in its
// history has no scale and is left out, as are those too short to hold back from.
func (c competition) judge(ctx context.Context, all []wide.Series, back, every int) (results, error) {
	r := results{competition: c, back: back}
	for i := 0; i < len(all); i += every {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		end := len(all[i].Values) - (back+1)*c.horizon
		if end < 2*c.period+c.horizon {
			continue
		}
		history, actual := all[i].Values[:end:end], all[i].Values[end:end+c.horizon]
		scale := score.Scale(history, c.period)
		if scale == 0 {
			continue
		}
		began := machine.Processor()
		p, err := forecast.Predict(history, forecast.Request{Horizon: c.horizon, Periods: []int{c.period}, Quantiles: levels})
		r.took += machine.Processor() - began
		if err != nil {
			return r, fmt.Errorf("%s, series %s: %w", c.name, all[i].ID, err)
		}
		r.points += end
		r.ours.point(actual, p.Mean, scale)
		r.ours.interval(actual, p.Quantiles, scale)
		r.naive2.point(actual, score.Naive2(history, c.period, c.horizon), scale)
		r.drift.point(actual, drift(history, c.horizon), scale)
		naive, q := seasonalNaive(history, c.period, c.horizon)
		r.seasonal.point(actual, naive, scale)
		r.seasonal.interval(actual, q, scale)
	}
	if r.ours.series == 0 {
		return r, fmt.Errorf("%s: no series is long enough to hold back %d values", c.name, (back+1)*c.horizon)
	}
	r.ours, r.naive2, r.seasonal, r.drift = r.ours.mean(), r.naive2.mean(), r.seasonal.mean(), r.drift.mean()
	return r, nil
}

func (r results) print(t table) {
	n := r.name
	t.row(n+": data", fmt.Sprintf("%.0f series, %d values", r.ours.series, r.points), "", true,
		fmt.Sprintf("held back: %d values, %d horizons before the end", r.horizon, r.back))
	beside := func(f func(measures) float64) string {
		return fmt.Sprintf("seasonal naive %.3f, drift %.3f, Naive2 %.3f", f(r.seasonal), f(r.drift), f(r.naive2))
	}
	t.atMost(n+": MASE", r.ours.mase, r.mase, beside(func(m measures) float64 { return m.mase }))
	t.row(n+": sMAPE", fmt.Sprintf("%.3f", r.ours.smape), "", true, beside(func(m measures) float64 { return m.smape }))
	t.atMost(n+": OWA", r.ours.owa(r.naive2), r.owa, beside(func(m measures) float64 { return m.owa(r.naive2) }))
	t.atMost(n+": MSIS, 95 %", r.ours.msis, r.msis, fmt.Sprintf("seasonal naive ± 1.96·s·√k %.3f", r.seasonal.msis))
	t.near(n+": coverage of 95 %", r.ours.cover95, 0.95, fmt.Sprintf("seasonal naive %.1f %%", 100*r.seasonal.cover95))
	t.near(n+": coverage of 80 %", r.ours.cover80, 0.8, fmt.Sprintf("seasonal naive %.1f %%", 100*r.seasonal.cover80))
	rate, goal := r.ours.series/r.took.Seconds(), ""
	if r.rate > 0 {
		goal = fmt.Sprintf("≥ %g", r.rate)
	}
	t.row(n+": series/s of one core", fmt.Sprintf("%.1f", rate), goal, rate >= r.rate, "selection included, by processor time")
}

func drift(y []float64, horizon int) []float64 {
	f := make([]float64, horizon)
	last := y[len(y)-1]
	slope := (last - y[0]) / float64(max(1, len(y)-1))
	for h := range f {
		f[h] = last + slope*float64(h+1)
	}
	return f
}

// seasonalNaive is the value of a period before, and normal intervals from the
// seasonal differences that grow with the root of the whole periods ahead.
func seasonalNaive(y []float64, period, horizon int) ([]float64, [][]float64) {
	f := make([]float64, horizon)
	var squares float64
	for t := period; t < len(y); t++ {
		squares += (y[t] - y[t-period]) * (y[t] - y[t-period])
	}
	s := math.Sqrt(squares / float64(len(y)-period))
	q := [][]float64{make([]float64, horizon), make([]float64, horizon), make([]float64, horizon), make([]float64, horizon)}
	for h := range f {
		f[h] = y[len(y)-period+h%period]
		for i, z := range []float64{-1.959964, -1.281552, 1.281552, 1.959964} {
			q[i][h] = f[h] + z*s*math.Sqrt(float64(h/period+1))
		}
	}
	return f, q
}
