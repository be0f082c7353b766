package forecast

import "time"

// CrossedBy is the share of the paths that have reached limit at t or before; beyond
// the horizon it is that at its end. Without paths it is 0.
func (r Result) CrossedBy(limit func(time.Time) float64, t time.Time) float64 {
	crossed := 0
	for _, path := range r.paths {
		for h, v := range path {
			at := r.Time(h)
			if at.After(t) {
				break
			}
			if v >= limit(at) {
				crossed++
				break
			}
		}
	}
	return float64(crossed) / float64(max(1, len(r.paths)))
}
