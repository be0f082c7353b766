package ironic

import "mcloud/exporters"

const nodesCall = "GET /v1/nodes/detail"

var (
	ofNode = []string{"node_id"}

	conductorUp = &exporters.Family{
		Name: "openstack_ironic_conductor_up", Type: exporters.Gauge, Labels: []string{"conductor", "conductor_group"}, Set: exporters.SetBase, Call: "GET /v1/conductors",
		Help: "Whether the conductor reported in time, by Ironic's own judgement: 1 alive, 0 not.",
	}
	nodes = &exporters.Family{
		Name: "openstack_ironic_nodes", Type: exporters.Gauge, Labels: []string{"resource_class", "provision_state", "power_state"}, Set: exporters.SetBase, Call: nodesCall,
		Help: "Bare-metal nodes by resource class, provision state and power state.",
	}
	nodesMaintenance = &exporters.Family{
		Name: "openstack_ironic_nodes_maintenance", Type: exporters.Gauge, Labels: []string{"resource_class", "fault"}, Set: exporters.SetBase, Call: nodesCall,
		Help: "Bare-metal nodes in maintenance, and whether Ironic itself put them there for a fault (label fault true) or somebody else did.",
	}
	nodesRetired = &exporters.Family{
		Name: "openstack_ironic_nodes_retired", Type: exporters.Gauge, Labels: []string{"resource_class"}, Set: exporters.SetBase, Call: nodesCall,
		Help: "Bare-metal nodes that are retired: they get no new instance.",
	}
	nodesOldest = &exporters.Family{
		Name: "openstack_ironic_nodes_oldest_provision_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"provision_state"}, Set: exporters.SetBase, Call: nodesCall,
		Help: "Since when the node that is in this provision state the longest is in it, as seconds since 1970: tells what is stuck in cleaning or deploying.",
	}
	nodeInfo = &exporters.Family{
		Name: "openstack_ironic_node_info", Type: exporters.Gauge, Labels: []string{"node_id", "name", "driver", "resource_class", "project_id"}, Set: exporters.SetObjects, Call: nodesCall,
		Help: "A bare-metal node; project_id is its owner's, where it has one; always 1.",
	}
	nodeState = &exporters.Family{
		Name: "openstack_ironic_node_state", Type: exporters.Gauge, Labels: []string{"node_id", "provision_state", "power_state"}, Set: exporters.SetObjects, Call: nodesCall,
		Help: "The states of a bare-metal node; always 1.",
	}
	nodeMaintenance = &exporters.Family{
		Name: "openstack_ironic_node_maintenance", Type: exporters.Gauge, Labels: []string{"node_id", "fault"}, Set: exporters.SetObjects, Call: nodesCall,
		Help: "Whether the node is in maintenance: 1 yes, 0 no; fault is why Ironic put it there.",
	}
	nodeConsole = &exporters.Family{
		Name: "openstack_ironic_node_console_enabled", Type: exporters.Gauge, Labels: ofNode, Set: exporters.SetObjects, Call: nodesCall,
		Help: "Whether the node's console is on: 1 yes, 0 no.",
	}
	nodeRetired = &exporters.Family{
		Name: "openstack_ironic_node_retired", Type: exporters.Gauge, Labels: ofNode, Set: exporters.SetObjects, Call: nodesCall,
		Help: "Whether the node is retired: 1 yes, 0 no.",
	}
	nodeUpdated = &exporters.Family{
		Name: "openstack_ironic_node_updated_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: ofNode, Set: exporters.SetObjects, Call: nodesCall,
		Help: "When Ironic last changed what it keeps of the node, as seconds since 1970.",
	}
	nodeProvisioned = &exporters.Family{
		Name: "openstack_ironic_node_provision_updated_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: ofNode, Set: exporters.SetObjects, Call: nodesCall,
		Help: "When the node's provision state last changed, as seconds since 1970.",
	}
)
