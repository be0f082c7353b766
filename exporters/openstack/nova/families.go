package nova

import "mcloud/exporters"

func gauge(set exporters.Set, call, name, help string, labels ...string) *exporters.Family {
	f := &exporters.Family{Name: "openstack_nova_" + name, Type: exporters.Gauge, Labels: labels, Set: set, Call: call, Help: help}
	return f
}

func base(call, name, help string, labels ...string) *exporters.Family {
	return gauge(exporters.SetBase, call, name, help, labels...)
}

func perObject(call, name, help string, labels ...string) *exporters.Family {
	return gauge(exporters.SetObjects, call, name, help, labels...)
}

func in(unit string, f *exporters.Family) *exporters.Family {
	f.Unit = unit
	return f
}

const (
	fromServices    = "GET /os-services"
	fromHypervisors = "GET /os-hypervisors/detail"
	fromAggregates  = "GET /os-aggregates"
	fromServers     = "GET /servers/detail"
	fromGroups      = "GET /os-server-groups"
	fromQuotas      = "GET /os-quota-sets/{project}/detail"
	fromMigrations  = "GET /os-migrations"
)

// Of services, hypervisors, aggregates and zones.
var (
	serviceUp = base(fromServices, "service_up",
		"Whether the service reported in time, by Nova's own judgement: 1 up, 0 down or forced down.", "host", "binary", "zone")
	serviceEnabled = base(fromServices, "service_enabled",
		"Whether the service takes new work: 1 enabled, 0 disabled by an operator or by itself.", "host", "binary", "zone")
	serviceSeen = in("seconds", base(fromServices, "service_last_seen_timestamp_seconds",
		"When the service reported last, by Nova's clock.", "host", "binary", "zone"))
	serviceInfo = base(fromServices, "service_info",
		"Always 1; says which id a service has, and why it was disabled, if it is and a reason was given.", "host", "binary", "zone", "id", "disabled_reason")
	hypervisors = base(fromHypervisors, "hypervisors",
		"Hypervisors by state (up, down), status (enabled, disabled) and type.", "state", "status", "type")
	hypervisorInfo = base("GET /os-hypervisors/detail, /os-aggregates", "hypervisor_info",
		"Always 1; says which id, service host, zone, version and host aggregates (names, sorted, with commas) a hypervisor has.",
		"hostname", "host", "zone", "type", "aggregates", "id", "version")
	hypervisorUp = base(fromHypervisors, "hypervisor_up",
		"Whether Nova holds the hypervisor to be up: 1 up, 0 down.", "hostname", "host", "zone")
	runningVMs = base(fromHypervisors, "running_vms",
		"Servers that Nova counts on the hypervisor, whatever their status.", ofHypervisor...)
	currentWorkload = base(fromHypervisors, "current_workload",
		"Tasks under way on the hypervisor: builds, snapshots, migrations, resizes.", ofHypervisor...)
	vcpusAvailable = perObject(fromHypervisors, "vcpus_available",
		"VCPUs of the hypervisor as Nova counts them, before reservation and ratio; see openstack_placement_inventory_units.", ofHypervisor...)
	vcpusUsed = perObject(fromHypervisors, "vcpus_used",
		"VCPUs of the servers on the hypervisor as Nova counts them; see openstack_placement_usage_units.", ofHypervisor...)
	memoryAvailable = in("bytes", perObject(fromHypervisors, "memory_available_bytes",
		"Memory of the hypervisor as Nova counts it; see openstack_placement_inventory_units.", ofHypervisor...))
	memoryUsed = in("bytes", perObject(fromHypervisors, "memory_used_bytes",
		"Memory of the servers on the hypervisor and what is reserved for the host; see openstack_placement_usage_units.", ofHypervisor...))
	storageAvailable = in("bytes", perObject(fromHypervisors, "local_storage_available_bytes",
		"Local disk of the hypervisor as Nova counts it; see openstack_placement_inventory_units.", ofHypervisor...))
	storageUsed = in("bytes", perObject(fromHypervisors, "local_storage_used_bytes",
		"Local disk of the servers on the hypervisor; see openstack_placement_usage_units.", ofHypervisor...))
	diskFree = in("bytes", perObject(fromHypervisors, "free_disk_bytes",
		"Local disk of the hypervisor less what its servers have; below zero when it is over-committed.", ofHypervisor...))
	aggregates     = base(fromAggregates, "aggregates", "Host aggregates.")
	aggregateInfo  = base(fromAggregates, "aggregate_info", "Always 1; says which name, uuid (that of its mirror in Placement) and zone a host aggregate has.", "id", "name", "uuid", "zone")
	aggregateHosts = base(fromAggregates, "aggregate_hosts", "Service hosts in the aggregate.", "id", "name")
	aggregateMeta  = base(fromAggregates, "aggregate_metadata_info", "Always 1; one key of the aggregate's metadata and its value.", "id", "name", "key", "value")
	aggregateHost  = perObject(fromAggregates, "aggregate_host_info", "Always 1; says that the service host is in the aggregate.", "id", "name", "host")
	zoneCount      = base("GET /os-availability-zone", "availability_zones", "Availability zones of compute hosts.")
	zoneAvailable  = base("GET /os-availability-zone", "availability_zone_available", "Whether Nova gives the zone to servers: 1 when a host in it is enabled, 0 otherwise.", "zone")
)

var ofHypervisor = []string{"hostname", "host", "zone"}

func hostFamilies() []*exporters.Family {
	return []*exporters.Family{
		serviceUp, serviceEnabled, serviceSeen, serviceInfo, hypervisors, hypervisorInfo, hypervisorUp, runningVMs, currentWorkload,
		vcpusAvailable, vcpusUsed, memoryAvailable, memoryUsed, storageAvailable, storageUsed, diskFree,
		aggregates, aggregateInfo, aggregateHosts, aggregateMeta, aggregateHost, zoneCount, zoneAvailable,
	}
}

// Of flavors.
var (
	flavorCount = base("GET /flavors/detail", "flavors", "Flavors, public and private.")
	flavorInfo  = base("GET /flavors/detail", "flavor_info", "Always 1; says what a flavor is.", "id", "name", "public", "vcpus", "memory_mib", "disk_gib")
)

// Of servers. Counts are there once all servers have been listed.
var (
	servers = base(fromServers, "servers",
		"Servers by status (ACTIVE, SHUTOFF, ERROR, …) and availability zone; the zone is empty before a server has one.", "status", "zone")
	hostServers    = base(fromServers, "host_servers", "Servers on the compute host, whatever their status.", "host", "zone")
	projectServers = base(fromServers, "project_servers", "Servers of the project by status.", "project_id", "status")
	projectVCPUs   = base(fromServers, "project_server_vcpus", "VCPUs of the project's servers by their flavors, whatever their status.", "project_id")
	projectMemory  = in("bytes", base(fromServers, "project_server_memory_bytes", "Memory of the project's servers by their flavors, whatever their status.", "project_id"))
	projectDisk    = in("bytes", base(fromServers, "project_server_disk_bytes", "Root, ephemeral and swap disks of the project's servers by their flavors; for a server that boots from a volume too.", "project_id"))
	flavorServers  = base(fromServers, "flavor_servers", "Servers of the flavor, by the name it had when they were made or resized.", "flavor")
	flavorVCPUs    = base(fromServers, "flavor_server_vcpus", "VCPUs of the flavor's servers.", "flavor")
	flavorMemory   = in("bytes", base(fromServers, "flavor_server_memory_bytes", "Memory of the flavor's servers.", "flavor"))
	flavorDisk     = in("bytes", base(fromServers, "flavor_server_disk_bytes", "Root, ephemeral and swap disks of the flavor's servers.", "flavor"))
	powerStates    = base(fromServers, "server_power_states",
		"Servers by status and the power state that the hypervisor told last: running, paused, shutdown, crashed, suspended, none.", "status", "power_state")
	serverTasks = base(fromServers, "server_tasks",
		"Servers in BUILD and servers with a task under way, by status and task state; the task state is empty for a build that waits.", "status", "task_state")
	serversStuck = base(fromServers, "servers_stuck",
		"Those of openstack_nova_server_tasks that did not change for longer than 10m, 1h or 1d (a build: that began longer ago); each is in every count that holds for it.",
		"status", "task_state", "longer_than")
	taskOldest = in("seconds", base(fromServers, "server_task_oldest_timestamp_seconds",
		"When the longest of openstack_nova_server_tasks changed last (a build: began).", "status", "task_state"))
	serverFaults = base(fromServers, "server_faults",
		"Servers in status ERROR by the code of their fault: 500, or that of the API's error; empty when Nova keeps none.", "code")
	groupCount   = base(fromGroups, "server_groups", "Server groups by policy.", "policy")
	groupMembers = base(fromGroups, "server_group_members", "Servers in the server groups of the policy.", "policy")

	serverInfo = perObject(fromServers, "server_info",
		"Always 1; says what a server is. instance is its name at the hypervisor (libvirt's domain), hostname the hypervisor's.",
		"id", "name", "status", "project_id", "user_id", "host", "hostname", "zone", "flavor", "instance")
	serverVCPUs   = perObject(fromServers, "server_vcpus", "VCPUs of the server by its flavor.", "id")
	serverMemory  = in("bytes", perObject(fromServers, "server_memory_bytes", "Memory of the server by its flavor.", "id"))
	serverDisk    = in("bytes", perObject(fromServers, "server_disk_bytes", "Root, ephemeral and swap disks of the server by its flavor.", "id"))
	serverFault   = perObject(fromServers, "server_fault_info", "Always 1; says what put a server into ERROR, in at most 120 characters.", "id", "code", "message")
	hostProject   = perObject(fromServers, "host_project_servers", "Servers of the project on the compute host.", "host", "project_id")
	projectFlavor = perObject(fromServers, "project_flavor_servers", "Servers of the project and flavor.", "project_id", "flavor")
	groupInfo     = perObject(fromGroups, "server_group_info", "Always 1; says what a server group is.", "id", "name", "policy", "project_id")
	groupServers  = perObject(fromGroups, "server_group_servers", "Servers in the server group.", "id")
)

func serverFamilies() []*exporters.Family {
	return []*exporters.Family{
		servers, hostServers, projectServers, projectVCPUs, projectMemory, projectDisk, flavorServers, flavorVCPUs, flavorMemory, flavorDisk,
		powerStates, serverTasks, serversStuck, taskOldest, serverFaults, groupCount, groupMembers,
		serverInfo, serverVCPUs, serverMemory, serverDisk, serverFault, hostProject, projectFlavor, groupInfo, groupServers,
	}
}

var actionsPending = base("GET /servers/{id}/os-instance-actions", "server_actions_pending", "Servers whose actions are still to be read.")

// Of quotas. Units are the resource's: ram MiB, the others one.
var (
	quotaLimit    = base(fromQuotas, "quota_limit", "What the project may have of the resource (cores, instances, ram in MiB, …); +Inf without a limit.", "project_id", "resource")
	quotaUsed     = base(fromQuotas, "quota_in_use", "What the project has of the resource (cores, instances, ram in MiB, server_groups).", "project_id", "resource")
	quotaReserved = base(fromQuotas, "quota_reserved", "What of the resource is kept for the project's requests under way; always 0 from Pike on.", "project_id", "resource")
)

// Of migrations.
var (
	migrationCount = base(fromMigrations, "migrations",
		"Migrations and resizes that changed within the last day or are under way, by type (migration, resize, live-migration, evacuation) and status.", "type", "status")
	migrationOldest = in("seconds", base(fromMigrations, "migration_oldest_timestamp_seconds",
		"When the oldest of openstack_nova_migrations of the type and status began, of those that have not ended (a finished resize waits to be confirmed).", "type", "status"))
)
