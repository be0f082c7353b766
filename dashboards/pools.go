package dashboards

// named gives a query by pool the pool's name. The names are there twice for as long as one
// exporter takes another one's place.
func named(query string) string {
	return query + ` * on (cluster, pool_id) group_left (name) max by (cluster, pool_id, name) (ceph_pool_metadata)`
}

// pools is what data lies where and who uses it.
func pools() *page {
	b := board("mcloud-pools", "Ceph pools", "What each pool holds, what still fits, who reads and writes it, and whether all its copies are there.", byCluster(), byTier())
	b.WithRow(row("Room")).
		WithPanel(ratio("Used", "Of what the pool could hold.", series(named(`ceph_pool_percent_used{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Stored", "One copy counted.", "bytes", series(named(`ceph_pool_stored{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Still fits", "Ceph's MAX AVAIL, until the first OSD is full.", "bytes", series(named(`ceph_pool_max_avail{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Growth", "Bytes a day, by the last day.", "bytes", series(named(`delta(ceph_pool_stored{cluster=~"$cluster"}[1d])`), "{{cluster}}/{{name}}"))).
		WithPanel(bars("Raw bytes for each stored", "Copies, or (k+m)/k of erasure code.", "short", named(`ceph_pool_expansion_ratio{cluster=~"$cluster"}`), "{{cluster}}/{{name}}", plain())).
		WithPanel(ratio("Of the quota", "Pools that have one.", series(named(`ceph_pool_stored{cluster=~"$cluster"} / (ceph_pool_quota_bytes > 0)`), "{{cluster}}/{{name}}")))
	b.WithRow(row("Use")).
		WithPanel(graph("Read", "Bytes per second.", "Bps", series(named(`rate(ceph_pool_rd_bytes{cluster=~"$cluster"}[$__rate_interval])`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Written", "Bytes per second.", "Bps", series(named(`rate(ceph_pool_wr_bytes{cluster=~"$cluster"}[$__rate_interval])`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Requests", "Reads and writes per second.", "ops", series(named(`(rate(ceph_pool_rd{cluster=~"$cluster"}[$__rate_interval]) + rate(ceph_pool_wr[$__rate_interval]))`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Objects", "In the pool.", "short", series(named(`ceph_pool_objects{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("RBD images", "Without those in the trash.", "short", series(named(`ceph_pool_rbd_images{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("RBD provisioned", "Sizes of the images added up: what guests may still write.", "bytes", series(named(`ceph_pool_rbd_provisioned_bytes{cluster=~"$cluster"}`), "{{cluster}}/{{name}}")))
	b.WithRow(row("Copies")).
		WithPanel(graph("Copies missing", "Object copies that are not there.", "short", series(named(`ceph_pool_objects_degraded{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(graph("Copies elsewhere", "Object copies that are not where they belong.", "short", series(named(`ceph_pool_objects_misplaced{cluster=~"$cluster"}`), "{{cluster}}/{{name}}"))).
		WithPanel(bars("Last deep scrub", "Age of the oldest one among the pool's placement groups.", "s", named(`(time() - ceph_pool_oldest_deep_scrub_timestamp_seconds{cluster=~"$cluster"})`), "{{cluster}}/{{name}}", warnAbove(14*24*3600)))
	return b
}
