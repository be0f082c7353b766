package dashboards

// ceph is one cluster: is it whole, does it serve, does it heal.
func ceph() *page {
	b := board("mcloud-ceph", "Ceph cluster", "One cluster: is it whole, does it serve, does it heal. Choose it above.", byCluster())
	b.WithRow(row("Health")).
		WithPanel(health("Health", "As Ceph says it.", `max by (cluster) (ceph_health_status{cluster=~"$cluster"})`, "{{cluster}}")).
		WithPanel(state("OSDs down", "In but down.", `sum(mcloud_osd_down{cluster=~"$cluster"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Monitors out of quorum", "Of those in the monitor map.", `sum(ceph_mons_out_of_quorum{cluster=~"$cluster"})`, "none", alarmAbove(1))).
		WithPanel(state("Placement groups inactive", "They serve nobody.", `sum(ceph_pg_total{cluster=~"$cluster"} - ceph_pg_active) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Slow requests", "Requests that wait for more than 30 s.", `sum(ceph_healthcheck_slow_ops{cluster=~"$cluster"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Objects not found", "No up-to-date copy of them is on an OSD that is up.", `sum(ceph_num_objects_unfound{cluster=~"$cluster"})`, "none", alarmAbove(1)))
	b.WithRow(row("Room")).
		WithPanel(ratio("Raw used", "Of all OSDs.", series(`ceph_cluster_total_used_raw_bytes{cluster=~"$cluster"} / ceph_cluster_total_bytes`, "{{cluster}}"))).
		WithPanel(ratio("By device class", "Raw, of the OSDs of the class.", series(`ceph_crush_class_used_bytes{cluster=~"$cluster"} / ceph_crush_class_bytes`, "{{cluster}} {{root}} {{device_class}}"))).
		WithPanel(ratio("Fullest and mean OSD", "A class is full when its fullest OSD is.", series(`ceph_crush_class_utilization_ratio{cluster=~"$cluster",stat=~"max|mean"}`, "{{cluster}} {{device_class}} {{stat}}")).DataLinks(to("mcloud-osds", "Its OSDs", "cluster", "cluster")))
	b.WithRow(row("Service")).
		WithPanel(graph("Clients: bytes", "Read and written per second.", "Bps", series(`ceph_cluster_client_read_bytes_per_second{cluster=~"$cluster"}`, "{{cluster}} read"), series(`ceph_cluster_client_write_bytes_per_second{cluster=~"$cluster"}`, "{{cluster}} written"))).
		WithPanel(graph("Clients: requests", "Reads and writes per second.", "ops", series(`ceph_cluster_client_reads_per_second{cluster=~"$cluster"}`, "{{cluster}} reads"), series(`ceph_cluster_client_writes_per_second{cluster=~"$cluster"}`, "{{cluster}} writes"))).
		WithPanel(graph("Latency of writes", "Mean of the OSDs' client writes by device class.", "s", series(`mcloud_osd_write_latency_seconds{cluster=~"$cluster"}`, "{{cluster}} {{device_class}}")))
	b.WithRow(row("Healing")).
		WithPanel(ratio("Degraded and misplaced", "Share of object copies that are missing, and that are not where they belong.", series(`ceph_cluster_degraded_ratio{cluster=~"$cluster"}`, "{{cluster}} degraded"), series(`ceph_cluster_misplaced_ratio{cluster=~"$cluster"}`, "{{cluster}} misplaced"))).
		WithPanel(graph("Recovery", "Bytes that are recovered per second.", "Bps", series(`ceph_cluster_recovering_bytes_per_second{cluster=~"$cluster"}`, "{{cluster}}"))).
		WithPanel(graph("Placement groups by state", "All but those that are active and clean.", "short", series(`sum by (cluster, state) (ceph_cluster_pgs{cluster=~"$cluster",state!="active+clean"}) or vector(0)`, "{{cluster}} {{state}}"))).
		WithPanel(graph("Checks raised", "Ceph's health checks by name.", "short", series(`sum by (name) (ceph_health_detail{cluster=~"$cluster"}) or vector(0)`, "{{name}}"))).
		WithPanel(graph("Monitors: clock", "How far a monitor's clock is from the leader's.", "s", series(`ceph_mon_clock_skew_seconds{cluster=~"$cluster"}`, "{{cluster}} {{ceph_daemon}}"))).
		WithPanel(bars("Versions", "Daemons by the version that they run; during an update there are two.", "short", `sum by (cluster, ceph_version) (ceph_version_daemons{cluster=~"$cluster"})`, "{{cluster}} {{ceph_version}}", plain()))
	return b
}
