package dashboards

// hosts compares compute hosts, or shows one.
func hosts() *page {
	b := board("mcloud-hosts", "Hosts", "What each compute host has promised, what it really uses, and what its guests feel. Real use needs a node_exporter and a libvirt exporter that are scraped.", byCloud(), byZone(), byHost())
	b.WithRow(row("State")).
		WithPanel(state("Down", "Hosts whose nova-compute has stopped reporting, disabled ones included.", `count(openstack_nova_service_up{cloud=~"$cloud",zone=~"$zone",host=~"$host",binary="nova-compute"} == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(figure("Disabled", "Hosts that take no new servers.", "short", `count(openstack_nova_service_enabled{cloud=~"$cloud",zone=~"$zone",host=~"$host",binary="nova-compute"} == 0) or vector(0)`)).
		WithPanel(figure("Servers", "Servers on the chosen hosts.", "short", `sum(openstack_nova_host_servers{cloud=~"$cloud",zone=~"$zone",host=~"$host"})`)).
		WithPanel(state("Hypervisors down", "Nova's judgement of libvirt.", `count(openstack_nova_hypervisor_up{cloud=~"$cloud",zone=~"$zone",host=~"$host"} == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Switches or controllers down", "Daemons of Open vSwitch and OVN that do not answer.", `count(ovs_up{cloud=~"$cloud",host=~"$host"} == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Ports not bound", "Ports that no mechanism could bind.", `sum(openstack_neutron_ports_binding_failed{cloud=~"$cloud",host=~"$host"}) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("Promised")).
		WithPanel(ratio("vCPUs allocated", "Of (total − reserved) × ratio, the fifteen fullest.", series(`topk(15, mcloud_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",host=~"$host",resource_class="VCPU"})`, "{{host}}")).Interval(coarse)).
		WithPanel(ratio("Memory allocated", "Of (total − reserved) × ratio, the fifteen fullest.", series(`topk(15, mcloud_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",host=~"$host",resource_class="MEMORY_MB"})`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Servers", "The fifteen hosts with the most.", "short", series(`topk(15, mcloud_host_servers{cloud=~"$cloud",zone=~"$zone",host=~"$host"})`, "{{host}}")).Interval(coarse))
	b.WithRow(row("Really used")).
		WithPanel(ratio("CPU used", "Share of the host's cores at work, the fifteen busiest.", series(`topk(15, mcloud_host_cpu_used_ratio{cloud=~"$cloud",host=~"$host"})`, "{{host}}")).Interval(coarse)).
		WithPanel(ratio("Memory used", "Share of the host's memory, page cache not counted, the fifteen fullest.", series(`topk(15, mcloud_host_memory_used_bytes{cloud=~"$cloud",host=~"$host"} / mcloud_host_memory_total_bytes)`, "{{host}}")).Interval(coarse)).
		WithPanel(ratio("Filesystems", "The fifteen fullest.", series(`topk(15, mcloud_host_filesystem_used_bytes{cloud=~"$cloud",host=~"$host"} / mcloud_host_filesystem_size_bytes)`, "{{host}} {{mountpoint}}")).Interval(coarse)).
		WithPanel(graph("Network received", "Through network cards, the ten busiest.", "Bps", series(`topk(10, mcloud_host_network_receive_bytes_per_second{cloud=~"$cloud",host=~"$host"})`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Network sent", "Through network cards, the ten busiest.", "Bps", series(`topk(10, mcloud_host_network_transmit_bytes_per_second{cloud=~"$cloud",host=~"$host"})`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Errors and drops", "Of network cards per second, received and sent, the ten worst.", "pps", series(`topk(10, mcloud_host_network_receive_errors_per_second{cloud=~"$cloud",host=~"$host"} + mcloud_host_network_transmit_errors_per_second + mcloud_host_network_receive_drops_per_second + mcloud_host_network_transmit_drops_per_second)`, "{{host}}")).Interval(coarse))
	b.WithRow(row("Guests")).
		WithPanel(ratio("Waiting for a core", "Share of the time in which vCPUs of the host's guests waited, on the mean.", series(`topk(15, avg by (host) (mcloud_guest_cpu_steal_ratio{cloud=~"$cloud",host=~"$host"}))`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Busiest guests", "Cores that a guest really uses, the ten busiest, by its server's id.", "short", series(`topk(10, mcloud_guest_cpu_cores{cloud=~"$cloud",host=~"$host"})`, "{{host}} {{server_id}}")).Interval(coarse)).
		WithPanel(graph("Most writes", "Bytes that a guest writes, the ten busiest, by its server's id.", "Bps", series(`topk(10, mcloud_guest_disk_written_bytes_per_second{cloud=~"$cloud",host=~"$host"})`, "{{host}} {{server_id}}")).Interval(coarse))
	return b
}
