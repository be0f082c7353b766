// Package masakari looks at a cloud's failover segments, their hosts, and what
// Masakari did about failures.
//
// Masakari keeps every notification until its database is purged by hand, so
// they are listed whole at the start and once an hour, and meanwhile only from
// the oldest that is not done. What a recovery did in detail is asked for once,
// of the last day's.
//
// Calls per round, masakari_segments: 1, and 1 for each segment (hosts are listed
// by segment only; with more pages above a thousand). masakari_notifications: 1;
// 1 for each notification of the last day at the cold start, then 1 for each that
// is new, changed or under way; and as many again for COMPUTE_HOST ones, for the
// servers that they moved.
package masakari

import (
	"cmp"
	"context"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{
	Name: "masakari", Types: []string{"instance-ha", "ha"}, Version: "v1", Markers: true, Header: "instance-ha",
	Min: openstack.Microversion{Major: 1, Minor: 0}, Max: openstack.Microversion{Major: 1, Minor: 3},
}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Masakari: masakari_segments,
// masakari_notifications.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	hosts := &segmentLook{cloud: cloud}
	recoveries := newRecoveryLook(cloud, cfg.Period, time.Now)
	return []exporters.Source{
		cloud.Source("masakari_segments", "masakari", cfg.Period, 2*time.Minute, hosts.collect,
			segments, segmentInfo, segmentEnabled, segmentHosts, segmentMaintenance, segmentReserved, hostInfo, hostMaintenance, hostReserved),
		cloud.Source("masakari_notifications", "masakari", cfg.Period, 2*time.Minute,
			func(ctx context.Context) (*exporters.Snapshot, error) { return recoveries.collect(ctx) },
			notifications, oldestUnfinished, recoveriesEnded, recoveryLongest, recoveryMean, recoveryTasks, moves, recoverySeconds, taskProgress),
	}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	page := map[string]string{"limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/segments", Query: page, Rule: "os_masakari_api:segments:index", Role: "admin", Gives: "segments"},
		{API: api, Path: "/segments/{id}/hosts", Query: page, Of: "/segments", OfMember: "segments", Rule: "os_masakari_api:os-hosts:index", Role: "admin", Gives: "hosts on maintenance and in reserve"},
		{API: api, Path: "/notifications", Query: page, Rule: "os_masakari_api:notifications:index", Role: "admin", Gives: "notifications by status, durations of recoveries"},
		{API: api, Path: "/notifications/{id}", Of: "/notifications", OfMember: "notifications", Rule: "os_masakari_api:notifications:detail", Role: "admin", Gives: "tasks of recoveries"},
		{API: api, Path: "/notifications/{id}/vmoves", Of: "/notifications?type=COMPUTE_HOST", OfMember: "notifications", Rule: "os_masakari_api:vmoves:index", Role: "admin", Gives: "servers moved off failed hosts", Optional: true},
	}
}
