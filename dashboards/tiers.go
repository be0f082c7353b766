package dashboards

// tiers follows storage from what projects were promised to the disks below.
func tiers() *page {
	b := board("mcloud-tiers", "Storage tiers", "Each tier from what projects were promised to the disks below it: limit, use, pools, Cinder's pools, what is stuck or unused.", byCloud(), byTier(), byCluster())
	b.WithRow(row("Tiers")).
		WithPanel(ratio("Used of limit", "Stored bytes as a share of what the plan may fill: nearfull line, reserve for a lost host, copies and imbalance counted in.", series(`mcloud_tier_used_bytes{cloud=~"$cloud",tier=~"$tier"} / mcloud_tier_capacity_bytes`, "{{tier}}"))).
		WithPanel(graph("Stored", "Bytes, one copy counted.", "bytes", series(`mcloud_tier_used_bytes{cloud=~"$cloud",tier=~"$tier"}`, "{{tier}}"))).
		WithPanel(graph("Limit", "Bytes that the plan may fill.", "bytes", series(`mcloud_tier_capacity_bytes{cloud=~"$cloud",tier=~"$tier"}`, "{{tier}}"))).
		WithPanel(graph("Stored by pool", "Bytes of the tiers' pools, one copy counted.", "bytes", series(`ceph_pool_stored{cluster=~"$cluster"} * on (cluster, pool_id) group_left (name, tier) max by (cluster, pool_id, name, tier) (ceph_pool_info{tier=~"$tier",tier!=""})`, "{{tier}}: {{cluster}}/{{name}}"))).
		WithPanel(graph("Growth", "Bytes a day by the last day, of the tiers' pools.", "bytes", series(`sum by (tier) (delta(ceph_pool_stored{cluster=~"$cluster"}[1d]) * on (cluster, pool_id) group_left (tier) max by (cluster, pool_id, tier) (ceph_pool_info{tier=~"$tier",tier!=""}))`, "{{tier}}"))).
		WithPanel(graph("Writes of clients", "Bytes a second that clients write to the tiers' pools.", "Bps", series(`sum by (tier) (rate(ceph_pool_wr_bytes{cluster=~"$cluster"}[$__rate_interval]) * on (cluster, pool_id) group_left (tier) max by (cluster, pool_id, tier) (ceph_pool_info{tier=~"$tier",tier!=""}))`, "{{tier}}")))
	b.WithRow(row("Promised by Cinder")).
		WithPanel(graph("Volumes by type", "Sum of the volumes' sizes.", "bytes", series(`sum by (volume_type) (openstack_cinder_volumes_size_bytes{cloud=~"$cloud"})`, "{{volume_type}}"))).
		WithPanel(graph("Provisioned of capacity", "What is promised out of a Cinder pool, over its size; above 1 thin pools are over-subscribed.", "percentunit", series(`openstack_cinder_pool_provisioned_bytes{cloud=~"$cloud"} / openstack_cinder_pool_capacity_bytes`, "{{pool}}")).Min(0)).
		WithPanel(graph("Still to be placed", "What Cinder's scheduler would still put into each pool; below zero when more is promised than may be.", "bytes", series(`openstack_cinder_pool_virtual_free_bytes{cloud=~"$cloud"}`, "{{pool}}")))
	b.WithRow(row("To be won back")).
		WithPanel(bars("Attached to nothing", "Bytes of volumes that no server has, by type.", "bytes", `sum by (volume_type) (openstack_cinder_volumes_unattached_size_bytes{cloud=~"$cloud"})`, "{{volume_type}}", plain())).
		WithPanel(graph("Snapshots and backups", "Sizes of the volumes at that time: what they take at most.", "bytes", series(`sum(openstack_cinder_snapshots_size_bytes{cloud=~"$cloud"})`, "snapshots"), series(`sum(openstack_cinder_backups_size_bytes{cloud=~"$cloud"})`, "backups"))).
		WithPanel(graph("Volumes that are stuck", "In a passing state for more than a quarter of an hour.", "short", series(`sum by (status) (openstack_cinder_volumes_stuck{cloud=~"$cloud"}) or vector(0)`, "{{status}}")))
	return b
}
