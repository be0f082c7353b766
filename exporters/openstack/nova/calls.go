package nova

import "mcloud/exporters/openstack"

// Calls are the kinds of request that the Sources make.
func Calls() []openstack.Call {
	const admin = "admin"
	all := map[string]string{"all_tenants": "1", "limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/os-services", Rule: "os_compute_api:os-services:list", Role: admin, Gives: "compute services: up, enabled, last seen"},
		{API: hypervisorAPI, Path: "/os-hypervisors/detail", Query: map[string]string{"limit": "1"}, Rule: "os_compute_api:os-hypervisors:list-detail", Role: admin, Gives: "hypervisors"},
		{API: api, Path: "/os-aggregates", Rule: "os_compute_api:os-aggregates:index", Role: admin, Gives: "host aggregates and hosts' zones"},
		{API: api, Path: "/os-availability-zone", Rule: "os_compute_api:os-availability-zone:list", Role: "reader", Gives: "availability zones"},
		{API: api, Path: "/flavors/detail", Query: map[string]string{"is_public": "None", "limit": "1"}, Rule: "context_is_admin", Role: admin, Gives: "flavors with the private ones"},
		{API: api, Path: "/flavors/{id}/os-flavor-access", Of: "/flavors/detail?is_public=False&limit=1", OfMember: "flavors", Rule: "os_compute_api:os-flavor-access", Role: admin, Gives: "projects of private flavors", Optional: true},
		{API: api, Path: "/servers/detail", Query: all, Rule: "os_compute_api:servers:detail:get_all_tenants", Role: admin, Gives: "servers of all projects"},
		{API: api, Path: "/servers/{id}", Of: "/servers?all_tenants=1&limit=1", OfMember: "servers", Rule: "os_compute_api:servers:show", Role: "reader", Gives: "why a server is in ERROR"},
		{API: api, Path: "/servers/{id}/os-instance-actions", Of: "/servers?all_tenants=1&limit=1", OfMember: "servers", Rule: "os_compute_api:os-instance-actions:list", Role: admin, Gives: "times of changes that bills are made of"},
		{API: api, Path: "/os-server-groups", Query: map[string]string{"all_projects": "True", "limit": "1"}, Rule: "os_compute_api:os-server-groups:index:all_projects", Role: admin, Gives: "server groups of all projects"},
		{API: api, Path: "/os-migrations", Query: map[string]string{"limit": "1"}, Rule: "os_compute_api:os-migrations:index", Role: admin, Gives: "migrations and resizes"},
		{API: api, Path: "/os-quota-sets/{project}/detail", Rule: "os_compute_api:os-quota-sets:detail", Role: admin, Gives: "projects' limits and use"},
	}
}
