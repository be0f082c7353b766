package designate

import "mcloud/exporters/openstack"

// Calls are the requests that Sources make. Each asks for all projects, so each
// needs the policy all_tenants beside its own.
func Calls() []openstack.Call {
	one := map[string]string{"limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/service_statuses", Rule: "find_service_statuses", Role: "admin", Gives: "services' states", Optional: true},
		{API: api, Path: "/zones", Query: one, Rule: "find_zones, all_tenants", Role: "admin", Gives: "zones of all projects"},
		{API: api, Path: "/recordsets", Query: one, Rule: "find_recordsets, all_tenants", Role: "admin", Gives: "recordsets of all zones"},
		{API: api, Path: "/pools", Query: one, Rule: "find_pools", Role: "admin", Gives: "pools of name servers"},
		{API: api, Path: "/quotas", Rule: "get_quotas", Role: "reader", Gives: "limits"},
	}
}
