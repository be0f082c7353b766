package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// events is what happened: in the alerts, in the cloud, in Ceph's log.
func events() *page {
	b := board("mcloud-events", "Events", "What happened: alerts, changes of hosts and OSDs, tasks of servers, Ceph's log. The events themselves are the plugin's and the API's; these are their numbers.", byCloud(), byCluster())
	b.WithRow(row("Alerts")).
		WithPanel(state("Pages", "That fire now.", `count(ALERTS{alertstate="firing",severity="page"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Tickets", "That fire now.", `count(ALERTS{alertstate="firing",severity="ticket"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(figure("About to fire", "Alerts that wait for their time to be over.", "short", `count(ALERTS{alertstate="pending"}) or vector(0)`)).
		WithPanel(state("Heartbeat", "1 while rules are evaluated.", `count(ALERTS{alertname="DeadMansSwitch",alertstate="firing"}) or vector(0)`, "none", thresholds(dashboard.Threshold{Color: "red"}, from(1, "green")))).
		WithPanel(state("Hosts changed in an hour", "Enabled or disabled.", `count(changes(openstack_nova_service_enabled{cloud=~"$cloud",binary="nova-compute"}[1h]) > 0) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("OSDs changed in an hour", "Up or down.", `count(mcloud_osd_switches{cluster=~"$cluster"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(firingNow("What waits for somebody").Span(12).Height(11)).
		WithPanel(firingThen("When it fired").Span(12).Height(11)).
		WithPanel(graph("Alerts by system", "That fire.", "short", series(`count by (system) (ALERTS{alertstate="firing",severity=~"page|ticket"}) or vector(0)`, "{{system}}")).Span(12)).
		WithPanel(graph("Alerts sent", "To Alertmanagers, per minute.", "short", series(`sum by (alertmanager) (rate(prometheus_notifications_sent_total[$__rate_interval]) * 60) or vector(0)`, "{{alertmanager}}")).Span(12))
	b.WithRow(row("In the cloud")).
		WithPanel(graph("Events stored", "By the collector per second, by kind of record.", "ops", series(`sum by (type) (rate(mcloud_records_stored_total[$__rate_interval]))`, "{{type}}"))).
		WithPanel(graph("Tasks of servers", "Under way, by task state.", "short", series(`sum by (task_state) (openstack_nova_server_tasks{cloud=~"$cloud"}) or vector(0)`, "{{task_state}}"))).
		WithPanel(graph("Migrations of a day", "By kind and status.", "short", series(`sum by (type, status) (openstack_nova_migrations{cloud=~"$cloud"}) or vector(0)`, "{{type}} {{status}}"))).
		WithPanel(graph("Servers made less removed", "Change of their number within an hour.", "short", series(`sum(openstack_nova_servers{cloud=~"$cloud"}) - (sum(openstack_nova_servers{cloud=~"$cloud"} offset 1h) or sum(openstack_nova_servers{cloud=~"$cloud"}))`, "servers"))).
		WithPanel(graph("Failures that HA was told of", "By kind and status.", "short", series(`sum by (type, status) (openstack_masakari_notifications{cloud=~"$cloud"}) or vector(0)`, "{{type}} {{status}}"))).
		WithPanel(graph("Ceph's log", "Entries per minute by cluster and level.", "short", series(`sum by (cluster, level) (rate(ceph_cluster_log_entries_total{cluster=~"$cluster"}[$__rate_interval]) * 60) or vector(0)`, "{{cluster}} {{level}}")))
	return b
}
