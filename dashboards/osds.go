package dashboards

// osds finds the OSD that is full, slow or dying.
func osds() *page {
	b := board("mcloud-osds", "Ceph OSDs", "The OSD that is full, slow or dying. What is below \"By the daemons\" comes from the OSDs' own sockets, where an exporter runs on their hosts.", byCluster())
	b.WithRow(row("Now")).
		WithPanel(figure("OSDs", "All that there are.", "short", `count(ceph_osd_up{cluster=~"$cluster"})`)).
		WithPanel(state("Down", "In but down.", `sum(mcloud_osd_down{cluster=~"$cluster"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Out", "They hold no data.", `count(ceph_osd_in{cluster=~"$cluster"} == 0) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Near full or worse", "By the monitors' word.", `sum(ceph_osd_fullness{cluster=~"$cluster"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Up or down in an hour", "OSDs that went up or down more than twice.", `count(mcloud_osd_switches{cluster=~"$cluster"} > 2) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Copies repaired in a day", "Copies that could not be read and came from others.", `round(sum(sum_over_time(mcloud_cluster_shards_repaired_per_second{cluster=~"$cluster"}[1d]) * 30)) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("Fullness")).
		WithPanel(bars("Fullest", "The fifteen fullest OSDs.", "percentunit", `topk(15, ceph_osd_utilization_ratio{cluster=~"$cluster"})`, "{{cluster}} {{ceph_daemon}}", full())).
		WithPanel(ratio("Spread", "Least, mean and most of each class; what is above the mean is room that nobody has.", series(`ceph_crush_class_utilization_ratio{cluster=~"$cluster",stat=~"min|mean|max"}`, "{{cluster}} {{device_class}} {{stat}}"))).
		WithPanel(graph("Placement groups on an OSD", "Least, mean and most of each class.", "short", series(`ceph_crush_class_pgs{cluster=~"$cluster",stat=~"min|mean|max"}`, "{{cluster}} {{device_class}} {{stat}}")))
	b.WithRow(row("Speed")).
		WithPanel(graph("Commit latency", "The ten slowest, as the OSDs tell the manager.", "s", series(`topk(10, mcloud_osd_slowest_commit_seconds{cluster=~"$cluster"})`, "{{cluster}} {{ceph_daemon}}")).Interval(coarse)).
		WithPanel(graph("Heartbeats", "Round trip between datacentres, over the public (front) and the cluster (back) network.", "s", series(`max by (cluster, from_datacenter, to_datacenter, interface) (ceph_heartbeat_rtt_seconds{cluster=~"$cluster"})`, "{{cluster}} {{from_datacenter}}–{{to_datacenter}} {{interface}}"))).
		WithPanel(graph("Blocking", "Placement groups that wait for the OSD to peer, the ten worst.", "short", series(`topk(10, mcloud_osd_most_blocking_pgs{cluster=~"$cluster"})`, "{{cluster}} {{ceph_daemon}}")).Interval(coarse))
	b.WithRow(row("By the daemons")).
		WithPanel(graph("Read latency by class", "Mean of the client reads.", "s", series(`mcloud_osd_read_latency_seconds{cluster=~"$cluster"}`, "{{cluster}} {{device_class}}"))).
		WithPanel(graph("Write latency by class", "Mean of the client writes.", "s", series(`mcloud_osd_write_latency_seconds{cluster=~"$cluster"}`, "{{cluster}} {{device_class}}"))).
		WithPanel(graph("Slowest writers", "Mean latency of client writes, the ten slowest OSDs.", "s", series(`topk(10, rate(ceph_osd_op_w_latency_sum{cluster=~"$cluster"}[$__rate_interval]) / (rate(ceph_osd_op_w_latency_count[$__rate_interval]) > 0))`, "{{cluster}} {{ceph_daemon}}")).Interval(coarse)).
		WithPanel(graph("Client operations", "Per second, the ten busiest OSDs.", "ops", series(`topk(10, rate(ceph_osd_op{cluster=~"$cluster"}[$__rate_interval]))`, "{{cluster}} {{ceph_daemon}}")).Interval(coarse)).
		WithPanel(state("Sockets silent", "Daemons on the exporters' hosts that do not answer: dead or frozen.", `count(ceph_daemon_socket_up{cluster=~"$cluster"} == 0) or vector(0)`, "none", alarmAbove(1)).Span(8).Height(9)).
		WithPanel(graph("Requests reported slow", "By daemon, as it tells the manager.", "short", series(`mcloud_daemon_slow_ops{cluster=~"$cluster"} or vector(0)`, "{{ceph_daemon}}")))
	return b
}
