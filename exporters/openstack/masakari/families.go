package masakari

import "mcloud/exporters"

var (
	ofSegment = []string{"segment_id"}
	ofHost    = []string{"host", "segment_id"}
	ofType    = []string{"type"}
)

func gauge(name, unit string, labels []string, call, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Labels: labels, Set: exporters.SetBase, Call: call, Help: help}
}

var (
	segments = gauge("openstack_masakari_segments", "", []string{"service_type", "recovery_method"}, "GET /segments",
		"Failover segments by service type and recovery method (auto, reserved_host, auto_priority, rh_priority).")
	segmentInfo = gauge("openstack_masakari_segment_info", "", []string{"segment_id", "name", "service_type", "recovery_method"}, "GET /segments",
		"A failover segment; always 1.")
	segmentEnabled = gauge("openstack_masakari_segment_enabled", "", ofSegment, "GET /segments",
		"Whether Masakari recovers what fails in the segment: 1 enabled, 0 disabled; absent before microversion 1.2.")
	segmentHosts = gauge("openstack_masakari_segment_hosts", "", ofSegment, "GET /segments/ID/hosts",
		"Hosts in the segment.")
	segmentMaintenance = gauge("openstack_masakari_segment_hosts_on_maintenance", "", ofSegment, "GET /segments/ID/hosts",
		"Hosts in the segment that are on maintenance, whose failures Masakari ignores; it sets the mark itself after a host failed.")
	segmentReserved = gauge("openstack_masakari_segment_hosts_reserved", "", ofSegment, "GET /segments/ID/hosts",
		"Hosts in the segment that are kept to take over.")
	hostInfo = gauge("openstack_masakari_host_info", "", []string{"host", "segment_id", "host_id", "type", "control_attributes"}, "GET /segments/ID/hosts",
		"A host of a failover segment; always 1.")
	hostMaintenance = gauge("openstack_masakari_host_on_maintenance", "", ofHost, "GET /segments/ID/hosts",
		"Whether the host is on maintenance: 1 yes, 0 no.")
	hostReserved = gauge("openstack_masakari_host_reserved", "", ofHost, "GET /segments/ID/hosts",
		"Whether the host is kept to take over for others: 1 yes, 0 no.")

	notifications = gauge("openstack_masakari_notifications", "", []string{"type", "status"}, "GET /notifications",
		"Notifications of failures that Masakari keeps, by type (COMPUTE_HOST, VM, PROCESS) and status (new, running, error, failed, ignored, finished).")
	oldestUnfinished = gauge("openstack_masakari_notifications_oldest_unfinished_timestamp_seconds", "seconds", ofType, "GET /notifications",
		"When the oldest notification that is new, running or to be tried again was generated, as seconds since 1970; absent when none is.")
	recoveriesEnded = gauge("openstack_masakari_recent_recoveries", "", []string{"type", "status"}, "GET /notifications",
		"Notifications of the last 24 hours that Masakari is done with, by how they ended (finished, failed, ignored).")
	recoveryLongest = gauge("openstack_masakari_recent_recovery_longest_seconds", "seconds", ofType, "GET /notifications",
		"Longest time from a notification's arrival to its end, of those that arrived in the last 24 hours; absent when none ended.")
	recoveryMean = gauge("openstack_masakari_recent_recovery_mean_seconds", "seconds", ofType, "GET /notifications",
		"Mean time from a notification's arrival to its end, of those that arrived in the last 24 hours; absent when none ended.")
	recoveryTasks = gauge("openstack_masakari_recent_recovery_tasks", "", []string{"type", "task", "state"}, "GET /notifications/ID",
		"Tasks of the recovery workflows of the last 24 hours' notifications, by name and state (SUCCESS, FAILURE, REVERTED, …); absent before microversion 1.1.")
	moves = gauge("openstack_masakari_recent_vmoves", "", []string{"type", "status"}, "GET /notifications/ID/vmoves",
		"Servers that recoveries of the last 24 hours move off failed hosts, by kind of move (evacuation, migration, live_migration) and status (pending, ongoing, ignored, failed, succeeded); absent before microversion 1.3.")

	recoverySeconds = &exporters.Family{
		Name: "openstack_masakari_recovery_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"notification_id", "type", "status"}, Set: exporters.SetObjects, Call: "GET /notifications",
		Help: "Time from the notification's arrival to its end, of those that arrived in the last 24 hours.",
	}
	taskProgress = &exporters.Family{
		Name: "openstack_masakari_recovery_task_progress_ratio", Unit: "ratio", Type: exporters.Gauge, Labels: []string{"notification_id", "task"}, Set: exporters.SetObjects, Call: "GET /notifications/ID",
		Help: "How far the task of a recovery workflow is, 0 to 1, of notifications of the last 24 hours.",
	}
)
