package ceph

import "mcloud/deploy/sim/model"

// PoolSpace returns what df detail says of a pool's space and traffic at
// w.Now, by its keys: stored, max_avail, percent_used, …
func PoolSpace(w *model.World, c *model.Cluster, u model.Usage, p *model.Pool) map[string]float64 {
	s := &state{Cluster: c, world: w, usage: u}
	numbers := map[string]float64{}
	for key, v := range s.poolSpace(p) {
		switch x := v.(type) {
		case int:
			numbers[key] = float64(x)
		case int64:
			numbers[key] = float64(x)
		case float64:
			numbers[key] = x
		}
	}
	return numbers
}

// HealthLevel is 0 for HEALTH_OK and 1 for HEALTH_WARN; the simulated clusters
// know nothing worse.
func HealthLevel(w *model.World, c *model.Cluster, u model.Usage) float64 {
	degraded := len(u.Nearfull) > 0
	for _, o := range c.OSDs {
		degraded = degraded || !o.Up && o.In
	}
	if degraded {
		return 1
	}
	return 0
}
