package forecast

import (
	"math"
	"slices"
)

// autoregression is a family of linear models of one differenced series on its own
// past, fitted by least squares: ARIMA(p,d,0)(P,D,0) with the lags chosen by hand
// and no moving average, for which long and seasonal lags stand in. The members
// share one pass over the series: the normal equations of all lags together hold
// those of every subset.
type autoregression struct {
	diffs   []int   // differences taken first, at most two: 1, a season
	members [][]int // lags of each model, ascending
	names   []string
}

// ridge keeps the normal equations solvable where lags repeat each other; it is
// relative to their diagonal, so that the unit of the series does not matter.
const ridge = 1e-5

// most is the longest reach into the past.
func (a autoregression) most(member int) int {
	reach := slices.Max(a.members[member])
	for _, d := range a.diffs {
		reach += d
	}
	return reach
}

// roll forecasts every member from each of the ascending origins, each time from
// coefficients that know nothing later. out is by member, origin and step; the
// rows of a member that the first origin leaves too few points for become NaN.
func (a autoregression) roll(y []float64, origins []int, out [][][]float64) {
	first, last := origins[0], origins[len(origins)-1]
	z, lost := differences(y[:last], a.diffs)
	intercept := len(a.diffs) == 0
	middle := 0.0
	if intercept {
		middle = meanOf(z[:first])
		for i := range z {
			z[i] -= middle
		}
	}
	usable := make([]bool, len(a.members))
	var union []int
	for m, lags := range a.members {
		usable[m] = first-a.most(m) >= 2*len(lags)+10
		if usable[m] {
			union = append(union, lags...)
			continue
		}
		for k := range origins {
			fillWith(out[m][k], math.NaN())
		}
	}
	if len(union) == 0 {
		return
	}
	slices.Sort(union)
	union = slices.Compact(union)
	n := newNormal(len(union), intercept)
	t := lost + union[len(union)-1]
	path := make([]float64, last+len(out[0][len(origins)-1]))
	place := make([]int, union[len(union)-1]+1)
	for i, lag := range union {
		place[lag] = i
	}
	for k, origin := range origins {
		for ; t < origin; t++ {
			n.add(z, t, union)
		}
		for m, lags := range a.members {
			if !usable[m] {
				continue
			}
			coefficients := n.solve(lags, place)
			from := origin - lags[len(lags)-1]
			copy(path[from:origin], z[from:origin])
			for s := origin; s < origin+len(out[m][k]); s++ {
				v := coefficients[len(lags)]
				for i, lag := range lags {
					v += coefficients[i] * path[s-lag]
				}
				path[s] = v
			}
			a.integrate(y, path, origin, middle, out[m][k])
		}
	}
}

// integrate undoes the differences of path after origin.
func (a autoregression) integrate(y, path []float64, origin int, middle float64, out []float64) {
	at := func(t int) float64 {
		if t < origin {
			return y[t]
		}
		return out[t-origin]
	}
	for h := range out {
		t := origin + h
		v := path[t] + middle
		switch len(a.diffs) {
		case 1:
			v += at(t - a.diffs[0])
		case 2:
			v += at(t-a.diffs[0]) + at(t-a.diffs[1]) - at(t-a.diffs[0]-a.diffs[1])
		}
		out[h] = v
	}
}

// differences takes each of lags in turn and says how many points at the start
// have no difference.
func differences(y []float64, lags []int) (z []float64, lost int) {
	z = slices.Clone(y)
	for _, lag := range lags {
		for i := len(z) - 1; i >= lost+lag; i-- {
			z[i] -= z[i-lag]
		}
		lost += lag
	}
	return z, lost
}

// normal are normal equations that grow by a row at a time.
type normal struct {
	size      int // regressors, the intercept last
	intercept bool
	a, b, row []float64
	sub, rhs  []float64
}

func newNormal(lags int, intercept bool) *normal {
	size := lags + 1
	return &normal{
		size: size, intercept: intercept, a: make([]float64, size*size), b: make([]float64, size), row: make([]float64, size),
		sub: make([]float64, size*size), rhs: make([]float64, size),
	}
}

// add is the row of instant t; only the lower triangle is kept.
func (n *normal) add(z []float64, t int, lags []int) {
	for i, lag := range lags {
		n.row[i] = z[t-lag]
	}
	n.row[n.size-1] = boolFloat(n.intercept)
	for i, r := range n.row {
		to := n.a[i*n.size : i*n.size+i+1]
		for j := range to {
			to[j] += r * n.row[j]
		}
		n.b[i] += r * z[t]
	}
}

// solve returns the coefficients of lags and then the intercept; all are zero
// where the equations cannot be solved. The slice is valid until the next call.
func (n *normal) solve(lags []int, place []int) []float64 {
	k := len(lags) + 1
	for i := range k {
		row := n.size - 1
		if i < len(lags) {
			row = place[lags[i]]
		}
		for j, lag := range lags[:min(i+1, len(lags))] { // lags ascend, as their places do
			n.sub[i*k+j] = n.a[row*n.size+place[lag]]
		}
		n.rhs[i] = n.b[row]
		if i == len(lags) {
			n.sub[i*k+i] = n.a[row*n.size+row]
		}
		if i < len(lags) {
			n.sub[i*k+i] *= 1 + ridge
		}
	}
	size := k
	if !n.intercept {
		size--
		// The rows were laid out k wide; the last one is not used.
	}
	n.rhs[k-1] = boolFloat(n.intercept) * n.rhs[k-1]
	if !cholesky(n.sub, n.rhs, size, k) {
		fillWith(n.rhs[:k], 0)
	}
	return n.rhs[:k]
}

// cholesky solves a·x = b for a symmetric positive definite a, of which the lower
// triangle is read, size rows of it stride apart; b becomes x. It says whether a
// was positive definite.
func cholesky(a, b []float64, size, stride int) bool {
	for j := range size {
		row := a[j*stride : j*stride+j+1]
		s := row[j]
		for _, v := range row[:j] {
			s -= v * v
		}
		if !(s > row[j]*1e-13) {
			return false
		}
		s = math.Sqrt(s)
		row[j] = s
		for i := j + 1; i < size; i++ {
			other := a[i*stride : i*stride+j+1]
			v := other[j]
			for k, x := range row[:j] {
				v -= x * other[k]
			}
			other[j] = v / s
		}
	}
	for i := range size {
		v := b[i]
		for k := range i {
			v -= a[i*stride+k] * b[k]
		}
		b[i] = v / a[i*stride+i]
	}
	for i := size - 1; i >= 0; i-- {
		v := b[i]
		for k := i + 1; k < size; k++ {
			v -= a[k*stride+i] * b[k]
		}
		b[i] = v / a[i*stride+i]
	}
	return true
}

func meanOf(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func fillWith(v []float64, x float64) {
	for i := range v {
		v[i] = x
	}
}
