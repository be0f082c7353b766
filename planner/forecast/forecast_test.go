package forecast_test

import (
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcloud/planner/forecast"
	"mcloud/planner/forecast/forecasttest"
)

const day = 24 * time.Hour

var start = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func mustForecast(t *testing.T, s forecast.Series, horizon time.Duration) forecast.Result {
	t.Helper()
	r, err := forecast.New(s, forecast.Options{Horizon: horizon})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLineCrossesWhereItShould(t *testing.T) {
	r := mustForecast(t, forecasttest.Recipe{Start: start, Step: day, Days: 120, Seed: 1, Level: 100, PerDay: 1, Noise: 0.3}.Series(), 200*day)
	c := r.Crossing(forecast.Constant(r.Last + 60))
	if c.State != forecast.Within || c.P10 == nil || c.P50 == nil || c.P90 == nil {
		t.Fatalf("crossing %+v, want dates", c)
	}
	if days := c.P50.Sub(r.To).Hours() / 24; days < 52 || days > 68 {
		t.Errorf("P50 crosses after %.0f d, want about 60", days)
	}
	if !c.P10.Before(*c.P50) || !c.P50.Before(*c.P90) {
		t.Errorf("quantiles out of order: %v, %v, %v", c.P10, c.P50, c.P90)
	}
	if r.Backtest.Relative > 0.7 || r.Backtest.Coverage < 0.5 || r.Backtest.Origins < 10 {
		t.Errorf("backtest %+v of a plain line", r.Backtest)
	}
	if far := r.Crossing(forecast.Constant(1e6)); far.State != forecast.Beyond || far.P50 != nil || far.Probability != 0 || far.Until.IsZero() {
		t.Errorf("a limit out of reach: %+v", far)
	}
}

// TestExhaustionIsCalibrated fills 1,000 random stores with shifts and steps and
// looks where the real crossing falls in the forecast distribution of its date.
func TestExhaustionIsCalibrated(t *testing.T) {
	const fills, past, ahead = 1000, 180, 400
	var before [3]atomic.Int64 // P10, P50, P90
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1) - 1; seed < fills; seed = next.Add(1) - 1 {
				v := forecasttest.Fill(uint64(seed), past+ahead)
				r, err := forecast.New(forecast.Series{Start: start, Step: day, Values: v[:past]}, forecast.Options{Horizon: ahead * day, Paths: 200})
				if err != nil {
					t.Error(err)
					return
				}
				limit := v[past-1] + 60
				c := r.Crossing(forecast.Constant(limit))
				crossed := slices.IndexFunc(v[past:], func(x float64) bool { return x >= limit })
				for i, date := range []*time.Time{c.P10, c.P50, c.P90} {
					// A date beyond the horizon is later than any crossing within.
					if crossed >= 0 && (date == nil || r.Time(crossed).Before(*date)) {
						before[i].Add(1)
					}
				}
			}
		})
	}
	workers.Wait()
	for i, q := range []struct {
		name     string
		from, to float64
	}{{"P10", 0.07, 0.13}, {"P50", 0.42, 0.58}, {"P90", 0.87, 0.93}} {
		share := float64(before[i].Load()) / fills
		t.Logf("%.3f of the fills cross before %s", share, q.name)
		if share < q.from || share > q.to {
			t.Errorf("%.3f of the fills cross before %s, want %.2f to %.2f", share, q.name, q.from, q.to)
		}
	}
}

func TestWhatIsNotForecast(t *testing.T) {
	for _, tt := range []struct {
		name   string
		series forecast.Series
		reason string
	}{
		{"nothing", forecast.Series{Step: day}, "no history"},
		{"only gaps", forecast.Series{Step: day, Values: []float64{math.NaN(), math.NaN()}}, "no history"},
		{"one point", forecast.Series{Step: day, Values: []float64{7}}, "history too short"},
		{"an hour by minutes", forecast.Series{Step: time.Minute, Values: make([]float64, 60)}, "history too short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustForecast(t, tt.series, 100*day)
			if r.Forecasted() || r.Model != "" || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("model %q, reason %q, want no model and %q", r.Model, r.Reason, tt.reason)
			}
			if c := r.Crossing(forecast.Constant(1e9)); c.State != forecast.Unknown {
				t.Errorf("crossing %+v, want unknown", c)
			}
		})
	}
	if _, err := forecast.New(forecast.Series{Step: day, Values: []float64{1, math.Inf(1)}}, forecast.Options{}); err == nil {
		t.Error("infinite values are taken")
	}
	if _, err := forecast.New(forecast.Series{Values: []float64{1}}, forecast.Options{}); err == nil {
		t.Error("a series without a step is taken")
	}
}

func TestShortHistoryIsToldAndWide(t *testing.T) {
	r := mustForecast(t, forecasttest.Recipe{Step: 6 * time.Hour, Days: 4, Seed: 3, Level: 10, PerDay: 1, Noise: 0.1}.Series(), 30*day)
	if !r.Forecasted() || r.Backtest.Origins != 0 || !strings.Contains(r.Reason, "too few points") {
		t.Fatalf("model %q, reason %q", r.Model, r.Reason)
	}
	if end := len(r.P50) - 1; r.P90[end]-r.P10[end] < 2 {
		t.Errorf("after 30 d from 4 d of history the interval is only %.2f wide", r.P90[end]-r.P10[end])
	}
}

func TestConstantHistory(t *testing.T) {
	r := mustForecast(t, forecasttest.Recipe{Step: day, Days: 60, Level: 42}.Series(), 100*day)
	if r.Model != "constant" || r.P10[99] != 42 || r.P90[99] != 42 {
		t.Errorf("model %q, P10 %v, P90 %v", r.Model, r.P10[99], r.P90[99])
	}
	if c := r.Crossing(forecast.Constant(43)); c.State != forecast.Beyond || c.Probability != 0 {
		t.Errorf("crossing %+v", c)
	}
}

func TestAlreadyOver(t *testing.T) {
	r := mustForecast(t, forecast.Series{Start: start, Step: day, Values: []float64{5}}, 10*day)
	c := r.Crossing(forecast.Constant(4))
	if c.State != forecast.Over || c.P50 == nil || !c.P50.Equal(start) {
		t.Errorf("crossing %+v, want over now, even without a forecast", c)
	}
}

// TestLimitMoves: a delivery puts the dates off by what it adds over the slope, an
// uncertain one spreads them, a decommission brings them forward.
func TestLimitMoves(t *testing.T) {
	r := mustForecast(t, forecasttest.Recipe{Start: start, Step: day, Days: 120, Seed: 1, Level: 100, PerDay: 1, Noise: 0.3}.Series(), 300*day)
	base := r.Last + 60
	at := func(c forecast.Crossing, p *time.Time) float64 {
		t.Helper()
		if p == nil {
			t.Fatalf("no date in %+v", c)
		}
		return p.Sub(r.To).Hours() / 24
	}
	still := r.Crossing(forecast.Constant(base))
	same := r.CrossingOf(forecast.Moving(base, nil))
	if !reflect.DeepEqual(still, same) {
		t.Errorf("without moves %+v, want %+v", same, still)
	}
	bought := r.CrossingOf(forecast.Moving(base, []forecast.Move{{Earliest: r.To.Add(10 * day), Add: 50}}))
	if later := at(bought, bought.P50) - at(still, still.P50); later < 40 || later > 60 {
		t.Errorf("50 more put P50 off by %.0f d, want about 50", later)
	}
	unsure := r.CrossingOf(forecast.Moving(base, []forecast.Move{{Earliest: r.To.Add(30 * day), Latest: r.To.Add(90 * day), Add: 50}}))
	if a, b := at(unsure, unsure.P90)-at(unsure, unsure.P10), at(bought, bought.P90)-at(bought, bought.P10); a <= b {
		t.Errorf("P10 to P90 take %.0f d when the delivery is unsure, %.0f d when it is not", a, b)
	}
	gone := r.CrossingOf(forecast.Moving(base, []forecast.Move{{Earliest: r.To.Add(10 * day), Add: -20}}))
	if earlier := at(still, still.P50) - at(gone, gone.P50); earlier < 12 || earlier > 28 {
		t.Errorf("20 less bring P50 forward by %.0f d, want about 20", earlier)
	}
}

// TestCapacityBoundsThePaths: what is full saturates.
func TestCapacityBoundsThePaths(t *testing.T) {
	s := forecasttest.Recipe{Start: start, Step: day, Days: 120, Seed: 1, Level: 100, PerDay: 1, Noise: 0.3}.Series()
	r, err := forecast.New(s, forecast.Options{Horizon: 200 * day, Capacity: 260})
	if err != nil {
		t.Fatal(err)
	}
	if top := slices.Max(r.P90); top != 260 {
		t.Errorf("P90 rises to %g, capacity is 260", top)
	}
	if c := r.Crossing(forecast.Constant(260)); c.State != forecast.Within {
		t.Errorf("%+v of a limit that is the capacity, want it within", c)
	}
}

// TestPurchaseIsNotATrend: a step up must not bend the slope, and is named.
func TestPurchaseIsNotATrend(t *testing.T) {
	v := forecasttest.Recipe{Step: day, Days: 120, Seed: 5, Level: 100, PerDay: 0.2, Noise: 0.1}.Values()
	for i := 80; i < len(v); i++ {
		v[i] += 50
	}
	r := mustForecast(t, forecast.Series{Start: start, Step: day, Values: v}, 60*day)
	if len(r.Shifts) != 1 || math.Abs(r.Shifts[0].Size-50) > 2 || !r.Shifts[0].At.Equal(start.Add(80*day)) {
		t.Errorf("shifts %+v, want one of 50 after 80 d", r.Shifts)
	}
	if grown := r.P50[59] - r.Last; grown < 5 || grown > 25 {
		t.Errorf("with %s P50 grows by %.1f in 60 d, want about 12", r.Model, grown)
	}
}

func TestRestartsAndGaps(t *testing.T) {
	recipe := forecasttest.Recipe{Start: start, Step: 6 * time.Hour, Days: 60, Seed: 9, Level: 100, PerDay: 1, Noise: 0.1, GapEvery: 5}
	v := recipe.Values()
	v[100], v[101], v[201] = 0, 0, 3 // an exporter that restarted
	r := mustForecast(t, forecast.Series{Start: start, Step: recipe.Step, Values: v}, 30*day)
	if r.Outliers != 3 || len(r.Shifts) != 0 {
		t.Errorf("%d outliers and shifts %v, want the 3 restarts and none", r.Outliers, r.Shifts)
	}
	if r.Gaps < 40 {
		t.Errorf("%d gaps, want every fifth of 240", r.Gaps)
	}
	if grown := r.P50[119] - r.Last; grown < 24 || grown > 36 {
		t.Errorf("P50 grows by %.1f in 30 d, want about 30", grown)
	}
}

func TestSeasonIsSeen(t *testing.T) {
	r := mustForecast(t, forecasttest.Recipe{Start: start, Step: time.Hour, Days: 21, Seed: 4, Level: 100, Daily: 20, Jitter: 1}.Series(), 2*day)
	if !strings.Contains(r.Model, "daily") {
		t.Errorf("model %q for a daily season; candidates %v", r.Model, r.Candidates)
	}
	// Six hours after midnight is the top of the sine, eighteen the bottom.
	if top, bottom := r.P50[6], r.P50[18]; top-bottom < 30 {
		t.Errorf("P50 swings from %.0f to %.0f, want about 40", bottom, top)
	}
}

func TestSameHistorySameForecast(t *testing.T) {
	s := forecasttest.Recipe{Start: start, Step: day, Days: 150, Seed: 6, Level: 100, PerDay: 0.4, Noise: 1, StepsPerDay: 0.02, StepSize: -5}.Series()
	first := mustForecast(t, s, 300*day)
	for range 5 {
		if again := mustForecast(t, s, 300*day); !reflect.DeepEqual(first, again) {
			t.Fatalf("two forecasts of one history differ: %s and %s", first.Model, again.Model)
		}
	}
}

// TestProperties: quantiles are ordered, paths stay at or above zero, and a
// higher limit is never crossed earlier.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := forecasttest.Recipe{
			Start: start, Step: rapid.SampledFrom([]time.Duration{time.Hour, 6 * time.Hour, day}).Draw(t, "step"),
			Days: rapid.IntRange(3, 60).Draw(t, "days"), Seed: rapid.Uint64().Draw(t, "seed"),
			Level: rapid.Float64Range(0, 1000).Draw(t, "level"), PerDay: rapid.Float64Range(-20, 20).Draw(t, "per day"),
			Noise: rapid.Float64Range(0, 10).Draw(t, "noise"), StepsPerDay: rapid.Float64Range(0, 0.3).Draw(t, "steps"),
			StepSize: rapid.Float64Range(-100, 100).Draw(t, "size"), GapEvery: rapid.IntRange(0, 4).Draw(t, "gaps"),
		}
		f, err := forecast.New(r.Series(), forecast.Options{Horizon: 30 * day, Paths: 50})
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.P50 {
			if !(0 <= f.P10[i] && f.P10[i] <= f.P50[i] && f.P50[i] <= f.P90[i]) {
				t.Fatalf("step %d: %g, %g, %g (%s)", i, f.P10[i], f.P50[i], f.P90[i], f.Model)
			}
		}
		low := rapid.Float64Range(0, 2000).Draw(t, "limit")
		a, b := f.Crossing(forecast.Constant(low)), f.Crossing(forecast.Constant(low+rapid.Float64Range(0, 500).Draw(t, "more")))
		if b.P50 != nil && (a.P50 == nil || b.P50.Before(*a.P50)) || b.Probability > a.Probability {
			t.Fatalf("a higher limit is crossed earlier: %+v, then %+v", a, b)
		}
	})
}

func TestGrid(t *testing.T) {
	at := func(h, m int) time.Time { return start.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	s := forecast.Grid([]forecast.Point{{at(3, 10), 7}, {at(0, 5), 1}, {at(0, 55), 3}, {at(2, 0), math.NaN()}}, time.Hour)
	if !s.Start.Equal(start) || len(s.Values) != 4 || s.Values[0] != 2 || !math.IsNaN(s.Values[1]) || !math.IsNaN(s.Values[2]) || s.Values[3] != 7 {
		t.Errorf("grid %+v", s)
	}
	if s = forecast.Grid(nil, time.Hour); len(s.Values) != 0 {
		t.Errorf("grid of nothing %+v", s)
	}
}

func BenchmarkHalfAYearByDay(b *testing.B) {
	s := forecasttest.Recipe{Start: start, Step: day, Days: 180, Seed: 2, Level: 100, PerDay: 0.5, Noise: 1}.Series()
	for b.Loop() {
		if _, err := forecast.New(s, forecast.Options{Horizon: 365 * day}); err != nil {
			b.Fatal(err)
		}
	}
}
