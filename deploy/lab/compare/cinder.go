package main

import "context"

// bytesPerGB: Cinder says gigabytes and means 2^30 bytes.
const bytesPerGB = 1 << 30

func cinderOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{
		"openstack_cinder_pool_capacity_bytes":    "pool total bytes",
		"openstack_cinder_pool_free_bytes":        "pool free bytes",
		"openstack_cinder_pool_allocated_bytes":   "pool allocated bytes",
		"openstack_cinder_pool_provisioned_bytes": "pool provisioned bytes",
	} {
		p.each(family, func(labels map[string]string, value float64) { out.add(thing, labels["pool"], value) })
	}
	return out
}

// cinderPool is a line of `openstack volume backend pool list --long`.
type cinderPool struct {
	Name         string `json:"Name"`
	Capabilities struct {
		Total       float64 `json:"total_capacity_gb"`
		Free        float64 `json:"free_capacity_gb"`
		Allocated   float64 `json:"allocated_capacity_gb"`
		Provisioned float64 `json:"provisioned_capacity_gb"`
	} `json:"Capabilities"`
}

func cinderReadings(pools []cinderPool) readings {
	out := make(readings)
	for _, pool := range pools {
		out.add("pool total bytes", pool.Name, pool.Capabilities.Total*bytesPerGB)
		out.add("pool free bytes", pool.Name, pool.Capabilities.Free*bytesPerGB)
		out.add("pool allocated bytes", pool.Name, pool.Capabilities.Allocated*bytesPerGB)
		out.add("pool provisioned bytes", pool.Name, pool.Capabilities.Provisioned*bytesPerGB)
	}
	return out
}

func cinderTheirs(ctx context.Context, c *clients) (readings, error) {
	var pools []cinderPool
	if err := c.openstack(ctx, question{"volume backend pool list --long", &pools}); err != nil {
		return nil, err
	}
	return cinderReadings(pools), nil
}
