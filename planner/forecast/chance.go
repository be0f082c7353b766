package forecast

import "time"

// CrossedBy is, for each of times, the share of the paths that have reached limit
// then or before; beyond the horizon it is that at its end. Without paths it is 0.
func (r Result) CrossedBy(limit func(time.Time) float64, times ...time.Time) []float64 {
	shares := make([]float64, len(times))
	if len(r.paths) == 0 {
		return shares
	}
	first := make([]int, len(r.P50)) // by step, the paths that cross there first
	limits := make([]float64, len(r.P50))
	for h := range limits {
		limits[h] = limit(r.Time(h))
	}
	for _, path := range r.paths {
		for h, v := range path {
			if v >= limits[h] {
				first[h]++
				break
			}
		}
	}
	for i, t := range times {
		crossed := 0
		for h, n := range first {
			if r.Time(h).After(t) {
				break
			}
			crossed += n
		}
		shares[i] = float64(crossed) / float64(len(r.paths))
	}
	return shares
}
