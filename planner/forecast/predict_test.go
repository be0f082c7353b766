package forecast_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcloud/planner/forecast"
	"mcloud/planner/forecast/forecasttest"
)

var levels = []float64{0.025, 0.1, 0.5, 0.9, 0.975}

func mustPredict(t interface {
	Helper()
	Fatal(...any)
}, values []float64, horizon int, periods ...int) forecast.Prediction {
	t.Helper()
	p, err := forecast.Predict(values, forecast.Request{Horizon: horizon, Periods: periods, Quantiles: levels})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hours(seed uint64, days int) []float64 {
	return forecasttest.Recipe{Step: time.Hour, Days: days, Seed: seed, Level: 200, PerDay: 1, Daily: 40, Weekly: 25, Jitter: 4, Noise: 0.5}.Values()
}

func TestTwoSeasonsAreForeseen(t *testing.T) {
	v := hours(3, 35)
	history, actual := v[:len(v)-48], v[len(v)-48:]
	p := mustPredict(t, history, 48, 24)
	if !slices.Equal(p.Periods, []int{24, 168}) {
		t.Errorf("periods %v, want the day and the week", p.Periods)
	}
	var ours, naive, inside float64
	for h, y := range actual {
		ours += math.Abs(y - p.Mean[h])
		naive += math.Abs(y - history[len(history)-24+h%24])
		if p.Quantiles[0][h] <= y && y <= p.Quantiles[4][h] {
			inside++
		}
	}
	if ours > 0.7*naive {
		t.Errorf("error %.1f of seasonal naive's %.1f", ours, naive)
	}
	if inside < 38 {
		t.Errorf("the 95 %% interval held %.0f of 48", inside)
	}
	if e := p.Evidence; e.Origins < 10 || e.Relative > 0.8 || e.Coverage80 < 0.6 || e.Coverage95 < 0.85 {
		t.Errorf("evidence %+v", e)
	}
	var sum float64
	for _, w := range p.Weights {
		sum += w.Weight
	}
	if sum < 0.9 || sum > 1+1e-9 || !strings.Contains(p.Model, p.Weights[0].Model) {
		t.Errorf("model %q, weights %+v", p.Model, p.Weights)
	}
}

func TestSeasonIsFoundUnasked(t *testing.T) {
	p := mustPredict(t, forecasttest.Recipe{Step: 24 * time.Hour, Days: 200, Seed: 2, Level: 100, Weekly: 30, Jitter: 2}.Values(), 14)
	if !slices.Equal(p.Periods, []int{7}) {
		t.Errorf("periods %v of days with a weekly season", p.Periods)
	}
}

// TestPoorHistories: each says what it lacks, and invents nothing.
func TestPoorHistories(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tt := range []struct {
		name      string
		values    []float64
		note      string
		quantiles bool
		last      float64
	}{
		{"one", []float64{7}, "one value", false, 7},
		{"one among gaps", []float64{nan, 7, nan}, "one value", false, 7},
		{"two", []float64{7, 9}, "2 values are too few", true, 9},
		{"five", []float64{5, 6, 5, 7, 6}, "5 values are too few", true, 6},
		{"constant", slices.Repeat([]float64{3}, 40), "all 40 values are the same", true, 3},
		{"an infinite value", []float64{1, 2, inf, 4, 5}, "1 infinite values were taken as missing", true, 5},
		{"gaps", []float64{1, nan, 3, nan, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, "2 of 14 values are missing", true, math.NaN()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPredict(t, tt.values, 4, 7)
			if !strings.Contains(strings.Join(p.Notes, "; "), tt.note) {
				t.Errorf("notes %q, want %q", p.Notes, tt.note)
			}
			if (len(p.Quantiles) > 0) != tt.quantiles || len(p.Mean) != 4 || !math.IsNaN(tt.last) && p.Mean[0] != tt.last {
				t.Errorf("mean %v, quantiles %v", p.Mean, p.Quantiles)
			}
		})
	}
	two, five := mustPredict(t, []float64{7, 9}, 4), mustPredict(t, []float64{7, 9, 7, 9, 7}, 4)
	if width := func(p forecast.Prediction) float64 { return p.Quantiles[4][0] - p.Quantiles[0][0] }; width(two) <= width(five) {
		t.Errorf("two values leave an interval of %.1f, five one of %.1f", width(two), width(five))
	}
	for _, bad := range []forecast.Request{{}, {Horizon: -1}, {Horizon: forecast.MaxSteps + 1}, {Horizon: 1, Quantiles: []float64{1}}, {Horizon: 1, Quantiles: []float64{math.NaN()}}, {Horizon: 1, Periods: []int{-7}}} {
		if _, err := forecast.Predict([]float64{1, 2, 3}, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, none := range [][]float64{nil, {nan, inf}} {
		if _, err := forecast.Predict(none, forecast.Request{Horizon: 1}); err == nil {
			t.Errorf("%v is forecast", none)
		}
	}
}

// drawSeries draws anything from noise to seasons, with gaps and negative values.
func drawSeries(t *rapid.T) []float64 {
	v := forecasttest.Recipe{
		Step: 24 * time.Hour, Days: rapid.IntRange(1, 150).Draw(t, "days"), Seed: rapid.Uint64().Draw(t, "seed"), Level: 500,
		PerDay: rapid.Float64Range(-5, 5).Draw(t, "per day"), Noise: rapid.Float64Range(0, 5).Draw(t, "noise"), Jitter: rapid.Float64Range(0, 20).Draw(t, "jitter"),
		Weekly: rapid.Float64Range(0, 50).Draw(t, "weekly"), StepsPerDay: rapid.Float64Range(0, 0.1).Draw(t, "steps"), StepSize: rapid.Float64Range(-60, 60).Draw(t, "size"),
		GapEvery: rapid.SampledFrom([]int{0, 0, 3, 10}).Draw(t, "gaps"),
	}.Values()
	shift := rapid.SampledFrom([]float64{0, -400, -1000}).Draw(t, "shift")
	for i := range v {
		v[i] += shift
	}
	return v
}

func TestPredictProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawSeries(t)
		horizon := rapid.IntRange(1, 40).Draw(t, "horizon")
		p := mustPredict(t, v, horizon, 7)
		if again := mustPredict(t, slices.Clone(v), horizon, 7); !reflect.DeepEqual(p, again) {
			t.Fatal("two forecasts of one series differ")
		}
		for h := range horizon {
			before := math.Inf(-1)
			for _, q := range p.Quantiles {
				if !(q[h] >= before) || math.IsInf(q[h], 0) {
					t.Fatalf("step %d: quantile %g after %g (%s)", h+1, q[h], before, p.Model)
				}
				before = q[h]
			}
			if math.IsNaN(p.Mean[h]) || math.IsInf(p.Mean[h], 0) {
				t.Fatalf("step %d: mean %g", h+1, p.Mean[h])
			}
		}
	})
}

// TestPredictFollowsUnits: another unit (a factor) changes the forecast by it, and
// where logarithms play no part, so does another zero (a shift).
func TestPredictFollowsUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawSeries(t)
		for i := range v {
			v[i] -= 4096 // below zero: no logarithms, no floor
		}
		factor := rapid.SampledFrom([]float64{0.125, 1024}).Draw(t, "factor") // exact in binary
		shift := rapid.SampledFrom([]float64{-4096, 1024}).Draw(t, "shift")
		other := make([]float64, len(v))
		for i := range v {
			other[i] = v[i]*factor + shift*factor
		}
		a, b := mustPredict(t, v, 10, 7), mustPredict(t, other, 10, 7)
		span := 1.0
		known := slices.DeleteFunc(slices.Clone(v), math.IsNaN)
		span += slices.Max(known) - slices.Min(known)
		for h := range a.Mean {
			if got, want := b.Mean[h]/factor-shift, a.Mean[h]; !(math.Abs(got-want) <= 0.02*span) {
				t.Fatalf("step %d: %g in other units is %g", h+1, want, got)
			}
			for l := range a.Quantiles {
				if got, want := b.Quantiles[l][h]/factor-shift, a.Quantiles[l][h]; !(math.Abs(got-want) <= 0.05*span) {
					t.Fatalf("step %d, level %g: %g in other units is %g", h+1, levels[l], want, got)
				}
			}
		}
	})
}

func TestNothingNegativeOfWhatNeverWas(t *testing.T) {
	v := forecasttest.Recipe{Step: 24 * time.Hour, Days: 90, Seed: 8, Level: 40, PerDay: -0.4, Jitter: 3}.Values()
	p := mustPredict(t, v, 60)
	for _, path := range append(p.Quantiles, p.Mean) {
		if least := slices.Min(path); least < 0 {
			t.Fatalf("%g of a quantity that was never below 0", least)
		}
	}
}

// TestStillOfLate: what moved before may move again.
func TestStillOfLate(t *testing.T) {
	v := forecasttest.Recipe{Step: 24 * time.Hour, Days: 120, Seed: 8, Level: 40, Noise: 3}.Values()
	for i := 60; i < len(v); i++ {
		v[i] = 45
	}
	p := mustPredict(t, v, 10)
	if p.Mean[9] < 44 || p.Mean[9] > 46 || p.Quantiles[4][9] <= p.Quantiles[0][9] {
		t.Errorf("mean %g, 95 %% from %g to %g", p.Mean[9], p.Quantiles[0][9], p.Quantiles[4][9])
	}
	r := mustForecast(t, forecast.Series{Start: start, Step: 24 * time.Hour, Values: append(v, slices.Repeat([]float64{45}, 60)...)}, 10*day)
	if !(r.P50[9] > 40 && r.P50[9] < 50) {
		t.Errorf("%s: P50 %g of what has stood at 45 for long", r.Model, r.P50[9])
	}
}

func BenchmarkPredictHours(b *testing.B) {
	v := hours(1, 35)
	for b.Loop() {
		if _, err := forecast.Predict(v, forecast.Request{Horizon: 48, Periods: []int{24}, Quantiles: levels}); err != nil {
			b.Fatal(err)
		}
	}
}
