package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestNthIsWhatSortingSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 60; n++ {
		v := make([]float64, n)
		for i := range v {
			v[i] = float64(rng.IntN(12)) // with ties
		}
		sorted := slices.Sorted(slices.Values(v))
		for k := range n {
			if got := nth(slices.Clone(v), k); got != sorted[k] {
				t.Fatalf("value %d of %v is %g, want %g", k, v, got, sorted[k])
			}
		}
		if got, want := median(v), (sorted[n/2]+sorted[(n-1)/2])/2; got != want {
			t.Fatalf("median of %v is %g, want %g", v, got, want)
		}
	}
}

// TestAutoregressionFindsItself: the coefficients of a known process come back,
// and forecasts from different origins know nothing of what comes later.
func TestAutoregressionFindsItself(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	y := make([]float64, 600)
	for i := range y {
		y[i] = 50 + rng.NormFloat64()
		if i > 1 {
			y[i] += 0.6*(y[i-1]-50) + 0.3*(y[i-2]-50)
		}
	}
	a := autoregression{members: [][]int{{1, 2}, {1, 2, 7}}, names: []string{"short", "long"}}
	roll := func(y []float64, origins ...int) [][][]float64 {
		out := make([][][]float64, 2)
		for m := range out {
			for range origins {
				out[m] = append(out[m], make([]float64, 3))
			}
		}
		a.roll(y, origins, out)
		return out
	}
	f := roll(y, 400, 600)
	want := 50 + 0.6*(y[599]-50) + 0.3*(y[598]-50)
	if got := f[0][1][0]; math.Abs(got-want) > 0.3 {
		t.Errorf("the next value is forecast as %g, the process says %g", got, want)
	}
	changed := slices.Clone(y)
	for i := 400; i < 600; i++ {
		changed[i] = 1e6
	}
	if other := roll(changed, 400, 600); !slices.Equal(other[1][0], f[1][0]) {
		t.Errorf("from origin 400 %v, with another future %v", f[1][0], other[1][0])
	}
	if other := roll(y[:400], 400); math.Abs(other[0][0][0]-f[0][0][0]) > 1e-9 {
		t.Errorf("rolled %v, fitted alone %v", f[0][0], other[0][0])
	}
}

func TestSeasonalDifferencesAreUndone(t *testing.T) {
	y := make([]float64, 80)
	for i := range y {
		y[i] = float64(i) + 10*float64(i%4)
	}
	a := autoregression{diffs: []int{4, 1}, members: [][]int{{1, 4}}, names: []string{"seasonal"}}
	out := [][][]float64{{make([]float64, 6)}}
	a.roll(y, []int{80}, out)
	for h, got := range out[0][0] {
		if want := float64(80+h) + 10*float64((80+h)%4); math.Abs(got-want) > 1e-6 {
			t.Errorf("step %d is %g, want %g", h+1, got, want)
		}
	}
}

func TestSmoothersFollowALine(t *testing.T) {
	y := make([]float64, 60)
	for i := range y {
		y[i] = 5 + 2*float64(i)
	}
	for name, s := range map[string]smoother{"theta": new(dynamicTheta), "damped trend": new(dampedETS)} {
		s.fit(y)
		out := [][]float64{make([]float64, 3), make([]float64, 3)}
		s.walk(y, []int{40, 60}, out)
		for k, origin := range []int{40, 60} {
			if got, want := out[k][0], 5+2*float64(origin); math.Abs(got-want) > 1.2 {
				t.Errorf("%s from %d: %g, want about %g", name, origin, got, want)
			}
		}
		if !(out[1][2] > out[1][0]) {
			t.Errorf("%s does not rise: %v", name, out[1])
		}
	}
}

func TestNelderMeadFindsTheBottom(t *testing.T) {
	x := nelderMead(func(x []float64) float64 {
		if x[0] > 9 {
			return math.NaN()
		}
		return (x[0]-3)*(x[0]-3) + 10*(x[1]+1)*(x[1]+1)
	}, []float64{8, 8}, 2, 300)
	if math.Abs(x[0]-3) > 0.05 || math.Abs(x[1]+1) > 0.05 {
		t.Errorf("the least is at %v, want 3, −1", x)
	}
}

func TestDecomposeTwoSeasons(t *testing.T) {
	y := make([]float64, 28*6)
	for i := range y {
		y[i] = 100 + []float64{1, 2, -4, 1}[i%4] + []float64{5, 0, 0, 0, -5, 0, 0}[i/4%7]
	}
	d := decompose(y, []int{4, 28})
	for i, v := range d.adjusted(y) {
		if math.Abs(v-100) > 1e-6 {
			t.Fatalf("value %d without its seasons is %g, want 100", i, v)
		}
	}
	if s := strength(y, 4); s < 0.3 {
		t.Errorf("strength %g of a clear season", s)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var sum float64
	for range 50 {
		noise := make([]float64, 60)
		for i := range noise {
			noise[i] = rng.NormFloat64()
		}
		sum += strength(noise, 7) / 50
	}
	if math.Abs(sum) > 0.06 {
		t.Errorf("noise has a season of strength %g on average", sum)
	}
}
