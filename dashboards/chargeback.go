package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// chargeback shows what bills rest on: usage by project, and whether it is all recorded.
func chargeback() *page {
	b := board("mcloud-chargeback", "Chargeback", "What bills rest on: usage by project, and whether every event of it is recorded. The bills themselves are mcloud-plan chargeback's.", byCloud(), byProject())
	b.WithRow(row("Gaps")).
		WithPanel(state("Message queue", "1 when notifications are heard.", `min(mcloud_notifications_connected) or vector(0)`, "not read", thresholds(dashboard.Threshold{Color: "orange"}, from(1, "green")))).
		WithPanel(figure("Last notification", "Time since a batch was stored.", "s", `min(time() - (mcloud_notifications_last_stored_timestamp_seconds > 0))`)).
		WithPanel(state("Notifications dropped in a day", "Malformed, or refused by the collector.", `sum(increase(mcloud_notifications_malformed_total[1d]) + increase(mcloud_notifications_refused_total[1d])) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Records lost in a day", "Events and inventories that the spool had no room for, or that were wrong.", `sum(increase(mcloud_spool_refused_total[1d])) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Records waiting", "Files of the spool that the collector has not taken.", `sum(mcloud_spool_files) or vector(0)`, "none", warnAbove(100))).
		WithPanel(figure("Oldest waiting", "Age of the oldest record in the spool.", "s", `max(mcloud_spool_oldest_age_seconds)`))
	b.WithRow(row("Usage")).
		WithPanel(graph("vCPUs", "The ten projects with the most.", "short", series(ofProject(`topk(10, openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"})`), "{{name}}")).Interval(coarse).DataLinks(to("mcloud-projects", "The project", "project", "project_id"))).
		WithPanel(graph("Memory", "The ten projects with the most.", "bytes", series(ofProject(`topk(10, openstack_nova_project_server_memory_bytes{cloud=~"$cloud",project_id=~"$project"})`), "{{name}}")).Interval(coarse).DataLinks(to("mcloud-projects", "The project", "project", "project_id"))).
		WithPanel(graph("Volumes", "Bytes of the ten projects and types with the most.", "bytes", series(ofProject(`topk(10, mcloud_project_volumes_bytes{cloud=~"$cloud",project_id=~"$project"})`), "{{name}} {{volume_type}}")).Interval(rare).DataLinks(to("mcloud-projects", "The project", "project", "project_id"))).
		WithPanel(graph("All volumes by type", "Bytes that are billed.", "bytes", series(`sum by (volume_type) (mcloud_project_volumes_bytes{cloud=~"$cloud",project_id=~"$project"})`, "{{volume_type}}")).Interval(rare)).
		WithPanel(graph("Images, snapshots and backups", "Bytes that are billed.", "bytes", series(`sum(openstack_glance_project_images_size_bytes{cloud=~"$cloud",project_id=~"$project"})`, "images"), series(`sum(openstack_cinder_project_snapshots_size_bytes{cloud=~"$cloud",project_id=~"$project"})`, "snapshots"), series(`sum(openstack_cinder_project_backups_size_bytes{cloud=~"$cloud",project_id=~"$project"})`, "backups"))).
		WithPanel(bars("Flavors", "Servers of the ten flavors with the most.", "short", `topk(10, openstack_nova_flavor_servers{cloud=~"$cloud"})`, "{{flavor}}", plain()))
	b.WithRow(row("Recording")).
		WithPanel(graph("Notifications", "Read and stored per second.", "ops", series(`sum(rate(mcloud_notifications_received_total[$__rate_interval]))`, "read"), series(`sum(rate(mcloud_notifications_stored_total[$__rate_interval]))`, "stored"))).
		WithPanel(graph("Records posted", "Per second, by kind.", "ops", series(`sum by (record) (rate(mcloud_spool_posted_total[$__rate_interval]))`, "{{record}}"))).
		WithPanel(graph("Records stored", "Per second by the collector, by kind.", "ops", series(`sum by (type) (rate(mcloud_records_stored_total[$__rate_interval]))`, "{{type}}")))
	return b
}
