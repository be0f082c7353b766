package dashboards

// overview answers at one glance: is the cloud healthy, what is about to run out, what
// changed. It is one screen: 24 units of Grafana's grid are what a display of 1080 lines
// has room for.
func overview() *page {
	b := board("mcloud-overview", "mCloud overview", "One screen for the NOC: health of every system, what runs out and when, what changed.", byCloud(), byCluster())
	b.WithRow(row("Is it healthy")).
		WithPanel(state("Pages", "Alerts for which a person must act now.",
			`count(ALERTS{alertstate="firing",severity="page"}) or vector(0)`, "none", alarmAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-events", "Events"))).
		WithPanel(state("Tickets", "Alerts for which a person must act this week.",
			`count(ALERTS{alertstate="firing",severity="ticket"}) or vector(0)`, "none", warnAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-events", "Events"))).
		WithPanel(state("APIs down", "Give no answer, or a server error, when asked for their versions.",
			`count(openstack_api_up{cloud=~"$cloud"} == 0) or vector(0)`, "none", alarmAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-apis", "APIs"))).
		WithPanel(state("Compute hosts down", "Enabled hosts whose nova-compute has stopped reporting.",
			`count((openstack_nova_service_up{cloud=~"$cloud",binary="nova-compute"} == 0) and on (cloud, host) (openstack_nova_service_enabled{binary="nova-compute"} == 1)) or vector(0)`, "none", alarmAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-hosts", "Hosts"))).
		WithPanel(state("Chassis lagging", "OVN chassis that have not taken the last configuration.",
			`count(ovn_chassis_nb_cfg_lag{cloud=~"$cloud"} > 0) or vector(0)`, "none", warnAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-network", "Network"))).
		WithPanel(health("Ceph health", "The worst state of the chosen clusters, as Ceph says it.", `max(ceph_health_status{cluster=~"$cluster"})`, "").Span(3).Height(3).DataLinks(opens("mcloud-ceph", "Ceph clusters"))).
		WithPanel(state("OSDs down", "OSDs that are in but down: data has fewer copies than it should.",
			`count((ceph_osd_up{cluster=~"$cluster"} == 0) and on (cluster, ceph_daemon) (ceph_osd_in == 1)) or vector(0)`, "none", alarmAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-osds", "OSDs"))).
		WithPanel(state("Sources failing", "What mCloud itself cannot read: there it is blind.",
			`count(mcloud_source_success == 0) or vector(0)`, "none", warnAbove(1)).Span(3).Height(3).DataLinks(opens("mcloud-self", "mCloud itself"))).
		WithPanel(firingNow("What waits for somebody").Span(12).Height(6)).
		WithPanel(firingThen("When it fired").Span(12).Height(6))

	b.WithRow(row("What runs out")).
		WithPanel(runway("Storage tiers: time left", "Time until the tier crosses its limit: P10 is the early date that orders are placed by, P50 the even chance. A tier that does not cross it within the horizon is not listed.",
			series(`mcloud_tier_exhaustion_timestamp_seconds{quantile="0.1"} - time()`, "{{tier}} P10"),
			series(`mcloud_tier_exhaustion_timestamp_seconds{quantile="0.5"} - time()`, "{{tier}} P50")).Height(6).DataLinks(to("mcloud-tiers", "The tier", "tier", "tier"))).
		WithPanel(ratio("Storage tiers: used of limit", "Stored bytes as a share of what the plan may fill: nearfull line, failure-domain reserve, copies and imbalance counted in.",
			series(`mcloud_tier_used_bytes / mcloud_tier_capacity_bytes`, "{{tier}}")).Height(6).DataLinks(to("mcloud-tiers", "The tier", "tier", "tier"))).
		WithPanel(ratio("Zones: allocated of capacity", "Placement's allocations as a share of (total − reserved) × ratio, by availability zone.",
			series(`mcloud_zone_allocated_units{cloud=~"$cloud"} / mcloud_zone_allocatable_units`, "{{zone}} {{resource_class}}")).Height(6).DataLinks(to("mcloud-compute", "The zone", "zone", "zone")))

	b.WithRow(row("What changes")).
		WithPanel(graph("Servers by status", "All projects' servers.", "short",
			series(`sum by (status) (openstack_nova_servers{cloud=~"$cloud"})`, "{{status}}")).Height(6).DataLinks(opens("mcloud-compute", "Compute"))).
		WithPanel(graph("Hottest hosts: allocated vCPUs", "The five hosts with the most of their vCPU capacity allocated.", "percentunit",
			series(`topk(5, mcloud_host_allocated_ratio{cloud=~"$cloud",resource_class="VCPU"})`, "{{hostname}}")).Interval(coarse).Height(6).DataLinks(to("mcloud-hosts", "The host", "host", "host"))).
		WithPanel(graph("Ceph: stored by pool", "Logical bytes, one copy.", "bytes",
			series(named(`ceph_pool_stored{cluster=~"$cluster"}`), "{{cluster}} {{name}}")).Height(6).DataLinks(to("mcloud-pools", "The cluster's pools", "cluster", "cluster")))
	return b
}
