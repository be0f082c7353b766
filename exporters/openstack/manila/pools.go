package manila

import (
	"context"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// pool is one entry of scheduler-stats. Drivers differ in types: a ratio may be a
// string, a capacity "unknown" or "infinite".
type pool struct {
	Name         string `json:"name"` // host@backend#pool
	Backend      string `json:"backend"`
	Capabilities struct {
		Total         openstack.Float `json:"total_capacity_gb"`
		Free          openstack.Float `json:"free_capacity_gb"`
		Provisioned   openstack.Float `json:"provisioned_capacity_gb"`
		Allocated     openstack.Float `json:"allocated_capacity_gb"`
		Oversubscribe openstack.Float `json:"max_over_subscription_ratio"`
		Reserved      openstack.Float `json:"reserved_percentage"`
	} `json:"capabilities"`
}

func collectPools(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	list, err := openstack.List[pool](ctx, cloud, api, "/scheduler-stats/pools/detail", "pools", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	for _, p := range list.Objects {
		add := func(f *exporters.Family, v openstack.Float, scale float64) {
			if v.Known {
				s.Add(f, v.Value*scale, p.Name, p.Backend)
			}
		}
		c := p.Capabilities
		add(poolCapacity, c.Total, gib)
		add(poolFree, c.Free, gib)
		add(poolAllocated, c.Allocated, gib)
		add(poolProvisioned, c.Provisioned, gib)
		add(poolOversubscription, c.Oversubscribe, 1)
		add(poolReserved, c.Reserved, 0.01)
	}
	return s, err
}

func ofPool(name, unit, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Labels: []string{"pool", "backend"}, Set: exporters.SetBase, Call: "GET /v2/scheduler-stats/pools/detail", Help: help}
}

var (
	poolCapacity = ofPool("openstack_sharev2_pool_capacity_bytes", "bytes",
		"Size of the pool of shares as its driver reports it; absent when the driver says unknown or infinite.")
	poolFree = ofPool("openstack_sharev2_pool_free_bytes", "bytes",
		"Free space of the pool of shares as its driver reports it; absent when the driver says unknown or infinite.")
	poolAllocated = ofPool("openstack_sharev2_pool_allocated_bytes", "bytes",
		"Sum of the sizes of the shares that Manila made in the pool.")
	poolProvisioned = ofPool("openstack_sharev2_pool_provisioned_bytes", "bytes",
		"Sum of the sizes promised out of the pool, by Manila and by others; absent when the driver does not say.")
	poolOversubscription = ofPool("openstack_sharev2_pool_max_over_subscription_ratio", "ratio",
		"How many times its capacity a thin pool may be provisioned; absent when the driver does not say.")
	poolReserved = ofPool("openstack_sharev2_pool_reserved_ratio", "ratio",
		"Part of the capacity that the scheduler leaves free, 0 to 1.")
)
