package octavia

import "mcloud/exporters/openstack"

// Calls are the requests that Sources make.
func Calls() []openstack.Call {
	one := map[string]string{"limit": "1"}
	const global = "load-balancer_global_observer"
	return []openstack.Call{
		{API: api, Path: "/lbaas/loadbalancers", Query: map[string]string{"project_id": "mcloud-of-nobody", "limit": "1"}, Rule: "os_load-balancer_api:loadbalancer:get_all-global", Role: global, Gives: "load balancers of all projects"},
		{API: api, Path: "/lbaas/listeners", Query: one, Rule: "os_load-balancer_api:listener:get_all-global", Role: global, Gives: "listeners"},
		{API: api, Path: "/lbaas/pools", Query: one, Rule: "os_load-balancer_api:pool:get_all-global", Role: global, Gives: "pools"},
		{API: api, Path: "/lbaas/healthmonitors", Query: one, Rule: "os_load-balancer_api:healthmonitor:get_all-global", Role: global, Gives: "health monitors"},
		{API: api, Path: "/lbaas/pools/{id}/members", Of: "/lbaas/pools", OfMember: "pools", Rule: "os_load-balancer_api:member:get_all", Role: global, Gives: "members' states"},
		{API: api, Path: "/lbaas/loadbalancers/{id}/stats", Of: "/lbaas/loadbalancers", OfMember: "loadbalancers", Rule: "os_load-balancer_api:loadbalancer:get_stats", Role: global, Gives: "traffic"},
		{API: api, Path: "/octavia/amphorae", Query: one, Rule: "os_load-balancer_api:amphora:get_all", Role: "admin", Gives: "amphorae and their certificates", Optional: true},
		{API: api, Path: "/lbaas/quotas", Query: one, Rule: "os_load-balancer_api:quota:get_all-global", Role: global, Gives: "projects' limits"},
		{API: api, Path: "/lbaas/quotas/defaults", Rule: "os_load-balancer_api:quota:get_defaults", Role: "reader", Gives: "limits of projects without their own"},
		{API: api, Path: "/lbaas/flavors", Rule: "os_load-balancer_api:flavor:get_all", Role: "reader", Gives: "flavors", Optional: true},
		{API: api, Path: "/lbaas/availabilityzones", Rule: "os_load-balancer_api:availability-zone:get_all", Role: "reader", Gives: "availability zones", Optional: true},
		{API: api, Path: "/lbaas/providers", Rule: "os_load-balancer_api:provider:get_all", Role: "reader", Gives: "providers", Optional: true},
	}
}
