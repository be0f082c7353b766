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

// HealthLevel is 0, 1 or 2 for HEALTH_OK, HEALTH_WARN and HEALTH_ERR.
func HealthLevel(w *model.World, c *model.Cluster, u model.Usage) float64 {
	for _, o := range c.OSDs {
		if !o.Up && o.In {
			return 1
		}
	}
	if len(u.Nearfull) > 0 {
		return 1
	}
	s := &state{Cluster: c, world: w, usage: u}
	for _, check := range s.checks() {
		if check.severity == "HEALTH_ERR" {
			return 2
		}
		return 1
	}
	return 0
}
