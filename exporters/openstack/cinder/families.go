package cinder

import "mcloud/exporters"

// ofPool are the labels of what is per pool: its full name host@backend#pool.
var ofPool = []string{"pool", "backend"}

var (
	serviceUp = &exporters.Family{
		Name: "openstack_cinder_service_up", Type: exporters.Gauge, Labels: []string{"host", "binary", "zone"}, Set: exporters.SetBase, Call: "GET /os-services",
		Help: "Whether the service reported in time, by Cinder's own judgement: 1 up, 0 down.",
	}
	serviceEnabled = &exporters.Family{
		Name: "openstack_cinder_service_enabled", Type: exporters.Gauge, Labels: []string{"host", "binary", "zone"}, Set: exporters.SetBase, Call: "GET /os-services",
		Help: "Whether the service takes new work: 1 enabled, 0 disabled.",
	}
	poolCapacity = &exporters.Family{
		Name: "openstack_cinder_pool_capacity_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "Size of the pool as its driver reports it; absent when the driver says unknown or infinite.",
	}
	poolFree = &exporters.Family{
		Name: "openstack_cinder_pool_free_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "Free space of the pool as its driver reports it; absent when the driver says unknown or infinite.",
	}
	poolAllocated = &exporters.Family{
		Name: "openstack_cinder_pool_allocated_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "Sum of the sizes of the volumes that Cinder made in the pool.",
	}
	poolProvisioned = &exporters.Family{
		Name: "openstack_cinder_pool_provisioned_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "Sum of the sizes promised out of the pool, by Cinder and by others.",
	}
	poolOversubscription = &exporters.Family{
		Name: "openstack_cinder_pool_max_over_subscription_ratio", Unit: "ratio", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "How many times its capacity a thin pool may be provisioned.",
	}
	poolReserved = &exporters.Family{
		Name: "openstack_cinder_pool_reserved_ratio", Unit: "ratio", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "Part of the capacity that the scheduler leaves free, 0 to 1.",
	}
	poolUp = &exporters.Family{
		Name: "openstack_cinder_pool_up", Type: exporters.Gauge, Labels: ofPool, Set: exporters.SetBase, Call: "GET /scheduler-stats/get_pools",
		Help: "Whether the pool's backend is up: 1 up, 0 down; absent when the driver does not say.",
	}
	volumeTypes = &exporters.Family{
		Name: "openstack_cinder_volume_types", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /types",
		Help: "Volume types, public and private.",
	}
	volumes = &exporters.Family{
		Name: "openstack_cinder_volumes", Type: exporters.Gauge, Labels: []string{"status", "volume_type"}, Set: exporters.SetBase, Call: "GET /volumes/detail",
		Help: "Volumes by status and volume type.",
	}
	volumesSize = &exporters.Family{
		Name: "openstack_cinder_volumes_size_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: []string{"volume_type"}, Set: exporters.SetBase, Call: "GET /volumes/detail",
		Help: "Sum of the volumes' sizes by volume type.",
	}
	snapshots = &exporters.Family{
		Name: "openstack_cinder_snapshots", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /snapshots/detail",
		Help: "Volume snapshots by status.",
	}
)
