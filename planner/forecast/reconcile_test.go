package forecast_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"mcloud/planner/forecast"
)

func TestReconcileByHand(t *testing.T) {
	// Parts of 10 and 20 with variances 1 and 3, a whole of 38 with variance 4: the gap
	// of 8 is shared by 1:3:4.
	got, err := forecast.Reconcile([]forecast.Node{{Parent: -1, Value: 38, Variance: 4}, {Value: 10, Variance: 1}, {Value: 20, Variance: 3}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{34, 11, 23} {
		if math.Abs(got[i]-want) > 1e-9 {
			t.Errorf("node %d is %g, want %g", i, got[i], want)
		}
	}
}

func TestReconcileRefuses(t *testing.T) {
	for _, nodes := range [][]forecast.Node{
		{{Parent: 0}},
		{{Parent: -1, Value: 1, Variance: -1}},
		{{Parent: -1, Value: 1, Variance: 1}, {Parent: 0, Value: math.NaN()}},
	} {
		if got, err := forecast.Reconcile(nodes); err == nil {
			t.Errorf("%+v became %v", nodes, got)
		}
	}
}

// TestReconcileProperties: sums hold at every node, and no small change of a
// leaf that keeps the sums makes the weighted squares less.
func TestReconcileProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "nodes")
		nodes := make([]forecast.Node, n)
		leaf := make([]bool, n)
		for i := range nodes {
			leaf[i] = true
			nodes[i] = forecast.Node{Parent: -1, Value: rapid.Float64Range(-100, 100).Draw(t, "value"), Variance: rapid.Float64Range(0.1, 10).Draw(t, "variance")}
			if i > 0 {
				nodes[i].Parent = rapid.IntRange(0, i-1).Draw(t, "parent")
				leaf[nodes[i].Parent] = false
			}
		}
		got, err := forecast.Reconcile(nodes)
		if err != nil {
			t.Fatal(err)
		}
		sums := make([]float64, n)
		for i := n - 1; i >= 0; i-- {
			if leaf[i] {
				sums[i] = got[i]
			}
			if math.Abs(sums[i]-got[i]) > 1e-6 {
				t.Fatalf("node %d is %g, its parts sum to %g", i, got[i], sums[i])
			}
			if p := nodes[i].Parent; p >= 0 {
				sums[p] += got[i]
			}
		}
		squares := func(leafAt int, by float64) float64 {
			changed := append([]float64(nil), got...)
			for i := leafAt; i >= 0; i = nodes[i].Parent {
				changed[i] += by
			}
			var sum float64
			for i, v := range changed {
				sum += (v - nodes[i].Value) * (v - nodes[i].Value) / nodes[i].Variance
			}
			return sum
		}
		for i := range nodes {
			if leaf[i] && (squares(i, 0.01) < squares(i, 0)-1e-9 || squares(i, -0.01) < squares(i, 0)-1e-9) {
				t.Fatalf("leaf %d could be better", i)
			}
		}
	})
}

func TestReconcileSteps(t *testing.T) {
	p := func(mean, e float64) forecast.Prediction {
		return forecast.Prediction{Mean: []float64{mean, mean}, Levels: []float64{0.1, 0.9}, Quantiles: [][]float64{{mean - 2, mean - 2}, {mean + 2, mean + 2}}, Evidence: forecast.Evidence{Origins: 5, Error: e}}
	}
	got, err := forecast.ReconcileSteps([]int{-1, 0, 0}, []forecast.Prediction{p(40, 2), p(10, 1), p(20, 1)})
	if err != nil {
		t.Fatal(err)
	}
	for h := range 2 {
		if sum := got[1].Mean[h] + got[2].Mean[h]; math.Abs(sum-got[0].Mean[h]) > 1e-9 {
			t.Errorf("step %d: parts are %g, the whole %g", h, sum, got[0].Mean[h])
		}
	}
	if width := got[1].Quantiles[1][0] - got[1].Quantiles[0][0]; math.Abs(width-4) > 1e-9 || got[1].Mean[0] <= 10 {
		t.Errorf("part %+v", got[1])
	}
}
