package placement

import "mcloud/exporters/openstack"

// Calls are the kinds of request that the Sources make. Placement's own default
// lets only administrators and services read.
func Calls() []openstack.Call {
	of := func(path, rule, gives string) openstack.Call {
		return openstack.Call{
			API: api, Path: "/resource_providers/{id}/" + path, Of: "/resource_providers", OfMember: "resource_providers",
			Rule: "placement:resource_providers:" + rule, Role: "admin", Gives: gives,
		}
	}
	return []openstack.Call{
		{API: api, Path: "/resource_providers", Rule: "placement:resource_providers:list", Role: "admin", Gives: "resource providers, their trees and generations"},
		{
			API: api, Path: "/allocation_candidates", Query: map[string]string{"resources": "VCPU:1"},
			Rule: "placement:allocation_candidates:list", Role: "admin", Gives: "usages and traits of all providers in one answer",
		},
		of("inventories", "inventories:list", "inventories, ratios, capacity"),
		of("usages", "usages", "usages of providers without room"),
		of("traits", "traits:list", "traits of providers without room"),
		of("aggregates", "aggregates:list", "aggregates that Nova does not know"),
		of("allocations", "allocations:list", "what each server has of a provider (set objects)"),
		{API: compute, Path: "/os-aggregates", Rule: "os_compute_api:os-aggregates:index", Role: "admin", Gives: "aggregates of all providers in a few answers"},
	}
}
