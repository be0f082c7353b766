package forecast_test

import (
	"math"
	"testing"
	"time"

	"mcloud/planner/forecast"
)

// TestCrossedBy: by the date of a quantile that share of the paths has crossed, and
// with time never less.
func TestCrossedBy(t *testing.T) {
	s := recipe(7, 100, 1, 3).Series()
	r, err := forecast.New(s, forecast.Options{Horizon: 200 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	limit := forecast.Constant(r.Last + 60)
	c := r.Crossing(limit)
	for share, at := range map[float64]*time.Time{0.1: c.P10, 0.5: c.P50} {
		if got := r.CrossedBy(limit, *at)[0]; got < share || got > share+0.1 {
			t.Errorf("by the date of %g a share of %g has crossed", share, got)
		}
		if got := r.CrossedBy(limit, at.Add(-time.Second))[0]; got >= share {
			t.Errorf("before the date of %g a share of %g has crossed", share, got)
		}
	}
	before := 0.0
	for d := range 250 {
		p := r.CrossedBy(limit, r.To.AddDate(0, 0, d))[0]
		if p < before {
			t.Fatalf("after %d days %g, before %g", d, p, before)
		}
		before = p
	}
	if math.Abs(before-c.Probability) > 1e-9 {
		t.Errorf("beyond the horizon %g, the crossing says %g", before, c.Probability)
	}
	if got := r.WithoutPaths().CrossedBy(limit, r.To.AddDate(1, 0, 0))[0]; got != 0 {
		t.Errorf("without paths %g", got)
	}
}
