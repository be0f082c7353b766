package cinder

import (
	"context"
	"net/url"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// gib is what Cinder means by "gb".
const gib = 1 << 30

// pool is one entry of scheduler-stats. Drivers differ in types: a ratio may be
// a string, a capacity "unknown" or "infinite". One whose stats say nothing of
// thin_provisioning_support is thick.
type pool struct {
	Name         string `json:"name"` // host@backend#pool
	Capabilities struct {
		Backend       string          `json:"volume_backend_name"`
		Total         openstack.Float `json:"total_capacity_gb"`
		Free          openstack.Float `json:"free_capacity_gb"`
		Provisioned   openstack.Float `json:"provisioned_capacity_gb"`
		Allocated     openstack.Float `json:"allocated_capacity_gb"`
		Oversubscribe openstack.Float `json:"max_over_subscription_ratio"`
		Reserved      openstack.Float `json:"reserved_percentage"`
		Thin          openstack.Bool  `json:"thin_provisioning_support"`
		State         string          `json:"backend_state"`
	} `json:"capabilities"`
}

func collectPools(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[pool](ctx, cloud, api, "/scheduler-stats/get_pools", "pools", url.Values{"detail": {"true"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(list.Objects) + len(list.Failed), Failed: list.Failed}
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolumePool, Time: start,
		Complete: err == nil && len(list.Failed) == 0,
	}
	for _, p := range list.Objects {
		c := p.Capabilities
		backend := backendOf(p)
		add := func(f *exporters.Family, v openstack.Float, scale float64) {
			if v.Known {
				s.Add(f, v.Value*scale, p.Name, backend)
			}
		}
		add(poolCapacity, c.Total, gib)
		add(poolFree, c.Free, gib)
		add(poolAllocated, c.Allocated, gib)
		add(poolProvisioned, c.Provisioned, gib)
		add(poolOversubscription, c.Oversubscribe, 1)
		add(poolReserved, c.Reserved, 0.01)
		if c.State != "" {
			s.Add(poolUp, exporters.Bool(c.State == "up"), p.Name, backend)
		}
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindVolumePool, p.Name, p.Name, "", "", mcloud.VolumePool{
			Backend: backend, TotalGiB: c.Total.Pointer(), FreeGiB: c.Free.Pointer(),
			ProvisionedGiB: c.Provisioned.Value, AllocatedGiB: c.Allocated.Value, MaxOverSubscription: c.Oversubscribe.Value,
			ReservedPercent: c.Reserved.Value, Thin: bool(c.Thin), State: c.State,
		}))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	return s, err
}

// backendOf is the backend's name by the driver, or else the part of the pool's
// name between @ and #.
func backendOf(p pool) string {
	if p.Capabilities.Backend != "" {
		return p.Capabilities.Backend
	}
	_, rest, _ := strings.Cut(p.Name, "@")
	backend, _, _ := strings.Cut(rest, "#")
	return backend
}
