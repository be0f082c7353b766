package forecast_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcloud/planner/forecast"
	"mcloud/planner/forecast/forecasttest"
)

// family is a whole and its parts, each forecast by itself.
func family(t *testing.T, recipes ...forecasttest.Recipe) (parents []int, results []forecast.Result) {
	t.Helper()
	sum := make([]float64, len(recipes[0].Values()))
	for _, r := range recipes {
		for i, v := range r.Values() {
			sum[i] += v
		}
	}
	series := []forecast.Series{{Start: recipes[0].Start, Step: recipes[0].Step, Values: sum}}
	parents = []int{-1}
	for _, r := range recipes {
		series, parents = append(series, r.Series()), append(parents, 0)
	}
	for _, s := range series {
		r, err := forecast.New(s, forecast.Options{Horizon: 60 * 24 * time.Hour, Paths: 100})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	return parents, results
}

func recipe(seed uint64, level, perDay, noise float64) forecasttest.Recipe {
	return forecasttest.Recipe{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Step: 24 * time.Hour, Days: 120, Seed: seed, Level: level, PerDay: perDay, Noise: noise}
}

func TestReconcileResults(t *testing.T) {
	parents, results := family(t, recipe(1, 100, 2, 1), recipe(2, 300, -1, 6), recipe(3, 50, 0.3, 0.2))
	got, err := forecast.ReconcileResults(parents, results)
	if err != nil {
		t.Fatal(err)
	}
	apart, moved := 0.0, 0.0
	for h := range got[0].P50 {
		var sum, before float64
		for i := 1; i < len(got); i++ {
			sum += got[i].P50[h]
			before += results[i].P50[h]
			moved = math.Max(moved, math.Abs(got[i].P50[h]-results[i].P50[h]))
			if d10, d90 := got[i].P10[h]-results[i].P10[h], got[i].P90[h]-results[i].P90[h]; math.Abs(d10-d90) > 1e-9 {
				t.Fatalf("part %d step %d: P10 moved by %g, P90 by %g", i, h, d10, d90)
			}
		}
		if math.Abs(sum-got[0].P50[h]) > 1e-6 {
			t.Fatalf("step %d: the parts sum to %g, the whole is %g", h, sum, got[0].P50[h])
		}
		apart = math.Max(apart, math.Abs(before-results[0].P50[h]))
	}
	if apart < 1e-3 || moved < 1e-3 {
		t.Errorf("the forecasts were %g apart and moved by %g: the test shows nothing", apart, moved)
	}
	// The paths move along: a limit is crossed when the moved forecast says so.
	far := len(got[1].P50) - 1
	limit := got[1].P50[far] - 1e-9
	if c := got[1].Crossing(forecast.Constant(limit)); c.P50 == nil || c.P50.After(got[1].Time(far)) {
		t.Errorf("the path's crossing of its own middle is %+v", c)
	}
}

// TestReconcileResultsOfOtherSteps: a part that is forecast by the hour adds up with
// a whole by the day, and a part without a forecast stays where it is.
func TestReconcileResultsOfOtherSteps(t *testing.T) {
	parents, results := family(t, recipe(1, 100, 2, 1), recipe(2, 300, 1, 3))
	young := recipe(3, 40, 1, 0.5)
	young.Start, young.Step, young.Days = results[0].To.Add(-9*24*time.Hour), time.Hour, 9
	hourly, err := forecast.New(young.Series(), forecast.Options{Horizon: 60 * 24 * time.Hour, Paths: 50})
	if err != nil {
		t.Fatal(err)
	}
	born := forecast.Result{Reason: "history too short", Points: 1, To: results[0].To, Step: time.Hour, Last: 7}
	got, err := forecast.ReconcileResults(append(parents, 0, 0), append(results, hourly, born))
	if err != nil {
		t.Fatal(err)
	}
	at := func(r forecast.Result, when time.Time) float64 {
		i := int(when.Sub(r.To)/r.Step) - 1
		return r.P50[min(i, len(r.P50)-1)]
	}
	for h := range got[0].P50 {
		when, sum := got[0].Time(h), 0.0
		if when.After(got[3].Time(len(got[3].P50) - 1)) {
			break
		}
		for _, part := range got[1:] {
			sum += at(part, when)
		}
		if math.Abs(sum-got[0].P50[h]) > 1e-6 {
			t.Fatalf("step %d: the parts sum to %g, the whole is %g", h, sum, got[0].P50[h])
		}
	}
	if v := got[4].P50[0]; math.Abs(v-7) > 7 {
		t.Errorf("the part without a forecast went to %g", v)
	}
}

func TestReconcileResultsRefuses(t *testing.T) {
	parents, results := family(t, recipe(1, 100, 2, 1), recipe(2, 300, -1, 6))
	if _, err := forecast.ReconcileResults(parents[1:], results); err == nil {
		t.Error("a parent too few is accepted")
	}
	results[0] = forecast.Result{Reason: "no history"}
	if _, err := forecast.ReconcileResults(parents, results); err == nil {
		t.Error("a whole without a forecast is accepted")
	}
}

// TestReconcileResultsKeepsAboveZero: whatever whole the parts have to add up to,
// none goes below nothing.
func TestReconcileResultsKeepsAboveZero(t *testing.T) {
	parents, results := family(t, recipe(1, 3, 0.01, 0.5), recipe(2, 300, 0.1, 3))
	rapid.Check(t, func(t *rapid.T) {
		by := rapid.Float64Range(-250, 250).Draw(t, "by")
		changed := append([]forecast.Result(nil), results...)
		whole := make([]float64, len(results[0].P50))
		for h, v := range results[0].P50 {
			whole[h] = math.Max(0, v+by)
		}
		changed[0].P50 = whole
		got, err := forecast.ReconcileResults(parents, changed)
		if err != nil {
			t.Fatal(err)
		}
		for h := range whole {
			if got[1].P50[h] < -1e-9 || got[2].P50[h] < -1e-9 || math.Abs(got[1].P50[h]+got[2].P50[h]-got[0].P50[h]) > 1e-6 {
				t.Fatalf("step %d: %g + %g = %g", h, got[1].P50[h], got[2].P50[h], got[0].P50[h])
			}
		}
	})
}
