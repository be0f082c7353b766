package forecast

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// simulate draws paths around f.mean, which is their median: shocks in blocks (so
// that what follows each other keeps doing so), one error of the slope per path,
// jumps at their rate; all widened by scale. Paths stay between floor and roof.
func simulate(f fitted, scale float64, paths, steps int, seed uint64, floor, roof float64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, uint64(steps)))
	block := blockLength(len(f.shocks))
	// Drawn blocks have their own long-run variance; bring it to the model's.
	gain := 1.0
	if own := longRunVariance(f.shocks); own > 0 {
		gain = math.Sqrt(f.variance / own)
	}
	jumps := distuv.Poisson{Lambda: f.rate, Src: rng}
	bend := math.Sqrt(f.slopeDrift)
	all := make([][]float64, paths)
	for i := range all {
		path := make([]float64, steps)
		// Two paths share the errors of the trend with opposite signs: the median is
		// then as smooth as the model, whatever the spread.
		sign, trendRNG := 1.0, rand.New(rand.NewPCG(seed, uint64(i/2)))
		if i%2 == 1 {
			sign = -1
		}
		slope := sign * trendRNG.NormFloat64() * f.slopeError
		var walk float64
		at, left := 0, 0
		for h := range path {
			if len(f.shocks) > 0 {
				if left == 0 {
					at, left = rng.IntN(len(f.shocks)), block
				}
				walk += gain * f.shocks[at%len(f.shocks)]
				at++
				left--
			} else {
				walk += rng.NormFloat64() * math.Sqrt(f.variance)
			}
			slope += sign * trendRNG.NormFloat64() * bend
			walk += slope
			if f.rate > 0 {
				for range int(jumps.Rand()) {
					walk += f.jumps[rng.IntN(len(f.jumps))]
				}
			}
			path[h] = scale * walk
		}
		all[i] = path
	}
	at := make([]float64, paths)
	for h := range steps {
		for i := range all {
			at[i] = all[i][h]
		}
		centre := f.mean[h] - medianInPlace(at)
		for i := range all {
			all[i][h] = math.Min(roof, math.Max(floor, centre+all[i][h]))
		}
	}
	return all
}

// seed follows from the values alone, so that the same history gives the same
// forecast on every machine.
func seed(v []float64) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for _, x := range v {
		bits := math.Float64bits(x)
		for i := range b {
			b[i] = byte(bits >> (8 * i))
		}
		h.Write(b[:])
	}
	return h.Sum64()
}

// quantiles are the 10, 50 and 90 % quantiles of the paths, step by step.
func quantiles(paths [][]float64, steps int) (p10, p50, p90 []float64) {
	p10, p50, p90 = make([]float64, steps), make([]float64, steps), make([]float64, steps)
	at := make([]float64, len(paths))
	low, high := len(at)/10, len(at)-1-len(at)/10
	for h := range steps {
		for i := range paths {
			at[i] = paths[i][h]
		}
		p50[h] = medianInPlace(at)
		// Now the smaller half comes first.
		half := len(at) / 2
		p10[h] = nth(at[:half+1], low)
		p90[h] = nth(at[half:], high-half)
	}
	return p10, p50, p90
}
