// Package cinder looks at a cloud's volume services, pools, volume types,
// volumes, snapshots, backups and quotas.
//
// Calls per round, with P projects, V volumes, S snapshots and B backups:
//
//	cinder_services   1
//	cinder_pools      1
//	cinder_types      4 (types, QoS specs, groups, transfers)
//	cinder_volumes    3: what changed, what was made, how many there are;
//	                  and ⌈V/1000⌉ within Config.FullEvery, some with each look
//	cinder_snapshots  ⌈S/1000⌉ + ⌈B/1000⌉, at a fifth of the volumes' pace
//	cinder_quotas     P at the cold start, then P·Period/QuotaLife (1 for each 50)
//
// With 500 projects, 100,000 volumes, 100,000 snapshots and 10,000 backups that is
// 716 calls at the cold start, 39 in most rounds with volumes and 179 at most.
//
// Cinder has no changes-since, but from microversion 3.60 a list may be bounded
// by updated_at and created_at. Deleted volumes are in neither. All volumes are
// therefore listed again in parts, in the order of their ids, so that those which
// are missing between two others are known to be gone (sweep). That something is
// gone shows in the number of volumes, which Cinder counts by itself from 3.45
// (with_count): the sweep then goes 2.5 times as fast, so that a deleted volume
// disappears within two looks more or less, and after FullEvery at the latest. Older
// services are asked for the full list each time.
//
// Cinder hides the volumes of other projects from an account that is not admin
// instead of refusing, so an empty list of such an account is an error here and
// never a complete Inventory. A limit of -1 is +Inf.
package cinder

import (
	"cmp"
	"context"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{
	Name: "cinder", Types: []string{"block-storage", "volumev3"}, Version: "v3", Header: "volume",
	Min: openstack.Microversion{Major: 3, Minor: 0}, Max: openstack.Microversion{Major: 3, Minor: 71},
}

// gib is what Cinder means by "gb".
const gib = 1 << 30

// Config configures Sources.
type Config struct {
	Period       time.Duration // of services, pools and quotas; 1 minute if zero
	VolumePeriod time.Duration // 2 minutes if zero
	TypePeriod   time.Duration // 5 minutes if zero
	// SnapshotPeriod is the time between two looks at snapshots and backups; five
	// VolumePeriods if zero.
	SnapshotPeriod time.Duration
	// FullEvery is the time within which all volumes are seen again, besides those
	// that changed; 10 minutes if zero.
	FullEvery time.Duration
	// QuotaLife is how long a project's quota is believed before it is read again,
	// if no volume of the project changed; 50 Periods if zero.
	QuotaLife time.Duration
	// StuckAfter is how long a volume may be in passing (creating, attaching,
	// deleting, …) before it counts as stuck; 15 minutes if zero.
	StuckAfter time.Duration
}

// Sources returns what looks at Cinder: cinder_services, cinder_pools,
// cinder_types, cinder_volumes, cinder_snapshots, cinder_quotas.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.VolumePeriod = cmp.Or(cfg.VolumePeriod, 2*time.Minute)
	cfg.TypePeriod = cmp.Or(cfg.TypePeriod, 5*time.Minute)
	cfg.SnapshotPeriod = cmp.Or(cfg.SnapshotPeriod, 5*cfg.VolumePeriod)
	cfg.FullEvery = cmp.Or(cfg.FullEvery, 10*time.Minute)
	cfg.QuotaLife = cmp.Or(cfg.QuotaLife, 50*cfg.Period)
	cfg.StuckAfter = cmp.Or(cfg.StuckAfter, 15*time.Minute)

	services := &servicesCollector{cloud: cloud}
	pools := &poolsCollector{cloud: cloud}
	quotas := &quotasCollector{cloud: cloud, rotation: openstack.Rotation[quota]{
		Kind: "quota of project", Period: cfg.Period, Life: cfg.QuotaLife, Parallel: 4,
	}}
	volumes := &volumesCollector{cloud: cloud, cfg: cfg, changed: quotas.rotation.Touch}
	with := func(collect func(context.Context, *openstack.Cloud) (*exporters.Snapshot, error)) func(context.Context) (*exporters.Snapshot, error) {
		return func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) }
	}
	return []exporters.Source{
		cloud.Source("cinder_services", "cinder", cfg.Period, time.Minute, services.Collect, serviceFamilies...),
		cloud.Source("cinder_pools", "cinder", cfg.Period, time.Minute, pools.Collect, poolFamilies...),
		cloud.Source("cinder_types", "cinder", cfg.TypePeriod, time.Minute, with(collectTypes), typeFamilies...),
		cloud.Source("cinder_volumes", "cinder", cfg.VolumePeriod, 5*time.Minute, volumes.Collect, volumeFamilies...),
		cloud.Source("cinder_snapshots", "cinder", cfg.SnapshotPeriod, 5*time.Minute, with(collectCopies), copyFamilies...),
		cloud.Source("cinder_quotas", "cinder", cfg.Period, 5*time.Minute, quotas.Collect, quotaFamilies...),
	}
}
