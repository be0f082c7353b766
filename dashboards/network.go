package dashboards

// network follows a change from Neutron to the flows, and packets through the hosts.
func network() *page {
	b := board("mcloud-network", "Network", "A change on its way from Neutron to the hosts' flows (OVN), and packets through the hosts (Open vSwitch).", byCloud(), byHost())
	b.WithRow(row("Now")).
		WithPanel(state("Chassis lagging", "They have not taken the last configuration.", `count(ovn_chassis_nb_cfg_lag{cloud=~"$cloud"} > 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Database servers down", "Of the northbound and southbound databases.", `count(ovn_db_member_up{cloud=~"$cloud"} == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Gateways on no chassis", "Routers from which nothing gets out.", `sum(ovn_gateway_ports{cloud=~"$cloud",state="unbound"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Ports not bound", "Ports that no mechanism could bind.", `sum(openstack_neutron_ports_binding_failed{cloud=~"$cloud"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Tunnels down", "BFD finds that they carry no packets.", `count(ovs_bfd_forwarding{cloud=~"$cloud",host=~"$host"} == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Agents down", "Enabled ones that do not report to Neutron.", `count((openstack_neutron_agent_up{cloud=~"$cloud"} == 0) and on (cloud, host, binary, type) (openstack_neutron_agent_enabled == 1)) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("From Neutron to the hosts")).
		WithPanel(graph("Time southbound", "From when northd saw a configuration until it was southbound.", "s", series(`ovn_nb_sb_cfg_delay_seconds{cloud=~"$cloud"}`, "{{cloud}}"))).
		WithPanel(graph("Time to the last chassis", "From when northd saw a configuration until every chassis had it in force.", "s", series(`ovn_nb_hv_cfg_delay_seconds{cloud=~"$cloud"}`, "{{cloud}}"))).
		WithPanel(graph("Slowest chassis", "The ten that take longest.", "s", series(`topk(10, mcloud_chassis_slowest_seconds{cloud=~"$cloud"})`, "{{hostname}}")).Interval(coarse)).
		WithPanel(graph("Southbound rows", "The ten largest tables.", "short", series(`topk(10, ovn_sb_rows{cloud=~"$cloud"})`, "{{table}}")).Interval(coarse)).
		WithPanel(graph("Raft: entries behind", "How far each server of a database is behind the foremost.", "short", series(`ovn_db_member_log_lag{cloud=~"$cloud"}`, "{{database}} {{endpoint}}"))).
		WithPanel(graph("Full recomputes", "Times per second that ovn-controller worked out all flows anew, the ten most.", "ops", series(`topk(10, sum by (host) (rate(ovn_controller_recomputes_total{cloud=~"$cloud",host=~"$host"}[$__rate_interval])))`, "{{host}}")).Interval(coarse))
	b.WithRow(row("Packets")).
		WithPanel(graph("Received", "Through the physical interfaces of bridges, the ten busiest hosts.", "Bps", series(`topk(10, mcloud_host_switch_bytes_per_second{cloud=~"$cloud",host=~"$host",direction="receive"})`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Dropped", "At bridges' interfaces by class, the ten worst.", "pps", series(`topk(10, sum by (host, bridge, class) (rate(ovs_bridge_interface_dropped_total{cloud=~"$cloud",host=~"$host"}[$__rate_interval])))`, "{{host}} {{bridge}} {{class}}")).Interval(coarse)).
		WithPanel(graph("Upcalls lost", "First packets dropped on their way to ovs-vswitchd, the ten worst hosts.", "pps", series(`topk(10, rate(ovs_datapath_lookups_total{cloud=~"$cloud",host=~"$host",result="lost"}[$__rate_interval]))`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Datapath flows", "The ten hosts with the most.", "short", series(`topk(10, ovs_datapath_flows{cloud=~"$cloud",host=~"$host"})`, "{{host}} {{datapath}}")).Interval(coarse)).
		WithPanel(ratio("Flow table", "Flows of those allowed, the ten fullest.", series(`topk(10, ovs_upcall_flows{cloud=~"$cloud",host=~"$host"} / ovs_upcall_flows_limit)`, "{{host}}")).Interval(coarse)).
		WithPanel(graph("Memory of the daemons", "The ten that take most.", "bytes", series(`topk(10, ovs_process_resident_memory_bytes{cloud=~"$cloud",host=~"$host"})`, "{{host}} {{daemon}}")).Interval(coarse))
	b.WithRow(row("Addresses and ports")).
		WithPanel(bars("Addresses taken", "Of the ten fullest networks, IPv4.", "percentunit", `topk(10, openstack_neutron_network_ips_used{cloud=~"$cloud",ip_version="4"} / openstack_neutron_network_ips_capacity)`, "{{name}}", full())).
		WithPanel(graph("Floating IPs", "By status; DOWN ones lead nowhere.", "short", series(`sum by (status) (openstack_neutron_floating_ips{cloud=~"$cloud"})`, "{{status}}"))).
		WithPanel(graph("Ports by status", "All projects' ports.", "short", series(`sum by (status) (openstack_neutron_ports{cloud=~"$cloud"})`, "{{status}}")))
	return b
}
