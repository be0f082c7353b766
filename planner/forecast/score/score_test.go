package score_test

import (
	"math"
	"testing"

	"mcloud/planner/forecast/score"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

func TestByHand(t *testing.T) {
	actual, f := []float64{10, 0, 4}, []float64{8, 0, 6}
	near(t, "sMAPE", score.SMAPE(actual, f), (200*2.0/18+0+200*2.0/10)/3)
	near(t, "MAE", score.MAE(actual, f), 4.0/3)
	near(t, "scale", score.Scale([]float64{1, 5, 2, 7}, 2), 1.5)
	near(t, "scale of too little", score.Scale([]float64{1, 5}, 2), 0)
	low, high := []float64{9, 1, 0}, []float64{11, 2, 3}
	near(t, "coverage", score.Coverage(actual, low, high), 1.0/3)
	// Widths 2, 1 and 3; one unit below, one above, each at 2/0.05.
	near(t, "MSIS", score.MSIS(actual, low, high, 0.05, 2), (6+40*2)/3.0/2)
}

func TestNaive2(t *testing.T) {
	var y []float64
	for i := range 40 {
		y = append(y, 100*[]float64{0.5, 1, 1.5, 1}[i%4])
	}
	for h, v := range score.Naive2(y, 4, 4) {
		near(t, "a multiplicative season", v, y[h])
	}
	for _, v := range score.Naive2([]float64{3, -1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}, 4, 2) {
		near(t, "without a season", v, 8)
	}
	for _, v := range score.Naive2(y, 1, 2) {
		near(t, "period 1", v, 100)
	}
}
