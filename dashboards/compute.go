package dashboards

// compute is the cloud's servers and what makes them.
func compute() *page {
	b := board("mcloud-compute", "Compute", "Servers, builds, zones and the services of Nova.", byCloud(), byZone())
	b.WithRow(row("Now")).
		WithPanel(state("Hosts down", "Enabled hosts whose nova-compute has stopped reporting.", `count((openstack_nova_service_up{cloud=~"$cloud",zone=~"$zone",binary="nova-compute"} == 0) and on (cloud, host) (openstack_nova_service_enabled{binary="nova-compute"} == 1)) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(figure("Hosts disabled", "Hosts that an operator, or Nova itself, took out.", "short", `count(openstack_nova_service_enabled{cloud=~"$cloud",zone=~"$zone",binary="nova-compute"} == 0) or vector(0)`)).
		WithPanel(figure("Servers", "Servers of all projects, whatever their status.", "short", `sum(openstack_nova_servers{cloud=~"$cloud",zone=~"$zone"})`)).
		WithPanel(state("In ERROR", "Servers that Nova gave up.", `sum(openstack_nova_servers{cloud=~"$cloud",zone=~"$zone",status="ERROR"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Stuck in their build", "Servers that began to be built more than ten minutes ago.", `sum(openstack_nova_servers_stuck{cloud=~"$cloud",status="BUILD",longer_than="10m"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Stuck in a task", "Servers whose task has not moved for an hour.", `sum(openstack_nova_servers_stuck{cloud=~"$cloud",status!="BUILD",longer_than="1h"}) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("Servers")).
		WithPanel(graph("Servers by status", "All projects' servers.", "short", series(`sum by (status) (openstack_nova_servers{cloud=~"$cloud",zone=~"$zone"})`, "{{status}}"))).
		WithPanel(graph("Servers by zone", "All projects' servers.", "short", series(`sum by (zone) (openstack_nova_servers{cloud=~"$cloud",zone=~"$zone"})`, "{{zone}}"))).
		WithPanel(graph("Tasks under way", "Servers in BUILD and servers with a task, by task state.", "short", series(`sum by (task_state) (openstack_nova_server_tasks{cloud=~"$cloud"}) or vector(0)`, "{{task_state}}"))).
		WithPanel(graph("Faults", "Servers in ERROR by the code of their fault.", "short", series(`sum by (code) (openstack_nova_server_faults{cloud=~"$cloud"}) or vector(0)`, "{{code}}"))).
		WithPanel(graph("Migrations and resizes of a day", "By kind, those that ended within the day and those under way.", "short", series(`sum by (type, status) (openstack_nova_migrations{cloud=~"$cloud"}) or vector(0)`, "{{type}} {{status}}"))).
		WithPanel(bars("Flavors in use", "The ten flavors with the most servers.", "short", `topk(10, openstack_nova_flavor_servers{cloud=~"$cloud"})`, "{{flavor}}", plain()))
	b.WithRow(row("Zones")).
		WithPanel(ratio("Allocated of capacity", "Placement's allocations as a share of (total − reserved) × ratio.", series(`mcloud_zone_allocated_units{cloud=~"$cloud",zone=~"$zone"} / mcloud_zone_allocatable_units`, "{{zone}} {{resource_class}}"))).
		WithPanel(ratio("CPU really used", "Mean of the hosts' use, by the exporter on them.", series(`mcloud_zone_cpu_used_ratio{cloud=~"$cloud",zone=~"$zone"}`, "{{zone}}"))).
		WithPanel(bars("Fullest hosts", "The ten hosts with the most of their vCPUs allocated.", "percentunit", `topk(10, mcloud_host_allocated_ratio{cloud=~"$cloud",zone=~"$zone",resource_class="VCPU"})`, "{{host}}", full()).DataLinks(to("mcloud-hosts", "The host", "host", "host"))).
		WithPanel(graph("Hosts up", "Compute hosts that report, by zone.", "short", series(`sum by (zone) (mcloud_nova_services_up{cloud=~"$cloud",zone=~"$zone",binary="nova-compute"})`, "{{zone}}"))).
		WithPanel(graph("Nova's services up", "Conductors, schedulers and others that report.", "short", series(`sum by (binary) (mcloud_nova_services_up{cloud=~"$cloud",binary!="nova-compute"})`, "{{binary}}"))).
		WithPanel(bars("Aggregates", "Hosts in each host aggregate.", "short", `openstack_nova_aggregate_hosts{cloud=~"$cloud"}`, "{{name}}", plain()))
	return b
}
