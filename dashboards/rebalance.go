package dashboards

// rebalance shows whether the load is even, what steers new servers, and what moves.
func rebalance() *page {
	b := board("mcloud-rebalance", "Rebalance", "Is the load even, what steers new servers away from hot hosts, and what is being moved. mcloud-plan rebalance makes and applies plans.", byCloud(), byZone())
	b.WithRow(row("How even")).
		WithPanel(graph("Spread of vCPUs", "Standard deviation of the hosts' allocated share, by zone; 0 is even.", "percentunit", series(`mcloud_zone_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="VCPU",stat="stddev"}`, "{{zone}}"))).
		WithPanel(graph("Spread of memory", "Standard deviation of the hosts' allocated share, by zone; 0 is even.", "percentunit", series(`mcloud_zone_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="MEMORY_MB",stat="stddev"}`, "{{zone}}"))).
		WithPanel(graph("Hottest above the mean", "How far the fullest host's vCPUs are above the zone's mean; min_gap is where a plan begins.", "percentunit", series(`mcloud_zone_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="VCPU",stat="max"} - on (cloud, zone) mcloud_zone_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="VCPU",stat="mean"}`, "{{zone}}")))
	b.WithRow(row("Hosts")).
		WithPanel(bars("Fullest: vCPUs", "The ten fullest hosts.", "percentunit", `topk(10, mcloud_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="VCPU"})`, "{{zone}} {{host}}", full()).DataLinks(to("mcloud-hosts", "The host", "host", "host"))).
		WithPanel(bars("Fullest: memory", "The ten fullest hosts.", "percentunit", `topk(10, mcloud_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="MEMORY_MB"})`, "{{zone}} {{host}}", full()).DataLinks(to("mcloud-hosts", "The host", "host", "host"))).
		WithPanel(bars("Emptiest: vCPUs", "The ten hosts with the most room.", "percentunit", `bottomk(10, mcloud_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="VCPU"})`, "{{zone}} {{host}}", plain()).DataLinks(to("mcloud-hosts", "The host", "host", "host"))).
		WithPanel(ratio("Really used: CPU", "Mean of the zone's hosts, by the exporter on them.", series(`mcloud_zone_cpu_used_ratio{cloud=~"$cloud",zone=~"$zone"}`, "{{zone}}"))).
		WithPanel(graph("Servers on the fullest and emptiest", "Most and fewest servers on a host of the zone.", "short", series(`mcloud_zone_host_servers{cloud=~"$cloud",zone=~"$zone",stat="max"}`, "{{zone}} most"), series(`mcloud_zone_host_servers{cloud=~"$cloud",zone=~"$zone",stat="min"}`, "{{zone}} fewest"))).
		WithPanel(graph("Work under way", "Builds, migrations and resizes on hypervisors.", "short", series(`mcloud_zone_workload{cloud=~"$cloud",zone=~"$zone"}`, "{{zone}}")))
	b.WithRow(row("Steering and moving")).
		WithPanel(graph("Hosts with own traits", "Providers that carry a custom trait, mCloud's among them.", "short", series(`openstack_placement_trait_providers{cloud=~"$cloud",trait=~"CUSTOM_.*"} or vector(0)`, "{{trait}}"))).
		WithPanel(graph("Hosts in Placement's aggregates", "The ten largest.", "short", series(`topk(10, openstack_placement_aggregate_providers{cloud=~"$cloud"})`, "{{aggregate}}")).Interval(coarse)).
		WithPanel(graph("Live migrations", "Of the last day, by status.", "short", series(`sum by (status) (openstack_nova_migrations{cloud=~"$cloud",type="live-migration"}) or vector(0)`, "{{status}}")))
	return b
}
