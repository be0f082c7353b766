package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// capacity says how long everything lasts, and what still fits.
func capacity() *page {
	b := board("mcloud-capacity", "Capacity and runway", "How long tiers and zones last by the forecast, against the time it takes to buy, and how many servers still fit.", byCloud(), byZone(), byTier())
	b.WithRow(row("Too late or nearly")).
		WithPanel(state("Tiers out before hardware arrives", "Tiers whose early date (P10) is nearer than their lead time.", `count(max by (cloud, tier) (mcloud_tier_exhaustion_timestamp_seconds{cloud=~"$cloud",tier=~"$tier",quantile="0.1"} - time()) < on (cloud, tier) max by (cloud, tier) (mcloud_tier_lead_time_seconds)) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Zones out before a host arrives", "Resources of zones whose early date (P10) is nearer than the lead time of a host.", `count(max by (cloud, zone, resource_class) (mcloud_zone_exhaustion_timestamp_seconds{cloud=~"$cloud",zone=~"$zone",quantile="0.1"} - time()) < on (cloud, zone, resource_class) max by (cloud, zone, resource_class) (mcloud_zone_lead_time_seconds)) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Zones that cannot lose a host", "Resources of zones of which more is allocated than fits without the largest host.", `count(mcloud_zone_used_units{cloud=~"$cloud",zone=~"$zone"} > mcloud_zone_capacity_units) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Flavors without room", "Public flavors of which no host takes one more.", `count(sum by (cloud, flavor) (mcloud_headroom_servers{cloud=~"$cloud"}) == 0) or vector(0)`, "none", warnAbove(1))).
		WithPanel(figure("Age of the plan", "Everything on this page is as old as the last plan.", "s", `time() - mcloud_plan_run_timestamp_seconds{cloud=~"$cloud"}`)).
		WithPanel(state("Missing in the plan", "Parts that the last plan had no data for; mcloud-plan report names them.", `sum(mcloud_plan_missing{cloud=~"$cloud"})`, "no plan", warnAbove(1)))
	b.WithRow(row("Storage")).
		WithPanel(runway("Tiers: time left", "Time until the tier crosses its limit, early (P10) and by even chance (P50). What does not cross it within the horizon is not listed.",
			series(`mcloud_tier_exhaustion_timestamp_seconds{cloud=~"$cloud",tier=~"$tier",quantile="0.1"} - time()`, "{{tier}} P10"),
			series(`mcloud_tier_exhaustion_timestamp_seconds{cloud=~"$cloud",tier=~"$tier",quantile="0.5"} - time()`, "{{tier}} P50")).DataLinks(to("mcloud-tiers", "The tier", "tier", "tier"))).
		WithPanel(bars("Tiers: lead time", "Time from order to usable, which the time left must not fall below.", "s", `mcloud_tier_lead_time_seconds{cloud=~"$cloud",tier=~"$tier"}`, "{{tier}}", plain())).
		WithPanel(ratio("Tiers: used of limit", "Stored bytes as a share of what the plan may fill.", series(`mcloud_tier_used_bytes{cloud=~"$cloud",tier=~"$tier"} / mcloud_tier_capacity_bytes`, "{{tier}}")).DataLinks(to("mcloud-tiers", "The tier", "tier", "tier")))
	b.WithRow(row("Compute")).
		WithPanel(runway("Zones: time left", "Time until the zone has nothing left of the resource, early (P10) and by even chance (P50). What does not cross it within the horizon is not listed.",
			series(`mcloud_zone_exhaustion_timestamp_seconds{cloud=~"$cloud",zone=~"$zone",quantile="0.1"} - time()`, "{{zone}} {{resource_class}} P10"),
			series(`mcloud_zone_exhaustion_timestamp_seconds{cloud=~"$cloud",zone=~"$zone",quantile="0.5"} - time()`, "{{zone}} {{resource_class}} P50")).DataLinks(to("mcloud-compute", "The zone", "zone", "zone"))).
		WithPanel(ratio("Zones: used of what may be filled", "Allocations as a share of Placement's capacity without the zone's largest host.", series(`mcloud_zone_used_units{cloud=~"$cloud",zone=~"$zone"} / mcloud_zone_capacity_units`, "{{zone}} {{resource_class}}")).DataLinks(to("mcloud-compute", "The zone", "zone", "zone"))).
		WithPanel(graph("Further servers by zone", "Servers that fit if only that flavor were made: the five flavors with the fewest.", "short", series(`bottomk(5, mcloud_headroom_servers{cloud=~"$cloud",zone=~"$zone"})`, "{{flavor}} in {{zone}}")).Interval(coarse)).
		WithPanel(bars("Further servers by flavor", "Servers of each public flavor that Placement and Nova would still accept, flavors not competing with each other.", "short", `sort(sum by (flavor) (mcloud_headroom_servers{cloud=~"$cloud",zone=~"$zone"}))`, "{{flavor}}", thresholds(dashboard.Threshold{Color: "red"}, from(1, "orange"), from(10, "green")))).
		WithPanel(bars("Hosts with room by flavor", "Hosts that take at least one more: with few, room is in pieces or the flavor wants a trait.", "short", `sort(sum by (flavor) (mcloud_headroom_hosts{cloud=~"$cloud",zone=~"$zone"}))`, "{{flavor}}", thresholds(dashboard.Threshold{Color: "red"}, from(1, "orange"), from(3, "green")))).
		WithPanel(ratio("Zones: allocated of all", "Allocations as a share of all that Placement would give, the reserve for a lost host included.", series(`mcloud_zone_allocated_units{cloud=~"$cloud",zone=~"$zone"} / mcloud_zone_allocatable_units`, "{{zone}} {{resource_class}}")))
	return b
}
