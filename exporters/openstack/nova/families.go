package nova

import "mcloud/exporters"

var (
	serviceUp = &exporters.Family{
		Name: "openstack_nova_service_up", Type: exporters.Gauge, Labels: []string{"host", "binary", "zone"}, Set: exporters.SetBase, Call: "GET /os-services",
		Help: "Whether the service reported in time, by Nova's own judgement: 1 up, 0 down or forced down.",
	}
	serviceEnabled = &exporters.Family{
		Name: "openstack_nova_service_enabled", Type: exporters.Gauge, Labels: []string{"host", "binary", "zone"}, Set: exporters.SetBase, Call: "GET /os-services",
		Help: "Whether the service takes new work: 1 enabled, 0 disabled by an operator or by itself.",
	}
	hypervisors = &exporters.Family{
		Name: "openstack_nova_hypervisors", Type: exporters.Gauge, Labels: []string{"state", "status", "type"}, Set: exporters.SetBase, Call: "GET /os-hypervisors/detail",
		Help: "Hypervisors by state (up, down), status (enabled, disabled) and type.",
	}
	hypervisorInfo = &exporters.Family{
		Name: "openstack_nova_hypervisor_info", Type: exporters.Gauge, Labels: []string{"hostname", "host", "zone", "type", "aggregates"}, Set: exporters.SetBase, Call: "GET /os-hypervisors/detail, /os-aggregates",
		Help: "Always 1; says which service host, zone and host aggregates (names, sorted, with commas) a hypervisor belongs to.",
	}
	hypervisorUp = &exporters.Family{
		Name: "openstack_nova_hypervisor_up", Type: exporters.Gauge, Labels: []string{"hostname", "host", "zone"}, Set: exporters.SetBase, Call: "GET /os-hypervisors/detail",
		Help: "Whether Nova holds the hypervisor to be up: 1 up, 0 down.",
	}
	aggregates = &exporters.Family{
		Name: "openstack_nova_aggregates", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /os-aggregates",
		Help: "Host aggregates.",
	}
	flavors = &exporters.Family{
		Name: "openstack_nova_flavors", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /flavors/detail",
		Help: "Flavors, public and private.",
	}
	flavorInfo = &exporters.Family{
		Name: "openstack_nova_flavor_info", Type: exporters.Gauge, Labels: []string{"id", "name", "public", "vcpus", "memory_mib", "disk_gib"}, Set: exporters.SetBase, Call: "GET /flavors/detail",
		Help: "Always 1; says what a flavor is.",
	}
	servers = &exporters.Family{
		Name: "openstack_nova_servers", Type: exporters.Gauge, Labels: []string{"status", "zone"}, Set: exporters.SetBase, Call: "GET /servers/detail",
		Help: "Servers by status (ACTIVE, SHUTOFF, ERROR, …) and availability zone; the zone is empty before a server has one.",
	}
	hostServers = &exporters.Family{
		Name: "openstack_nova_host_servers", Type: exporters.Gauge, Labels: []string{"host", "zone"}, Set: exporters.SetBase, Call: "GET /servers/detail",
		Help: "Servers on the compute host, whatever their status.",
	}
	actionsPending = &exporters.Family{
		Name: "openstack_nova_server_actions_pending", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /servers/{id}/os-instance-actions",
		Help: "Servers whose actions are still to be read.",
	}
)
