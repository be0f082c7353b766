package cinder

import "mcloud/exporters"

const (
	fromServices  = "GET /os-services"
	fromPools     = "GET /scheduler-stats/get_pools"
	fromVolumes   = "GET /volumes/detail"
	fromSnapshots = "GET /snapshots/detail"
	fromBackups   = "GET /backups/detail"
	fromQuotas    = "GET /os-quota-sets/{project}"
)

var (
	// ofService are the labels of what is per service.
	ofService = []string{"host", "binary", "zone"}
	// ofPool are the labels of what is per pool: its full name host@backend#pool.
	ofPool = []string{"pool", "backend"}
)

func gauge(name, unit string, set exporters.Set, call string, labels []string, help string) *exporters.Family {
	return &exporters.Family{Name: "openstack_cinder_" + name, Unit: unit, Type: exporters.Gauge, Labels: labels, Set: set, Call: call, Help: help}
}

var serviceFamilies = []*exporters.Family{serviceUp, serviceEnabled, serviceInfo, serviceSeen, serviceFrozen, serviceBackendUp}

var (
	serviceUp = gauge("service_up", "", exporters.SetBase, fromServices, ofService,
		"Whether the service reported in time, by Cinder's own judgement: 1 up, 0 down.")
	serviceEnabled = gauge("service_enabled", "", exporters.SetBase, fromServices, ofService,
		"Whether the service takes new work: 1 enabled, 0 disabled.")
	serviceInfo = gauge("service_info", "", exporters.SetBase, fromServices,
		[]string{"host", "binary", "zone", "disabled_reason", "cluster", "replication_status", "active_backend"},
		"What else Cinder says of the service: why it is disabled, its cluster, and its replication; always 1.")
	serviceSeen = gauge("service_last_seen_timestamp_seconds", "seconds", exporters.SetBase, fromServices, ofService,
		"When the service reported last.")
	serviceFrozen = gauge("service_frozen", "", exporters.SetBase, fromServices, []string{"host", "zone"},
		"Whether a failed-over backend is frozen, so that nothing in it may be changed: 1 frozen, 0 not; of cinder-volume only.")
	serviceBackendUp = gauge("service_backend_up", "", exporters.SetBase, fromServices, []string{"host", "zone"},
		"Whether the storage behind a cinder-volume service works by its driver's judgement: 1 up, 0 down; absent when it does not say.")
)

var poolFamilies = []*exporters.Family{
	poolCapacity, poolFree, poolAllocated, poolProvisioned, poolVirtualFree, poolOversubscription, poolReserved, poolVolumes, poolUp, poolReported, poolInfo,
}

var (
	poolCapacity = gauge("pool_capacity_bytes", "bytes", exporters.SetBase, fromPools, ofPool,
		"Size of the pool as its driver reports it; absent when the driver says unknown or infinite.")
	poolFree = gauge("pool_free_bytes", "bytes", exporters.SetBase, fromPools, ofPool,
		"Free space of the pool as its driver reports it; absent when the driver says unknown or infinite.")
	poolAllocated = gauge("pool_allocated_bytes", "bytes", exporters.SetBase, fromPools, ofPool,
		"Sum of the sizes of the volumes that Cinder made in the pool.")
	poolProvisioned = gauge("pool_provisioned_bytes", "bytes", exporters.SetBase, fromPools, ofPool,
		"Sum of the sizes promised out of the pool, by Cinder and by others.")
	poolVirtualFree = gauge("pool_virtual_free_bytes", "bytes", exporters.SetBase, fromPools, ofPool,
		"What Cinder's scheduler would still place in the pool, with reserve and over-subscription; below zero when more is promised than allowed, absent when size or free space are unknown or infinite.")
	poolOversubscription = gauge("pool_max_over_subscription_ratio", "ratio", exporters.SetBase, fromPools, ofPool,
		"How many times its capacity a thin pool may be provisioned; what auto means is worked out as Cinder does.")
	poolReserved = gauge("pool_reserved_ratio", "ratio", exporters.SetBase, fromPools, ofPool,
		"Part of the capacity that the scheduler leaves free, 0 to 1.")
	poolVolumes = gauge("pool_volumes", "", exporters.SetBase, fromPools, ofPool,
		"Volumes in the pool as its driver counts them; absent when the driver does not.")
	poolUp = gauge("pool_up", "", exporters.SetBase, fromPools, ofPool,
		"Whether the pool's backend is up: 1 up, 0 down; absent when the driver does not say.")
	poolReported = gauge("pool_report_timestamp_seconds", "seconds", exporters.SetBase, fromPools, ofPool,
		"When the backend told the scheduler what the pool's other values are.")
	poolInfo = gauge("pool_info", "", exporters.SetBase, fromPools, []string{"pool", "backend", "vendor", "protocol", "provisioning"},
		"The pool's driver, and whether it provisions thin or thick; always 1.")
)

var typeFamilies = []*exporters.Family{volumeTypes, volumeTypeInfo, qosSpecs, groups, transfers}

var (
	volumeTypes    = gauge("volume_types", "", exporters.SetBase, "GET /types", nil, "Volume types, public and private.")
	volumeTypeInfo = gauge("volume_type_info", "", exporters.SetBase, "GET /types", []string{"volume_type", "id", "public", "backend"},
		"A volume type's id, whether all projects may use it, and the backend that its extra specs ask for; always 1.")
	qosSpecs  = gauge("qos_specs", "", exporters.SetBase, "GET /qos-specs", nil, "QoS specs.")
	groups    = gauge("groups", "", exporters.SetBase, "GET /groups/detail", []string{"status"}, "Volume groups by status.")
	transfers = gauge("volume_transfers", "", exporters.SetBase, "GET /os-volume-transfer", nil, "Volumes offered to another project and not taken yet.")
)

var volumeFamilies = []*exporters.Family{
	volumes, volumesSize, projectVolumes, projectVolumesSize, unattached, unattachedSize, volumesStuck, passingOldest, volumeInfo, volumeSize,
}

var (
	volumes = gauge("volumes", "", exporters.SetBase, fromVolumes, []string{"status", "volume_type", "zone"},
		"Volumes by status, volume type and availability zone.")
	volumesSize = gauge("volumes_size_bytes", "bytes", exporters.SetBase, fromVolumes, []string{"status", "volume_type", "zone"},
		"Sum of the volumes' sizes by status, volume type and availability zone.")
	projectVolumes     = gauge("project_volumes", "", exporters.SetBase, fromVolumes, []string{"project_id"}, "Volumes by project.")
	projectVolumesSize = gauge("project_volumes_size_bytes", "bytes", exporters.SetBase, fromVolumes, []string{"project_id", "volume_type"},
		"Sum of the volumes' sizes by project and volume type.")
	unattached = gauge("volumes_unattached", "", exporters.SetBase, fromVolumes, []string{"volume_type"},
		"Volumes that are attached to nothing, by volume type.")
	unattachedSize = gauge("volumes_unattached_size_bytes", "bytes", exporters.SetBase, fromVolumes, []string{"volume_type"},
		"Sum of the sizes of volumes that are attached to nothing, by volume type.")
	volumesStuck = gauge("volumes_stuck", "", exporters.SetBase, fromVolumes, []string{"status"},
		"Volumes that have been in a passing state (creating, attaching, deleting, …) for more than 15 minutes, by that state.")
	passingOldest = gauge("volumes_passing_oldest_timestamp_seconds", "seconds", exporters.SetBase, fromVolumes, []string{"status"},
		"Since when the volume that is in a passing state for the longest time has not changed, by that state; absent when none is.")
	volumeInfo = gauge("volume_info", "", exporters.SetObjects, fromVolumes,
		[]string{"id", "name", "status", "project_id", "zone", "volume_type", "pool", "bootable", "servers"},
		"A volume with its name, state, place and the servers it is attached to; always 1.")
	volumeSize = gauge("volume_size_bytes", "bytes", exporters.SetObjects, fromVolumes, []string{"id", "project_id"}, "Size of a volume.")
)

var copyFamilies = []*exporters.Family{
	snapshots, snapshotsSize, projectSnapshotsSize, snapshotsOldest, snapshotInfo, snapshotSize, snapshotCreated,
	backups, backupsSize, projectBackupsSize, backupsOldest, backupInfo, backupSize, backupCreated,
}

var (
	snapshots     = gauge("snapshots", "", exporters.SetBase, fromSnapshots, []string{"status"}, "Volume snapshots by status.")
	snapshotsSize = gauge("snapshots_size_bytes", "bytes", exporters.SetBase, fromSnapshots, []string{"status"},
		"Sum of the sizes of the snapshots' volumes when they were taken, by status: what they take at most.")
	projectSnapshotsSize = gauge("project_snapshots_size_bytes", "bytes", exporters.SetBase, fromSnapshots, []string{"project_id"},
		"Sum of the sizes of the snapshots' volumes when they were taken, by project.")
	snapshotsOldest = gauge("snapshots_oldest_created_timestamp_seconds", "seconds", exporters.SetBase, fromSnapshots, nil,
		"When the oldest snapshot was made; absent when there is none.")
	snapshotInfo = gauge("snapshot_info", "", exporters.SetObjects, fromSnapshots, []string{"id", "name", "status", "project_id", "volume_id"},
		"A snapshot with its name, state and volume; always 1.")
	snapshotSize = gauge("snapshot_size_bytes", "bytes", exporters.SetObjects, fromSnapshots, []string{"id", "project_id"},
		"Size of a snapshot's volume when it was taken.")
	snapshotCreated = gauge("snapshot_created_timestamp_seconds", "seconds", exporters.SetObjects, fromSnapshots, []string{"id", "project_id"},
		"When a snapshot was made.")

	backups     = gauge("backups", "", exporters.SetBase, fromBackups, []string{"status"}, "Volume backups by status.")
	backupsSize = gauge("backups_size_bytes", "bytes", exporters.SetBase, fromBackups, []string{"status"},
		"Sum of the sizes of the backups' volumes when they were taken, by status.")
	projectBackupsSize = gauge("project_backups_size_bytes", "bytes", exporters.SetBase, fromBackups, []string{"project_id"},
		"Sum of the sizes of the backups' volumes when they were taken, by project.")
	backupsOldest = gauge("backups_oldest_created_timestamp_seconds", "seconds", exporters.SetBase, fromBackups, nil,
		"When the oldest backup was made; absent when there is none.")
	backupInfo = gauge("backup_info", "", exporters.SetObjects, fromBackups, []string{"id", "name", "status", "project_id", "volume_id"},
		"A backup with its name, state and volume; always 1.")
	backupSize = gauge("backup_size_bytes", "bytes", exporters.SetObjects, fromBackups, []string{"id", "project_id"},
		"Size of a backup's volume when it was taken.")
	backupCreated = gauge("backup_created_timestamp_seconds", "seconds", exporters.SetObjects, fromBackups, []string{"id", "project_id"},
		"When a backup was made.")
)

// quotaFamily are the three values of a quota in one unit.
type quotaFamily struct{ limit, used, reserved *exporters.Family }

func quotaOfUnit(name, unit, what string, set exporters.Set, labels []string) quotaFamily {
	suffix := ""
	if unit != "" {
		suffix = "_" + unit
	}
	return quotaFamily{
		gauge(name+"_limit"+suffix, unit, set, fromQuotas, labels, "How much of "+what+" allows; +Inf without a limit."),
		gauge(name+"_in_use"+suffix, unit, set, fromQuotas, labels, "How much of "+what+" is used."),
		gauge(name+"_reserved"+suffix, unit, set, fromQuotas, labels, "How much of "+what+" is held for requests that are not finished."),
	}
}

var (
	quotaOf          = quotaOfUnit("quota", "", "a project's quota of a resource (volumes, snapshots, backups, groups)", exporters.SetBase, []string{"project_id", "resource"})
	quotaBytesOf     = quotaOfUnit("quota", "bytes", "a project's quota of space (gigabytes, backup_gigabytes; per_volume_gigabytes is a limit only)", exporters.SetBase, []string{"project_id", "resource"})
	typeQuotaOf      = quotaOfUnit("type_quota", "", "a project's quota of volumes or snapshots of a volume type", exporters.SetObjects, []string{"project_id", "volume_type", "resource"})
	typeQuotaBytesOf = quotaOfUnit("type_quota", "bytes", "a project's quota of space in a volume type", exporters.SetObjects, []string{"project_id", "volume_type", "resource"})
)

var quotaFamilies = func() []*exporters.Family {
	var all []*exporters.Family
	for _, f := range []quotaFamily{quotaOf, quotaBytesOf, typeQuotaOf, typeQuotaBytesOf} {
		all = append(all, f.limit, f.used, f.reserved)
	}
	return all
}()
