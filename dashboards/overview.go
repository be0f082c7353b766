package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// overview answers at one glance: is the cloud healthy, what is about to run
// out, what changed.
func overview() *page {
	b := board("mcloud-overview", "mCloud overview", "One screen for the NOC: health of every system, what runs out and when, what changed.", byCloud(), byCluster())
	b.WithRow(dashboard.NewRowBuilder("Health")).
		WithPanel(state("Alerts firing", "Pages and tickets that wait for somebody.",
			`count(ALERTS{alertstate="firing"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Compute hosts down", "Enabled hosts whose nova-compute has stopped reporting.",
			`count((openstack_nova_service_up{cloud=~"$cloud",binary="nova-compute"} == 0) and on (cloud, host) (openstack_nova_service_enabled{binary="nova-compute"} == 1)) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("OSDs down", "OSDs that are in but down: data has fewer copies than it should.",
			`count((ceph_osd_up{cluster=~"$cluster"} == 0) and on (cluster, ceph_daemon) (ceph_osd_in == 1)) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Chassis lagging", "OVN chassis that have not taken the last configuration.",
			`count(ovn_chassis_nb_cfg_lag{cloud=~"$cloud"} > 0) or vector(0)`, "none", warnAbove(1))).
		WithPanel(health("Ceph health", "The worst state of the chosen clusters, as Ceph says it.", `max by (cluster) (ceph_health_status{cluster=~"$cluster"})`)).
		WithPanel(state("Sources failing", "What mCloud itself cannot read: there it is blind.",
			`count(mcloud_source_success == 0) or vector(0)`, "none", warnAbove(1)))

	b.WithRow(dashboard.NewRowBuilder("What runs out")).
		WithPanel(runway("Storage tiers: time left", "Time until the tier crosses its limit: P10 is the early date that orders are placed by, P50 the even chance. A tier that does not cross it within the horizon is not listed.",
			series(`mcloud_tier_exhaustion_timestamp_seconds{quantile="0.1"} - time()`, "{{tier}} P10"),
			series(`mcloud_tier_exhaustion_timestamp_seconds{quantile="0.5"} - time()`, "{{tier}} P50"))).
		WithPanel(ratio("Storage tiers: used of limit", "Stored bytes as a share of what the plan may fill: nearfull line, failure-domain reserve, copies and imbalance counted in.",
			series(`mcloud_tier_used_bytes / mcloud_tier_capacity_bytes`, "{{tier}}"))).
		WithPanel(ratio("Zones: allocated of capacity", "Placement's allocations as a share of (total − reserved) × ratio, by availability zone.",
			series(`mcloud_zone_allocated_units{cloud=~"$cloud"} / mcloud_zone_allocatable_units`, "{{zone}} {{resource_class}}")))

	b.WithRow(dashboard.NewRowBuilder("What changes")).
		WithPanel(graph("Servers by status", "All projects' servers.", "short", series(`sum by (status) (openstack_nova_servers{cloud=~"$cloud"})`, "{{status}}"))).
		WithPanel(graph("Volumes: provisioned", "Sum of the volumes' sizes by type.", "bytes", series(`sum by (volume_type) (openstack_cinder_volumes_size_bytes{cloud=~"$cloud"})`, "{{volume_type}}"))).
		WithPanel(graph("Ceph: stored by pool", "Logical bytes, one copy.", "bytes", series(named(`ceph_pool_stored{cluster=~"$cluster"}`), "{{cluster}} {{name}}"))).
		WithPanel(graph("Network agents alive", "Neutron's agents that report, by kind.", "short", series(`sum by (type) (mcloud_neutron_agents_up{cloud=~"$cloud"})`, "{{type}}"))).
		WithPanel(graph("Hottest hosts: allocated vCPUs", "The five hosts with the most of their vCPU capacity allocated.", "percentunit",
			series(`topk(5, mcloud_host_allocated_ratio{cloud=~"$cloud",resource_class="VCPU"})`, "{{hostname}}")).Interval(coarse)).
		WithPanel(graph("Age of the last good look", "How old what is shown is, by source of mCloud.", "s", series(`time() - mcloud_source_last_success_timestamp_seconds`, "{{source}}")))
	return b
}
